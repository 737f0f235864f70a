package loadtest

import (
	"context"
	"time"
)

// closed runs users that send one request after the other, as many at a time as the curve says.
func (r *run) closed(ctx context.Context) error {
	for n := range int(r.plan.curve.Peak() + 0.5) {
		w, err := r.newWorker(n)
		if err != nil {
			return err
		}
		r.workers.Go(func() {
			defer w.user.Close()
			w.loop(ctx)
		})
	}
	return nil
}

// loop is a user's life. User n takes part while the curve is above n.
func (w *worker) loop(ctx context.Context) {
	end := w.run.plan.curve.Duration()
	for {
		now := time.Since(w.run.origin)
		switch {
		case now >= end || ctx.Err() != nil:
			return
		case w.run.plan.curve.Rate(now) <= float64(w.shot.User):
			wanted, ok := w.run.plan.curve.Above(float64(w.shot.User), now)
			if !ok {
				return
			}
			sleep(ctx, max(wanted-now, time.Microsecond))
			continue
		case w.pause > 0:
			sleep(ctx, min(w.pause, end-now))
			w.pause = 0
			continue
		}
		seq := w.run.seq.Add(1) - 1
		if w.run.config.Requests > 0 && seq >= w.run.config.Requests {
			return
		}
		w.aim(seq, now)
		w.shot.Dispatched = now
		w.do(ctx)
		w.rest()
	}
}

// rest says how long the user waits before the next request: not at all, unless the target asked for it, or cannot be
// reached, which would otherwise be found out a hundred thousand times a second.
func (w *worker) rest() {
	if w.shot.Class.unconnected() {
		w.pause = min(10*time.Millisecond<<min(w.fails, 7), time.Second)
		w.fails++
		return
	}
	w.fails = 0
	if w.run.config.Polite {
		w.pause = min(w.shot.RetryAfter, maxPause)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
