package child

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Attributes is how children are started: a group of its own, so that all of it can be signalled and
// the terminal's Ctrl-C does not reach it; death with its parent; and a
// descriptor by which its end can be awaited without a thread.
func Attributes() *syscall.SysProcAttr {
	pidfd := -1
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, PidFD: &pidfd}
}

// endOf is the child's pidfd, which the runtime's poller can wait for: a thread
// per child would add up.
func endOf(cmd *exec.Cmd) *os.File {
	p := cmd.SysProcAttr.PidFD
	if p == nil || *p < 0 || unix.SetNonblock(*p, true) != nil {
		return nil
	}
	return os.NewFile(uintptr(*p), "pidfd")
}

// hasEnded says whether the child has ended, and leaves it unreaped.
func hasEnded(pid int) bool {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		return err != nil || info.Signo != 0
	}
}
