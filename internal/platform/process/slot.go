package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"holdfast/internal/child"
	"holdfast/internal/platform"
)

// slot is one instance: an id, a port and the lives lived there. Its goroutine
// (run) alone changes the instance; others ask through retire and cancel.
type slot struct {
	d      *Driver
	id     string
	out    *child.Output
	file   *lineFile
	cancel context.CancelFunc // ends the instance for good
	done   chan struct{}      // closed when it is gone from the driver

	// Owned by run.
	port     int
	hold     io.Closer // keeps the port from other drivers
	failures child.Failures

	mu       sync.Mutex // guards what follows
	view     platform.Instance
	life     *life
	spare    bool          // it waits to become an instance
	promoted chan struct{} // closed when it does
	begun    time.Time     // when it was made, until it is ready; zero: it has been
	wanted   time.Time     // when a spare was promoted, until it is an instance; zero otherwise
	leaving  bool          // retired for good: no restart
	ending   bool          // too late to call that off
	callOff  func()        // ends the drain before it leaves; nil: there is none
	partings int           // how often it was to leave
	changed  chan struct{} // closed and replaced on each change
}

// life is one child, from before its start to the end of the wait after it.
type life struct {
	end     context.CancelFunc // stops the child or cuts the wait short
	over    chan struct{}      // closed when the child is gone
	settled chan struct{}      // closed when the start succeeded or failed
	failure string             // why it failed; set before settled is closed
	next    chan *life         // receives the life after this one

	// Guarded by the slot's mu.
	reason  string        // why it was retired, "" is not retired
	retired chan struct{} // closed: give it no more traffic, its end is near
	kept    chan struct{} // closed: it is wanted again, and retired is another one
	serves  bool          // it was ready, and its child is there
}

func newSlot(d *Driver, id string, spare bool, cancel context.CancelFunc) *slot {
	file := d.file
	if file == nil {
		file = newLineFile(id, d.spec.Output, d.log)
	}
	now := time.Now()
	return &slot{
		d: d, id: id, cancel: cancel,
		out: child.NewOutput(d.spec.Output.Lines, func(line string) {
			file.write(id, line)
			if d.cfg.Output != nil {
				d.cfg.Output(id, line)
			}
		}),
		file:     file,
		done:     make(chan struct{}),
		failures: child.Failures{Backoff: d.spec.Backoff, CrashLoop: d.spec.CrashLoop},
		view:     platform.Instance{ID: id, State: platform.Starting, Since: now, Spare: spare},
		spare:    spare,
		promoted: make(chan struct{}),
		begun:    now,
		changed:  make(chan struct{}),
	}
}

