package child

import (
	"os"
	"os/exec"
	"syscall"
	"unsafe"
)

// Attributes is how children are started: a group of its own, so that all of
// it can be signalled and the terminal's Ctrl-C does not reach it.
func Attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// endOf is nil: there are no pidfds, the end is asked for.
func endOf(*exec.Cmd) *os.File { return nil }

// hasEnded says whether the child has ended, and leaves it unreaped.
func hasEnded(pid int) bool {
	const byPID = 1
	var info [16]uint64 // a siginfo_t is 104 bytes and begins with its signal
	for {
		_, _, err := syscall.Syscall6(syscall.SYS_WAITID, byPID, uintptr(pid), uintptr(unsafe.Pointer(&info)),
			syscall.WEXITED|syscall.WNOWAIT|syscall.WNOHANG, 0, 0)
		if err == syscall.EINTR {
			continue
		}
		return err != 0 || uint32(info[0]) != 0
	}
}
