package child

import (
	"bufio"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The first process of a PID namespace does not end before all others there are
// reaped, whatever is sent to it. One of them has a parent outside that is frozen.
func TestAChildThatNothingCanEndIsGivenUp(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes as long as a child is waited for")
	}
	spawn := NewSpawner()
	defer spawn.Run()()
	cmd := exec.CommandContext(t.Context(), "sleep", "600")
	cmd.SysProcAttr = Attributes()
	cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWPID
	p, err := Start(spawn, cmd, NewOutput(1, func(string) {}), nil)
	if err != nil {
		t.Skipf("needs the right to make a PID namespace: %v", err)
	}
	thaw := holdFrom(t, p.PID())
	ended := make(chan bool, 1)
	go func() { ended <- p.Stop(50 * time.Millisecond) }()
	select {
	case killed := <-ended:
		if !killed || p.ExitCode() != -1 || hasEnded(p.PID()) {
			t.Errorf("killed %v, exit code %d, ended %v", killed, p.ExitCode(), hasEnded(p.PID()))
		}
	case <-time.After(4 * leaderGrace):
		t.Error("Stop still waits")
	}
	thaw()
	poll(t, "it ends at last", func() bool {
		pid, _ := unix.Wait4(p.PID(), nil, unix.WNOHANG, nil)
		return pid == p.PID()
	})
}

// holdFrom puts a process into the PID namespace of another one and freezes its
// parent, which is outside; thaw undoes that.
func holdFrom(t *testing.T, pid int) (thaw func()) {
	t.Helper()
	enter := exec.CommandContext(t.Context(), "nsenter", "--target", strconv.Itoa(pid), "--pid", "sh", "-c", "echo inside; exec sleep 600")
	// A group of its own: the kernel hangs up one that loses its shell with a frozen
	// member in it, and the tests are in ours.
	enter.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := enter.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := enter.Start(); err != nil {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		t.Skipf("needs nsenter: %v", err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("enter the namespace: %q %v", line, err)
	}
	if err := enter.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := enter.Process.Signal(syscall.SIGCONT); err != nil {
			t.Error(err)
		}
		_ = enter.Wait() // its child was killed
	}
}