// begin opens a life. It does not when ctx ended or the slot was told to leave;
// run ends then.
func (s *slot) begin(ctx context.Context) (context.Context, bool) {
	ctx, end := context.WithCancel(ctx)
	l := &life{
		end: end, next: make(chan *life, 1),
		retired: make(chan struct{}), kept: make(chan struct{}), over: make(chan struct{}), settled: make(chan struct{}),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life != nil {
		if s.leaving || ctx.Err() != nil {
			s.ending = true
			end()
			return ctx, false
		}
		s.life.next <- l
		s.view.Restarts++
	}
	s.life = l
	return ctx, true
}

// run lives one life after the other until ctx ends or the slot leaves. The
// first one was begun already, so that it can be retired before run gets to it.
func (s *slot) run(ctx, life context.Context) {
	defer s.file.close()
	defer s.releasePort()
	for more := ctx.Err() == nil; more; {
		l := s.current()
		ran, failure := s.live(life, l)
		l.settle(cmp.Or(failure, "stopped before it was ready"))
		s.endService(l)
		close(l.over)
		if failure != "" && !s.isRetired(l) {
			s.backOff(life, ran, failure)
		}
		l.end()
		life, more = s.begin(ctx) //nolint:fatcontext // each life derives from the slot's ctx, not from the life before
	}
	s.current().end()
	s.set(func(i *platform.Instance) { i.State, i.PID, i.Reason = platform.Stopped, 0, "stopped" })
}

// settle may be called twice by run's goroutine; the first word counts.
func (l *life) settle(failure string) {
	select {
	case <-l.settled:
	default:
		l.failure = failure
		close(l.settled)
	}
}

// live starts a child and watches it until it is gone. failure is one sentence
// when it ended, or never came up, without being asked to; ran is how long it
// was ready.
func (s *slot) live(ctx context.Context, l *life) (ran time.Duration, failure string) {
	s.announceStart()
	c, err := s.start(ctx)
	if err != nil && ctx.Err() != nil {
		return 0, ""
	}
	if err != nil {
		return 0, err.Error()
	}
	s.set(func(i *platform.Instance) { i.PID = c.PID() })
	failure = s.awaitReady(ctx, c)
	if failure == "" && s.setRunning(ctx, l) {
		since := time.Now()
		l.settle("")
		s.watch(ctx, c, l)
		ran = time.Since(since)
		if ctx.Err() == nil {
			failure = c.DescribeEnd(ran, s.out.Last())
		}
	}
	s.stopChild(ctx, c)
	return ran, failure
}

// announceStart says Starting, but lets a crash loop stand until it is over.
func (s *slot) announceStart() {
	s.set(func(i *platform.Instance) {
		i.PID = 0
		if i.State != platform.CrashLoop {
			i.State, i.Reason = platform.Starting, "waiting for its port to accept a connection"
		}
	})
}

// start finds a port and starts the child on it.
func (s *slot) start(ctx context.Context) (*child.Process, error) {
	if err := s.takePort(ctx); err != nil {
		return nil, err
	}
	cmd, err := s.d.spec.command(s.id, s.port, s.d.cfg.Environ)
	if err != nil {
		return nil, err
	}
	c, err := child.Start(s.d.spawn, cmd, s.out, s.d.guard)
	if err != nil {
		return nil, startError(cmd, err)
	}
	s.d.log.LogAttrs(ctx, slog.LevelInfo, "instance started",
		slog.String("instance", s.id), slog.Int("pid", c.PID()), slog.Int("port", s.port))
	return c, nil
}

func (s *slot) takePort(ctx context.Context) error {
	if s.port != 0 && portFree(ctx, s.port) {
		return nil
	}
	port, hold, err := s.d.ports.take(ctx)
	if err != nil {
		return err
	}
	s.releasePort()
	s.port, s.hold = port, hold
	s.set(func(i *platform.Instance) { i.Endpoint = fmt.Sprintf("http://127.0.0.1:%d", port) })
	return nil
}

func (s *slot) releasePort() {
	if s.hold != nil {
		_ = s.hold.Close() // a socket that was only bound: nothing can be lost
	}
	s.hold = nil
}

// watch waits for the child's end or the life's, and tells when it retires and
// when that is called off.
func (s *slot) watch(ctx context.Context, c *child.Process, l *life) {
	promoted := s.promoted
	for {
		retired, _ := s.turns(l)
		select {
		case <-c.Exited():
			return
		case <-ctx.Done():
			return
		case <-promoted:
			promoted = nil
			s.set(func(i *platform.Instance) {
				if i.Spare {
					i.Reason = "accepts connections, was a warm spare until now"
				}
			})
			continue
		case <-retired:
		}
		_, kept := s.turns(l)
		s.set(func(i *platform.Instance) {
			if l.reason != "" {
				i.State, i.Reason = platform.Stopping, l.reason
			}
		})
		select {
		case <-c.Exited():
			return
		case <-ctx.Done():
			return
		case <-kept:
		}
		s.setRunning(ctx, l)
	}
}

// turns are the channels of the life's next retirement, or of the present one.
func (s *slot) turns(l *life) (retired, kept <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.retired, l.kept
}

// stopChild returns when the child and its group are gone.
func (s *slot) stopChild(ctx context.Context, c *child.Process) {
	if ctx.Err() != nil && !c.Gone() {
		s.set(func(i *platform.Instance) {
			if i.State != platform.Stopping {
				i.State, i.Reason = platform.Stopping, "asked to stop"
			}
		})
	}
	if c.Stop(s.d.spec.StopTimeout) {
		s.d.log.LogAttrs(ctx, slog.LevelWarn, "instance killed: it did not end after SIGTERM",
			slog.String("instance", s.id), slog.Int("pid", c.PID()), slog.Duration("stop_timeout", s.d.spec.StopTimeout))
	}
}

// backOff tells the failure and waits before the next life.
func (s *slot) backOff(ctx context.Context, ran time.Duration, failure string) {
	wait := s.failures.Add(time.Now(), ran, rand.Float64())
	state, level := platform.Gone, slog.LevelWarn
	if s.failures.Looping() {
		state, level = platform.CrashLoop, slog.LevelError
		failure = fmt.Sprintf("%d failures in a row, the last one: %s", s.failures.InRow(), failure)
	}
	s.set(func(i *platform.Instance) { i.State, i.PID, i.Reason = state, 0, failure })
	s.d.log.LogAttrs(ctx, level, "instance failed", slog.String("instance", s.id),
		slog.String("state", state.String()), slog.String("reason", failure), slog.Duration("restart_in", wait))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// retire tells the present life that its end is near, and with leaving that it
// was the last, which callOff takes back. running says whether it takes traffic
// and should be drained.
func (s *slot) retire(leaving bool, reason string, callOff func()) (l *life, running bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if leaving {
		s.leaving, s.callOff = true, callOff
		s.partings++
	}
	if s.life.reason == "" {
		s.life.reason, s.life.kept = reason, make(chan struct{})
		close(s.life.retired)
	}
	return s.life, s.life.serves
}

// keep calls off that the slot leaves; false: its end has begun.
func (s *slot) keep() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending || s.callOff == nil {
		return false
	}
	s.leaving = false
	s.callOff()
	return true
}

// departs says, after the drain, whether the slot leaves for good. If it was
// called off, its life goes on: not earlier, so that nobody drains it any more.
// If it is to leave once more, that parting decides.
func (s *slot) departs(p parting, l *life) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.partings != p.nth {
		return false
	}
	s.callOff = nil
	if s.leaving {
		s.ending = true
		return true
	}
	l.reason, l.retired = "", make(chan struct{})
	close(l.kept)
	return false
}

