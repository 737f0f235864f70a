package exchange_test

import (
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
)

// cold is a function that may have no instance, and counts who asks for one.
func cold(t *testing.T) (r *rig, asked *int) {
	t.Helper()
	asked = new(int)
	r = newRig(t, 0, func(c *exchange.FunctionConfig) {
		patient(c)
		c.Policy.Managed, c.Policy.ColdStart = true, 10*time.Second
		c.Wanted = func() { *asked++ }
	})
	return r, asked
}

func TestRequestsWithoutInstanceAskForOneOnceAndAreReleasedByIt(t *testing.T) {
	t.Parallel()
	r, asked := cold(t)
	var held []*client
	for range 100 {
		held = append(held, r.get().waits(exchange.ReasonStarting, again))
		r.pass(time.Millisecond)
	}
	if *asked != 1 {
		t.Errorf("%d asked for an instance, want the first only", *asked)
	}
	i := balancer.NewInstance(balancer.Spec{ID: "i", Endpoint: "http://i"})
	r.f.SetInstances([]*balancer.Instance{i}, r.now)
	r.f.Balancer().SetLifecycle(i, balancer.Starting, "starting", r.now)
	r.pass(3 * time.Second)
	for _, c := range held {
		c.wakes.Store(0)
		c.next().wants(exchange.Wait)
	}
	r.f.Balancer().SetLifecycle(i, balancer.Running, "runs", r.now)
	r.f.Balancer().SetHealth(i, balancer.HealthUp, "up", r.now)
	for n, c := range held {
		if c.wakes.Load() == 0 {
			t.Fatalf("request %d was not woken", n)
		}
		c.next().status(200).wants(exchange.Relay)
		if want := 3*time.Second + time.Duration(100-n)*time.Millisecond; c.step.Cold != want {
			t.Fatalf("request %d was held for %s by its answer, want %s", n, c.step.Cold, want)
		}
		c.done(exchange.Outcome{}).end()
	}
	if h := r.f.Stats().ColdStarts.Snapshot(); h.Count != 1 || h.Sum != 3100*time.Millisecond {
		t.Errorf("%d cold starts in %s, want one of 3.1 s", h.Count, h.Sum)
	}
	if c := r.get().status(200); c.step.Cold != 0 {
		t.Errorf("a warm request was held for %s", c.step.Cold)
	} else {
		c.done(exchange.Outcome{}).end()
	}
	r.idle()
}

func TestAStartThatFailsIsPaidForOnce(t *testing.T) {
	t.Parallel()
	r, asked := cold(t)
	first := r.get().waits(exchange.ReasonStarting, again)
	r.pass(10*time.Second - 1)
	first.next().waits(exchange.ReasonStarting, 1)
	r.pass(1)
	first.next().answers(exchange.ReasonStarting, 503)
	if d := first.step.Answer.RetryAfter; d != 10*time.Second {
		t.Errorf("come again in %s, want the time an instance takes", d)
	}
	first.end()
	late := r.get().waits(exchange.ReasonStarting, again)
	r.pass(2 * time.Second) // wait_for_instance
	late.next().answers(exchange.ReasonStarting, 503).end()
	if *asked != 1 {
		t.Errorf("%d asked for an instance, and one is on its way", *asked)
	}
	r.f.SetInstances(nil, r.now) // it was given up: the next begins anew
	r.get().waits(exchange.ReasonStarting, again).gone()
	if *asked != 2 {
		t.Errorf("%d asked for an instance, want two", *asked)
	}
	r.idle()
}
