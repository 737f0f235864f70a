//go:build !unix

package health

import "os/exec"

// inOwnGroup leaves the default: only the command itself is killed.
func inOwnGroup(*exec.Cmd) {}

func waitForGroup(cmd *exec.Cmd) error { return cmd.Wait() }