// endService notes that nobody is left to drain.
func (s *slot) endService(l *life) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.serves = false
}

func (s *slot) isLeaving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaving
}

// isWanted says whether the end of a life was called off.
func (s *slot) isWanted(l *life) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.leaving && s.life == l && s.callOff != nil
}

// parting is how others see the slot leave.
func (s *slot) parting() parting {
	s.mu.Lock()
	defer s.mu.Unlock()
	return parting{s.id, s.partings, s.done, s.life.kept}
}

func (s *slot) current() *life {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.life
}

func (s *slot) isRetired(l *life) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.reason != ""
}

func (s *slot) instance() platform.Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.view
	i.Spare = s.spare // a promotion counts before it is told
	return i
}

// setRunning refuses when the life was retired or ended meanwhile: whoever
// retired it saw that there is nothing to drain.
func (s *slot) setRunning(ctx context.Context, l *life) (ok bool) {
	s.set(func(i *platform.Instance) {
		if ok = l.reason == "" && ctx.Err() == nil; ok {
			i.State, i.Reason, l.serves = platform.Running, "accepts connections", true
		}
	})
	return ok
}

// set changes the instance and tells everybody. Only run's goroutine calls it,
// which keeps the changes in order.
func (s *slot) set(change func(*platform.Instance)) {
	s.mu.Lock()
	before := s.view
	change(&s.view)
	s.view.Spare = s.spare
	if s.view.State != before.State || s.view.Spare != before.Spare {
		s.view.Since = time.Now()
	}
	now := s.view
	s.noteBootsLocked()
	if now == before {
		s.mu.Unlock()
		return
	}
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	if s.d.cfg.OnChange != nil {
		s.d.cfg.OnChange(now)
	}
}

// await waits until the instance is as wanted; an error when it, or ctx, ends.
func (s *slot) await(ctx context.Context, want func(platform.Instance) bool) error {
	for {
		s.mu.Lock()
		view, changed := s.view, s.changed
		s.mu.Unlock()
		if want(view) {
			return nil
		}
		select {
		case <-changed:
		case <-s.done:
			return ErrEnded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// awaitNext waits for the result of the start that follows the life.
func (s *slot) awaitNext(ctx context.Context, l *life) error {
	var next *life
	select {
	case next = <-l.next:
	case <-s.done:
		return ErrEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-next.settled:
	case <-ctx.Done():
		return ctx.Err()
	}
	if next.failure != "" {
		return errors.New(next.failure)
	}
	return nil
}
