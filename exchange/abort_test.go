package exchange_test

import (
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/retry"
)

func TestGivingUpLeaksNothing(t *testing.T) {
	t.Parallel()
	full := func(c *exchange.FunctionConfig) {
		limited(c)
		patient(c)
		c.Breaker = &breaker.Config{JitterPercent: -1}
	}
	for name, at := range map[string]func(*rig) *client{
		"queued": func(r *rig) *client {
			first := r.get()
			c := r.get().waits(exchange.ReasonQueued, time.Second)
			defer first.gone()
			return c
		},
		"waiting for an instance": func(r *rig) *client {
			health(r, balancer.HealthUnknown)
			return r.get().waits(exchange.ReasonStarting, again)
		},
		"waiting for a probe": func(r *rig) *client {
			r.update(func(c *exchange.FunctionConfig) { c.Policy.MaxInFlight, c.Policy.Retry.Attempts = 0, 0 })
			for _, p := range halfOpen(r) {
				defer p.gone()
			}
			return r.get().waits(exchange.ReasonHalfOpen, again)
		},
		"backoff": func(r *rig) *client { return r.get().fails(retry.Reset).wants(exchange.Wait) },
		"running": func(r *rig) *client { return r.get().wants(exchange.Attempt) },
		"retrying": func(r *rig) *client {
			c := r.get().fails(retry.Reset)
			r.now = c.step.Until
			return c.next().wants(exchange.Attempt)
		},
		"relaying": func(r *rig) *client { return r.get().status(200).wants(exchange.Relay) },
		"stream": func(r *rig) *client {
			return r.get().head(exchange.Head{Status: 101, Long: true}).wants(exchange.Relay)
		},
		"finished": func(r *rig) *client { return r.get().status(200).done(exchange.Outcome{}) },
		"answered": func(r *rig) *client {
			r.f.Breaker().ForceOpen("test", r.now)
			return r.get().answers(exchange.ReasonBreakerOpen, 503)
		},
	} {
		for how, leave := range map[string]func(*client){
			"Abort, End":       func(c *client) { c.gone() },
			"Abort twice, End": func(c *client) { c.x.Abort(c.now); c.gone() },
			"End alone":        func(c *client) { c.end() },
			"End twice":        func(c *client) { c.end().end().x.Abort(c.now) },
			"Begin without End": func(c *client) {
				c.f.Breaker().Reset("test", c.now)
				health(c.rig, balancer.HealthUp)
				c.again(exchange.Request{}).gone()
			},
		} {
			t.Run(name+": "+how, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, 1, full)
				c := at(r)
				leave(c)
				r.pass(time.Minute)
				c.next().wants(exchange.Finished)
				r.idle()
			})
		}
	}
}

func TestReportsOnAnAttemptThatIsOverChangeNothing(t *testing.T) {
	t.Parallel()
	t.Run("a head after its timeout", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 2, nil)
		c := r.get()
		c.fails(retry.Timeout).wants(exchange.Attempt)
		if step := c.x.Head(0, exchange.Head{Status: 200}, r.now); step.Do != exchange.Finished {
			t.Errorf("a late head gets %s", step.Do)
		}
		if step := c.x.Done(0, exchange.Outcome{}, r.now); step.Do != exchange.Finished {
			t.Errorf("a late end gets %s", step.Do)
		}
		if n := r.f.InFlight(); n != 1 {
			t.Errorf("%d in flight, want 1", n)
		}
		c.finish()
		if a := c.rec().Attempts[0]; a.Status != 0 || a.Kind != retry.Timeout {
			t.Errorf("the late head was noted: %d, %s", a.Status, a.Kind)
		}
		r.idle()
	})
	t.Run("everything twice", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 2, nil)
		c := r.get().status(200).wants(exchange.Relay)
		if step := c.x.Head(0, exchange.Head{Status: 500}, r.now); step.Do != exchange.Finished {
			t.Errorf("a second head gets %s", step.Do)
		}
		c.done(exchange.Outcome{Bytes: 5}).done(exchange.Outcome{Bytes: 6}).wants(exchange.Finished)
		c.x.Abort(r.now)
		c.end().end()
		if rec := c.rec(); rec.Bytes != 5 || rec.Status != 200 || rec.Reason != exchange.ReasonNone || len(r.seen) != 1 {
			t.Errorf("%d bytes, status %d, %s, %d records", rec.Bytes, rec.Status, rec.Reason, len(r.seen))
		}
		r.idle()
	})
	t.Run("nothing begun", func(t *testing.T) {
		t.Parallel()
		var x exchange.Exchange
		x.Abort(start)
		x.End(start)
		for _, do := range []exchange.Do{
			x.Next(start).Do, x.Head(0, exchange.Head{}, start).Do, x.Done(0, exchange.Outcome{}, start).Do, x.Done(-1, exchange.Outcome{}, start).Do,
		} {
			if do != exchange.Finished {
				t.Errorf("step is %s, want finished", do)
			}
		}
	})
}

func TestWhoGoesWhileRelayedIsNotedWithTheStatusItSaw(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	r.get().status(200).gone()
	r.get().gone()
	if a, b := r.seen[0], r.seen[1]; a.Status != 200 || b.Status != 499 || a.Reason != exchange.ReasonClientGone || b.Reason != exchange.ReasonClientGone {
		t.Errorf("%d (%s) and %d (%s)", a.Status, a.Reason, b.Status, b.Reason)
	}
}
