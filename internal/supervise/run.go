package supervise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/child"
)

// linesKept is how much of a child's output is kept for the sentence on why it
// ended.
const linesKept = 20

// Run starts the child and keeps it running until ctx ends; then it stops it
// (SIGTERM, SIGKILL after StopTimeout) and returns nil when it is gone. It may
// be called once. A child that cannot start is retried, and its status says why,
// unless it has one life only.
func (c *Child) Run(ctx context.Context) error {
	if err := c.begin(); err != nil {
		return err
	}
	spawn := child.NewSpawner()
	stopSpawner := spawn.Run()
	defer stopSpawner()
	out := child.NewOutput(linesKept, func(line string) {
		c.config.Logger.LogAttrs(ctx, slog.LevelInfo, "child output", slog.String("child", c.config.Name), slog.String("line", line))
	})
	failures := child.Failures{Backoff: c.config.Backoff, CrashLoop: c.config.CrashLoop}
	for {
		ran, failure := c.live(ctx, spawn, out)
		if ctx.Err() != nil {
			c.set(Stopped, 0, nil, "stopped")
			return nil
		}
		if c.config.Once {
			c.set(Stopped, 0, nil, failure)
			return errors.New(failure)
		}
		c.backOff(ctx, &failures, ran, failure)
		c.mu.Lock()
		c.status.Restarts++
		c.mu.Unlock()
	}
}

func (c *Child) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ran {
		return fmt.Errorf("run %s: it has run already", c.config.Name)
	}
	c.ran = true
	return nil
}

// backOff tells the failure and waits.
func (c *Child) backOff(ctx context.Context, f *child.Failures, ran time.Duration, failure string) {
	wait := f.Add(time.Now(), ran, rand.Float64())
	state, level := Waiting, slog.LevelWarn
	if f.Looping() {
		state, level = CrashLoop, slog.LevelError
		failure = fmt.Sprintf("%d failures in a row, the last one: %s", f.InRow(), failure)
	}
	c.set(state, 0, nil, failure)
	c.config.Logger.LogAttrs(ctx, level, "child failed", slog.String("child", c.config.Name),
		slog.String("state", string(state)), slog.String("reason", failure), slog.Duration("restart_in", wait))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// live starts the child once and watches it until it is gone. ran is how long it
// answered, failure why it ended without being asked to.
func (c *Child) live(ctx context.Context, spawn *child.Spawner, out *child.Output) (ran time.Duration, failure string) {
	c.set(Starting, 0, nil, "starting")
	began := time.Now()
	p, conn, err := c.start(spawn, out)
	if err != nil {
		return 0, err.Error()
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	s := newSession(conn)
	wg.Go(func() { s.run(life) })
	verdict := c.watch(ctx, p, s)
	if ctx.Err() == nil && verdict != "" {
		p.Kill()
	}
	p.Stop(c.config.StopTimeout)
	end()
	wg.Wait()
	ran = time.Since(began)
	failure = cmp.Or(verdict, c.limits.verdict(), "it "+p.DescribeEnd(ran, out.Last()))
	c.limits.remove()
	return ran, failure
}

// start makes the child with its socket and its limits.
func (c *Child) start(spawn *child.Spawner, out *child.Output) (*child.Process, net.Conn, error) {
	path, err := exec.LookPath(c.config.Command[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", c.config.Name, err)
	}
	conn, theirs, err := socketPair()
	if err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", c.config.Name, err)
	}
	defer func() { _ = theirs.Close() }() // the child has its own copy
	cmd := &exec.Cmd{Path: path, Args: c.config.Command, ExtraFiles: []*os.File{theirs}, SysProcAttr: child.Attributes()}
	cmd.Env = append(child.Inheritable(os.Environ()), c.config.Env...)
	done := c.limits.prepare(cmd)
	p, err := child.Start(spawn, cmd, out, c.config.Guard)
	done()
	if err != nil {
		_ = conn.Close()
		c.limits.remove()
		return nil, nil, fmt.Errorf("start %s: %w", c.config.Name, err)
	}
	c.limits.apply(p.PID()) // before the child is greeted, that is, before it does anything
	return p, conn, nil
}

// socketPair returns both ends; the second one is for the child.
func socketPair() (net.Conn, *os.File, error) {
	syscall.ForkLock.RLock() // no other child may inherit them before they are marked
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "child"), os.NewFile(uintptr(fds[1]), "parent")
	conn, err := net.FileConn(ours)
	_ = ours.Close() // conn has its own copy
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("make socket pair: %w", err), theirs.Close())
	}
	return conn, theirs, nil
}

// watch returns when the child is gone, has to go, or ctx ends. verdict says why
// it has to go.
func (c *Child) watch(ctx context.Context, p *child.Process, s *session) (verdict string) {
	beat := time.NewTicker(c.config.Heartbeat.Interval)
	defer beat.Stop()
	look := time.NewTicker(c.limits.interval())
	defer look.Stop()
	patience := time.NewTimer(c.config.StartTimeout)
	defer patience.Stop()
	greeted := s.greeted
	for {
		select {
		case <-ctx.Done():
			return ""
		case <-p.Exited():
			return ""
		case <-s.over: // it closed the socket, or ended
			return c.orphan(ctx, p)
		case <-greeted:
			greeted = nil
			patience.Stop()
			c.set(Running, p.PID(), s, "answers")
			c.config.Logger.LogAttrs(ctx, slog.LevelInfo, "child runs", slog.String("child", c.config.Name),
				slog.Int("pid", p.PID()), slog.String("limits", c.limits.inForce().String()))
		case <-patience.C:
			return fmt.Sprintf("it did not answer within %s of its start", c.config.StartTimeout)
		case <-look.C:
			if over := c.limits.over(p.PID()); over != "" {
				return over
			}
		case now := <-beat.C:
			if silent := s.silence(now); greeted == nil && silent > c.config.Heartbeat.Timeout {
				return fmt.Sprintf("it did not answer for %s and was killed", silent.Round(100*time.Millisecond))
			}
			s.ping()
		}
	}
}

// orphan waits a moment for the end of a child that hung up; one that goes on
// without its parent is of no use.
func (c *Child) orphan(ctx context.Context, p *child.Process) (verdict string) {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-p.Exited():
		return ""
	case <-ctx.Done():
		return ""
	case <-timer.C:
		return "it closed its socket and did not end"
	}
}
