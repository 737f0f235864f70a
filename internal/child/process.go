package child

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// groupPoll is how often a stopping group is looked at: nothing tells when
	// the last process of a group is gone.
	groupPoll = 20 * time.Millisecond
	// pipeGrace is how long output is awaited after the group is gone. Only a
	// descendant that left the group can still hold the pipe then.
	pipeGrace = 500 * time.Millisecond
	// killGrace bounds the wait for processes that SIGKILL does not remove:
	// dead ones nobody reaps, or ones stuck in the kernel.
	killGrace = 2 * time.Second
	// leaderGrace bounds the same wait for the child itself. Until it is over the
	// child keeps its id, so it is generous: much memory takes long to be freed.
	leaderGrace = 10 * time.Second
)

// Process is one started process and the process group it leads. All methods
// are safe for concurrent use.
type Process struct {
	cmd      *exec.Cmd
	pid      int
	end      *os.File      // is readable once the child has ended; nil: the system has no such file
	exited   chan struct{} // closed when child, group and output are done
	stopping atomic.Bool

	mu        sync.Mutex
	groupGone bool      // the group id may belong to somebody else from now on
	killed    bool      // SIGKILL was sent to the group by Stop
	giveUp    time.Time // when the child is not awaited any longer; zero: SIGKILL was not sent
}

// Start starts the command with its output going to out, in the way of
// [Attributes] when the command says nothing else. The child is already
// registered with the guard when it returns. Whoever starts a child must not
// leave before Exited is closed.
func Start(spawn *Spawner, cmd *exec.Cmd, out *Output, g *Guard) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = Attributes()
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open output pipe: %w", err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	err = spawn.start(cmd)
	_ = w.Close() // the child has its own copy
	if err != nil {
		_ = r.Close()
		return nil, err
	}
	c := &Process{cmd: cmd, pid: cmd.Process.Pid, end: endOf(cmd), exited: make(chan struct{})}
	g.add(c.pid)
	go c.wait(r, out, g)
	return c, nil
}

// PID returns the process id, which is also the id of the group.
func (c *Process) PID() int { return c.pid }

// Exited is closed when child, group and output are done.
func (c *Process) Exited() <-chan struct{} { return c.exited }

// wait sees the child off; its owner is whoever called Start.
func (c *Process) wait(r *os.File, out *Output, g *Guard) {
	defer close(c.exited)
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		out.copy(r)
	}()
	if c.awaitLeader() {
		if !c.stopping.Load() {
			// It ended by itself. Helpers it left behind may hold its port. The dead
			// child, not reaped yet, keeps the group id from being used again.
			c.signal(syscall.SIGKILL)
		}
		_ = c.cmd.Wait() // the status is in ProcessState
		c.awaitGroup()
	}
	c.forgetGroup()
	g.remove(c.pid)
	_ = r.SetReadDeadline(time.Now().Add(pipeGrace)) // without deadlines the next line would wait for good
	<-copied
	_ = r.Close()
}

// awaitLeader waits for the child's end and leaves it unreaped: until cmd.Wait
// nobody else gets its process and group id. False: SIGKILL was sent long ago, and
// the kernel cannot end it. It is given up then, and stays until Holdfast ends.
func (c *Process) awaitLeader() bool {
	if c.end != nil {
		ended, err := c.awaitReadable()
		_ = c.end.Close() // nothing is written to it
		if err == nil {
			return ended
		}
	}
	tick := time.NewTicker(groupPoll)
	defer tick.Stop()
	for !hasEnded(c.pid) {
		if c.overdue() {
			return false
		}
		<-tick.C
	}
	return true
}

// awaitReadable is awaitLeader in the runtime's poller: no thread and no timer
// per child. An error: a kernel that cannot poll.
func (c *Process) awaitReadable() (ended bool, err error) {
	raw, err := c.end.SyscallConn()
	if err == nil {
		err = raw.Read(func(uintptr) bool { return hasEnded(c.pid) })
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false, nil
	}
	return true, err //nolint:wrapcheck // only asked whether there is one
}

func (c *Process) overdue() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.giveUp.IsZero() && time.Now().After(c.giveUp)
}

// awaitGroup waits for the rest of the group. Whoever stops the child kills it
// in the end, after which the wait is bounded.
func (c *Process) awaitGroup() {
	tick := time.NewTicker(groupPoll)
	defer tick.Stop()
	var deadline time.Time
	for !c.groupEmpty() {
		if deadline.IsZero() && (c.wasKilled() || !c.stopping.Load()) {
			deadline = time.Now().Add(killGrace)
		}
		if !deadline.IsZero() && time.Now().After(deadline) {
			break
		}
		<-tick.C
	}
}

// forgetGroup keeps signals from whoever has the group id next.
func (c *Process) forgetGroup() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.groupGone = true
}

func (c *Process) groupEmpty() bool {
	reapGroup(c.pid)
	return errors.Is(syscall.Kill(-c.pid, 0), syscall.ESRCH)
}

// Kill ends the group at once. The end then counts as one of its own accord.
func (c *Process) Kill() { c.signal(syscall.SIGKILL) }

// signal reaches the whole group, unless it is gone.
func (c *Process) signal(sig syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.groupGone {
		return
	}
	_ = syscall.Kill(-c.pid, sig) // the only likely error is that nobody is left
	if sig == syscall.SIGKILL && c.giveUp.IsZero() {
		c.giveUp = time.Now().Add(leaderGrace)
		if c.end != nil {
			_ = c.end.SetReadDeadline(c.giveUp) // a file that cannot have one is not used
		}
	}
}

func (c *Process) wasKilled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.killed
}

// Gone says whether child and group are gone.
func (c *Process) Gone() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// Stop ends the group: SIGTERM, and SIGKILL after the timeout, which it
// reports. It returns when all is gone, or what is left is given up; for a child
// that is gone, at once.
func (c *Process) Stop(timeout time.Duration) (killed bool) {
	if c.Gone() {
		return false
	}
	c.stopping.Store(true)
	c.signal(syscall.SIGTERM)
	c.signal(syscall.SIGCONT) // a frozen process acts on nothing but SIGKILL
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-c.exited:
		return false
	case <-timer.C:
	}
	c.mu.Lock()
	c.killed = true
	c.mu.Unlock()
	c.signal(syscall.SIGKILL)
	<-c.exited
	return true
}

// ExitCode is the code of a child that is gone, -1 when a signal ended it or
// nothing could.
func (c *Process) ExitCode() int { return c.cmd.ProcessState.ExitCode() }

// DescribeEnd says how a child that is gone ended by itself, as the part of a
// sentence that follows its name.
func (c *Process) DescribeEnd(ran time.Duration, lastLine string) string {
	how := "ended"
	if status, ok := c.waitStatus(); ok {
		switch {
		case status.Signaled() && status.Signal() == syscall.SIGKILL:
			how = "was killed from outside (SIGKILL; out of memory?)"
		case status.Signaled():
			how = fmt.Sprintf("was ended by signal %d (%s)", int(status.Signal()), status.Signal())
		default:
			how = fmt.Sprintf("exited with code %d", status.ExitStatus())
		}
	}
	how += " after " + roundTime(ran)
	if lastLine != "" {
		how += fmt.Sprintf("; its last output: %q", lastLine)
	}
	return how
}

// waitStatus has none when the child was given up, or somebody else in this
// process reaped it.
func (c *Process) waitStatus() (syscall.WaitStatus, bool) {
	if c.cmd.ProcessState == nil {
		return 0, false
	}
	status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return status, ok
}

func roundTime(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
