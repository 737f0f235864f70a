package process

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// childAttributes: a group of its own, so that all of it can be signalled and
// the terminal's Ctrl-C does not reach it; death with its parent; and a
// descriptor by which its end can be awaited without a thread.
func childAttributes() *syscall.SysProcAttr {
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

// holdPort claims the port among all Holdfast processes of this network
// namespace. A socket bound to the port itself would keep children that do not
// set SO_REUSEADDR from binding it; a name in the abstract socket namespace
// keeps out nobody else, and vanishes with the process.
func holdPort(ctx context.Context, port int) (io.Closer, error) {
	var lc net.ListenConfig
	return lc.ListenPacket(ctx, "unixgram", fmt.Sprintf("@holdfast/port/%d", port))
}

// ephemeralFrom is the first port the kernel gives to outgoing connections.
func ephemeralFrom() int {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return 32768
	}
	var from, to int
	if n, err := fmt.Sscan(string(text), &from, &to); err != nil || n != 2 {
		return 32768
	}
	return from
}
