package loadtest

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// worker is the goroutine of a user.
type worker struct {
	run    *run
	user   User
	sender Sender // the user, when it is one
	shot   Shot
	wake   chan struct{} // open runs: a request was put into shot; closed: there will be none

	// due is when the request under way is to be interrupted, 0 when none is, and claimed while that happens.
	due   atomic.Int64
	until int64         // what due was set to
	begun bool          // due is set, for the request in shot
	freed chan struct{} // the interruption is over
	cause Class         // of the interruption
	pause time.Duration // closed runs: before the next request
	fails int           // in a row, without a connection
}

const claimed = -1

// start has the request in w.shot sent: here, when the user can have that, or by the worker, which is woken for it. To
// wake a goroutine costs more than the request: the scheduler wakes a thread for it, which looks around for more work.
func (w *worker) start() {
	if w.sender != nil {
		w.shot.Dispatched = w.shot.Now()
		w.begin()
		if w.sender.Send(&w.shot) {
			return
		}
		w.retract()
	}
	w.wake <- struct{}{}
}

// retract takes back what begin said of a request that Send did not send. The worker may take long to wake up, and an
// interruption meanwhile would be lost on a Do that starts afresh and then has no end.
func (w *worker) retract() {
	if !w.due.CompareAndSwap(w.until, 0) {
		<-w.freed // it is over already
	}
	w.begun = false
	w.run.inFlight.Add(-1)
}

// await waits for a request; false: there will be none.
func (w *worker) await() bool {
	if w.sender != nil && w.sender.StandBy() {
		return true
	}
	_, more := <-w.wake
	w.shot.Dispatched = time.Since(w.run.origin)
	return more
}

// dismiss ends await. The worker is idle, or about to be, and gets nothing more.
func (w *worker) dismiss() {
	close(w.wake)
	if w.sender != nil {
		w.sender.Dismiss()
	}
}

// begin lets the sweeper know of the request in w.shot.
func (w *worker) begin() {
	w.until = int64(w.shot.Dispatched + w.run.config.Timeout)
	w.begun = true
	w.run.inFlight.Add(1)
	w.due.Store(w.until)
}

// do sends the request in w.shot, or what is left to do of it, and counts it.
func (w *worker) do(ctx context.Context) {
	s := &w.shot
	if !w.begun {
		w.begin()
	}
	w.user.Do(ctx, s)
	w.begun = false
	if !w.due.CompareAndSwap(w.until, 0) {
		<-w.freed // the sweeper was faster
		if s.Class != OK {
			s.Class, s.Err = w.cause, w.run.overdue
		}
	}
	if s.Class.Failure() && ctx.Err() != nil {
		s.Class = Interrupted // by the end of ctx, before the sweeper came to it
	}
	if s.Done == 0 {
		s.Done = s.Now()
	}
	w.run.inFlight.Add(-1)
	if s.Err != nil {
		w.run.sample(s)
	}
	w.run.recorder.record(s)
}

// aim readies w.shot for a new request.
func (w *worker) aim(seq int64, planned time.Duration) {
	w.shot = Shot{Seq: seq, User: w.shot.User, Planned: planned, origin: w.run.origin, seed: w.run.config.Seed}
	w.run.plan.aim(&w.shot)
}

// sweeper ends requests that take too long. One goroutine looks at all of them now and then, because a timer for each
// request would cost more than sending it.
type sweeper struct {
	mu      sync.Mutex
	workers []*worker
}

func (s *sweeper) add(w *worker) {
	s.mu.Lock()
	s.workers = append(s.workers, w)
	s.mu.Unlock()
}

func (s *sweeper) all() []*worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.workers // only ever appended to
}

// run sweeps until done is closed. When ctx ends it interrupts all.
func (s *sweeper) run(ctx context.Context, r *run, done <-chan struct{}) {
	ticker := time.NewTicker(min(max(r.config.Timeout/64, time.Millisecond), 50*time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		stopped := ctx.Err() != nil
		now := int64(time.Since(r.origin))
		for _, w := range s.all() {
			due := w.due.Load()
			if due <= 0 || due > now && !stopped || !w.due.CompareAndSwap(due, claimed) {
				continue
			}
			w.cause = Timeout
			if due > now {
				w.cause = Interrupted
			}
			w.user.Interrupt()
			w.freed <- struct{}{}
		}
	}
}
