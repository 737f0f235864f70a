package exchange_test

import (
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/retry"
)

func TestAnExchangeIsWithdrawnOnlyBeforeAnInstanceHeardOfIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		at   func(*rig) *client
		want bool
	}{
		{"queued", func(r *rig) *client {
			first := r.get()
			defer first.gone()
			return r.get().waits(exchange.ReasonQueued, time.Second)
		}, true},
		{"waiting for an instance", func(r *rig) *client {
			health(r, balancer.HealthUnknown)
			return r.get().waits(exchange.ReasonStarting, again)
		}, true},
		{"a probe under way", func(r *rig) *client {
			r.update(func(c *exchange.FunctionConfig) { c.Policy.MaxInFlight, c.Policy.Retry.Attempts = 0, 0 })
			probes := halfOpen(r)
			for _, p := range probes[1:] {
				defer p.gone()
			}
			return probes[0]
		}, true},
		{"running", func(r *rig) *client { return r.get().wants(exchange.Attempt) }, true},
		{"backoff", func(r *rig) *client { return r.get().fails(retry.Reset).wants(exchange.Wait) }, false},
		{"retrying", func(r *rig) *client {
			c := r.get().fails(retry.Reset)
			r.now = c.step.Until
			return c.next().wants(exchange.Attempt)
		}, false},
		{"relaying", func(r *rig) *client { return r.get().status(200).wants(exchange.Relay) }, false},
		{"finished", func(r *rig) *client { return r.get().status(200).done(exchange.Outcome{}) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 1, func(c *exchange.FunctionConfig) {
				limited(c)
				patient(c)
				c.Breaker = &breaker.Config{JitterPercent: -1}
			})
			client := c.at(r)
			seen, counted := len(r.seen), r.f.Stats().Reasons[exchange.ReasonClientGone].Load()
			if got := client.x.Withdraw(r.now); got != c.want {
				t.Fatalf("withdrawn: %v, want %v", got, c.want)
			}
			if client.x.Withdraw(r.now) {
				t.Error("it is withdrawn twice, or too late")
			}
			client.end()
			if n := len(r.seen) - seen; c.want && n > 0 || !c.want && n != 1 {
				t.Errorf("%d records", n)
			}
			if n := r.f.Stats().Reasons[exchange.ReasonClientGone].Load() - counted; c.want && n > 0 {
				t.Error("it counts as one whose client left")
			}
			r.idle()
		})
	}
}
