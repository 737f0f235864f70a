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

// awaitExit returns when the child has ended, and leaves it unreaped: until
// cmd.Wait its process id and group id cannot be given to anybody else. It
// waits in the runtime's poller, as a thread per child would add up.
func awaitExit(cmd *exec.Cmd) {
	fd := -1
	if p := cmd.SysProcAttr.PidFD; p != nil {
		fd = *p
	}
	if fd < 0 || unix.SetNonblock(fd, true) != nil {
		waitID(cmd.Process.Pid, 0)
		return
	}
	file := os.NewFile(uintptr(fd), "pidfd")
	defer func() { _ = file.Close() }() // nothing is written to it
	raw, err := file.SyscallConn()
	if err == nil {
		err = raw.Read(func(uintptr) bool { return waitID(cmd.Process.Pid, unix.WNOHANG) })
	}
	if err != nil { // a kernel that cannot poll it
		waitID(cmd.Process.Pid, 0)
	}
}

// waitID says whether the child has ended, waiting for it unless told not to.
func waitID(pid, flags int) bool {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT|flags, nil)
		if err == unix.EINTR {
			continue
		}
		return err != nil || info.Signo != 0
	}
}
