//go:build unix && !linux

package child

import (
	"os/exec"
	"syscall"
)

// Attributes is how children are started: a group of its own, so that all of
// it can be signalled and the terminal's Ctrl-C does not reach it.
func Attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit does not wait here: the wait that follows does, and reaps.
func awaitExit(*exec.Cmd) {}
