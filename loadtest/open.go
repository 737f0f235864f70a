package loadtest

import (
	"context"
	"sync"
	"time"

	"holdfast/loadtest/schedule"
)

// dispatcher hands requests to workers when they are due. Its backlog is no queue: it is the part of the schedule from
// next to now.
//
//	schedule ─► due? ─► somebody idle: sent by the pacer, where the user can have that, and handed over
//	                └─► room for one more: handed over
//	                └─► nobody: the first worker that is done takes it
//	                └─► nobody for MaxWait: NotSent
type dispatcher struct {
	run *run

	mu       sync.Mutex // guards what follows
	arrivals *schedule.Arrivals
	next     time.Duration // when the next request is due
	more     bool          // there is one
	seq      int64
	idle     []*worker // last in, first out: connections in use stay warm
	made     int
	// From full to free, all of MaxInFlight were busy. While they are, full is set and free is behind it.
	full, free time.Duration
	busy       bool
	theirs     bool          // the backlog is the target's
	gate       time.Duration // no request that is late leaves before
	hold       time.Duration // Polite: what is due before is not sent
	over       bool
	scale      float64 // by Throttle
}

// late is how far behind its time a request may be without counting as a backlog that CatchUp slows down.
const late = 20 * time.Millisecond

// credit is how much of a pause of the pacer a backlog may make good at once.
const credit = 10 * time.Millisecond

func newDispatcher(r *run) *dispatcher {
	d := &dispatcher{run: r, scale: 1, arrivals: schedule.NewArrivals(r.plan.curve, r.config.Spacing, r.config.Seed)}
	d.next, d.more = d.arrivals.Next()
	return d
}

// pace hands requests over until the schedule ends and nothing waits, or ctx does.
func (d *dispatcher) pace(ctx context.Context) error {
	p := newPacer(d.run.config.Pacing)
	defer p.close()
	defer p.until(ctx)()
	for ctx.Err() == nil {
		w, wait, err := d.release(ctx)
		switch {
		case err != nil || wait < 0:
			return err
		case w != nil:
			w.start()
		default:
			p.sleep(ctx, wait)
		}
	}
	return nil
}

// quantum is the least the pacer waits. Above 4,000 requests a second those of a quantum leave together; the lag of each
// is recorded.
const quantum = 250 * time.Microsecond

// release finds a worker for the next request that is due. Without one it says how long to wait until there is more to do,
// or -1 when there is no more.
func (d *dispatcher) release(ctx context.Context) (*worker, time.Duration, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Since(d.run.origin)
	d.expire(now)
	if d.ready(now) {
		w, err := d.spare(ctx)
		if err != nil {
			return nil, 0, err
		}
		if w != nil {
			d.assign(w, now)
			d.noteBusy(now)
			return w, 0, nil
		}
	}
	switch {
	case !d.more:
		return nil, -1, nil
	case d.next > now:
		return nil, max(d.next-now, quantum), nil
	case d.gate > now && !d.busy:
		return nil, max(d.gate-now, quantum), nil
	}
	return nil, min(d.run.config.MaxWait/16+quantum, credit/2), nil // workers take it; only expiry is left to do
}

// ready says whether the next request may leave.
func (d *dispatcher) ready(now time.Duration) bool {
	return d.more && d.next <= now && (now-d.next < late || d.gate <= now)
}

// spare is a worker that has nothing to do, or nil.
func (d *dispatcher) spare(ctx context.Context) (*worker, error) {
	if n := len(d.idle); n > 0 {
		w := d.idle[n-1]
		d.idle = d.idle[:n-1]
		return w, nil
	}
	if d.made == d.run.config.MaxInFlight {
		return nil, nil //nolint:nilnil // nobody is free, which is no error
	}
	w, err := d.run.newWorker(d.made)
	if err != nil {
		return nil, err
	}
	d.made++
	d.run.workers.Go(func() {
		defer w.user.Close()
		for w.await() {
			w.do(ctx)
			for d.another(w) {
				w.shot.Dispatched = time.Since(d.run.origin)
				w.do(ctx)
			}
		}
	})
	return w, nil
}

// another gives a worker that is done the next request, if one waits; otherwise the worker is idle.
func (d *dispatcher) another(w *worker) bool {
	now := w.shot.Done
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.run.config.Polite && w.shot.RetryAfter > 0 {
		d.hold = max(d.hold, now+min(w.shot.RetryAfter, maxPause))
	}
	d.expire(now)
	if d.ready(now) {
		d.assign(w, now)
		return true
	}
	if d.over {
		w.dismiss()
		return false
	}
	if d.busy {
		d.busy, d.free = false, now
	}
	d.idle = append(d.idle, w)
	return false
}

// assign puts the next request into w and splits its lag: what lies in the time when all were busy is the target's.
func (d *dispatcher) assign(w *worker, now time.Duration) {
	planned := d.next
	w.aim(d.seq, planned)
	behind := now-planned >= late
	// A backlog that began when nobody was free stays the target's until it is gone, also while the gate slows it down.
	d.theirs = d.busy || d.free > planned || behind && d.theirs
	if d.theirs {
		until := now
		if !d.busy && !behind {
			until = d.free
		}
		w.shot.wait = max(until-max(planned, d.full), 0)
	}
	if behind {
		rate := d.scale * d.run.plan.curve.Rate(planned) * d.run.config.CatchUp
		d.gate = max(d.gate, now-credit) + time.Duration(1e9/max(rate, 1))
	}
	d.advance()
}

// noteBusy remembers since when nobody is free.
func (d *dispatcher) noteBusy(now time.Duration) {
	if len(d.idle) == 0 && d.made == d.run.config.MaxInFlight && !d.busy {
		d.busy, d.full = true, now
	}
}

func (d *dispatcher) advance() {
	d.seq++
	d.run.seq.Store(d.seq)
	if f := d.run.config.Throttle.Factor(); f != d.scale && d.run.plan.demand.change(Change{At: d.next, Factor: f}) {
		d.scale = f
		d.arrivals.Scale(f)
	}
	d.next, d.more = d.arrivals.Next()
}

// expire counts requests that waited too long, and those the target asked not to send.
func (d *dispatcher) expire(now time.Duration) {
	for d.more && d.next <= now && (now-d.next >= d.run.config.MaxWait || d.next < d.hold) {
		s := Shot{Seq: d.seq, Planned: d.next, Done: now, Class: NotSent, origin: d.run.origin}
		d.run.plan.aim(&s)
		d.run.recorder.record(&s)
		d.advance()
	}
}

// stop sends idle workers home and tells the others to go when they are done. What is still due is NotSent, unless the
// run was stopped: then nobody can say what would have become of it.
func (d *dispatcher) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over, d.more = true, false
	for _, w := range d.idle {
		w.dismiss()
	}
	d.idle = nil
}
