package sysfault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

const (
	freezeWait = 2 * time.Second
	lookPause  = time.Millisecond
)

func (f Freeze) plan(string) (undo, error) {
	list, err := f.Target.members()
	if err != nil {
		return undo{}, fmt.Errorf("inject %s: %w", f, err)
	}
	if err := mayControl(f, f.Target); err != nil {
		return undo{}, err
	}
	u := undo{Kind: undoThaw, Processes: processesOf(list)}
	if f.Target.Group {
		u.Group = f.Target.PID
	}
	return u, nil
}

// inject returns when all have stopped.
func (f Freeze) inject(ctx context.Context, _ undo) error {
	if err := syscall.Kill(f.Target.signalled(), syscall.SIGSTOP); err != nil {
		return fmt.Errorf("inject %s: %w", f, err)
	}
	stopped := func() bool {
		list, err := f.Target.members()
		return err == nil && !slices.ContainsFunc(list, func(s status) bool { return s.state != 'T' && s.state != 't' })
	}
	if !waitFor(ctx.Done(), freezeWait, stopped) {
		return fmt.Errorf("inject %s: it has not stopped after %s", f, freezeWait)
	}
	return nil
}

// waitFor polls what the kernel tells nobody by itself, for so long at most or until done is closed.
func waitFor(done <-chan struct{}, most time.Duration, is func() bool) bool {
	limit := time.NewTimer(most)
	defer limit.Stop()
	ticker := time.NewTicker(lookPause)
	defer ticker.Stop()
	for !is() {
		select {
		case <-done:
			return false
		case <-limit.C:
			return false
		case <-ticker.C:
		}
	}
	return true
}

// thaw continues the processes that were meant. A group's id is not given away while it has members, so that the group is
// another only when its first process is.
func (u undo) thaw() error {
	if u.Group == 0 {
		for _, p := range u.Processes {
			if err := p.resume(p.PID); err != nil {
				return err
			}
		}
		return nil
	}
	leader, err := look(u.Group)
	first := slices.IndexFunc(u.Processes, func(p process) bool { return p.PID == u.Group })
	if err == nil && first >= 0 && leader.Start != u.Processes[first].Start {
		return nil
	}
	return gone(syscall.Kill(-u.Group, syscall.SIGCONT))
}

func (p process) resume(pid int) error {
	if !p.alive() {
		return nil
	}
	return gone(syscall.Kill(pid, syscall.SIGCONT))
}

// gone takes it for success that there is nobody any more.
func gone(err error) error {
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// mayControl finds out whether this program may signal a target.
func mayControl(f Fault, t Target) error {
	switch err := syscall.Kill(t.signalled(), 0); {
	case errors.Is(err, syscall.EPERM):
		return unsupported(f, "this program may not signal it")
	case err != nil:
		return fmt.Errorf("inject %s: %w", f, err)
	}
	return nil
}

func (f Kill) plan(string) (undo, error) {
	if _, err := f.Target.members(); err != nil {
		return undo{}, fmt.Errorf("inject %s: %w", f, err)
	}
	return undo{}, mayControl(f, f.Target)
}

func (f Kill) inject(context.Context, undo) error {
	if err := syscall.Kill(f.Target.signalled(), f.signal()); err != nil {
		return fmt.Errorf("inject %s: %w", f, err)
	}
	return nil
}
