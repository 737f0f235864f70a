package exchange_test

import (
	"net/http"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/retry"
)

func TestAStaticFallbackStillCountsAsFailure(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, func(c *exchange.FunctionConfig) {
		withBreaker(c)
		c.Policy.Fallback = &exchange.Fallback{Status: 200, Body: "back soon", Header: map[string]string{"X-A": "b"}}
	})
	for range 5 {
		c := r.get().fails(retry.Reset).answers(exchange.ReasonReset, 200).end()
		if fb := c.step.Answer.Fallback; fb == nil || fb.Body != "back soon" {
			t.Fatalf("answered with %+v", c.step.Answer)
		}
		if rec := c.rec(); rec.Status != 200 || !rec.Failed() || !rec.Local {
			t.Errorf("status %d, failed %t, local %t", rec.Status, rec.Failed(), rec.Local)
		}
	}
	r.get().answers(exchange.ReasonBreakerOpen, 200).end()
	s := r.f.Stats()
	if n := s.Exchanges[5].Load(); n != 6 {
		t.Errorf("%d exchanges of the function failed, want 6", n)
	}
	if n := s.Fallbacks.Load(); n != 6 {
		t.Errorf("%d fallbacks, want 6", n)
	}
	r.idle()
}

func TestARedirectIsAFallbackToo(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{0: 307, 302: 302} {
		r := newRig(t, 0, func(c *exchange.FunctionConfig) {
			c.Policy.Fallback = &exchange.Fallback{Redirect: "https://status.example.com/*", Status: status}
		})
		c := r.get().answers(exchange.ReasonStarting, want).end()
		if c.step.Answer.Fallback.Redirect == "" {
			t.Error("no redirect in the answer")
		}
	}
}

// chain makes functions x, y, z, w, v: each falls back to the next, none has an
// instance but the last.
func chain(r *rig) (all []*exchange.Function) {
	next := r.function("v", 1, nil)
	all = append(all, next)
	for _, name := range []string{"w", "z", "y", "x"} {
		fb := next
		next = r.function(name, 0, func(c *exchange.FunctionConfig) { c.Policy.Fallback = &exchange.Fallback{Function: fb} })
		all = append(all, next)
	}
	return all
}

func TestAnotherFunctionAnswersWithGatesOfItsOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	x := r.function("x", 2, func(c *exchange.FunctionConfig) { c.Breaker = &breaker.Config{} })
	r.update(func(c *exchange.FunctionConfig) {
		withBreaker(c)
		c.Policy.Fallback = &exchange.Fallback{Function: x}
	})
	for range 5 {
		c := r.get().fails(retry.Reset).wants(exchange.Attempt)
		if c.step.Function != x || c.step.Instance == nil {
			t.Fatalf("attempt on %s", c.step.Function.Name())
		}
		c.fails(retry.Reset).finish() // x has retries of its own
	}
	c := r.get().wants(exchange.Attempt).finish() // breaker open: at once
	if rec := c.rec(); rec.Fallback != exchange.ReasonBreakerOpen || rec.Function != x || rec.V != 2 || rec.Reason != exchange.ReasonNone {
		t.Errorf("fallback %s, function %s, %d visits, reason %s", rec.Fallback, rec.Function.Name(), rec.V, rec.Reason)
	}
	if c.rec().FunctionOf(0) != x || r.seen[0].FunctionOf(0) != r.f || r.seen[0].FunctionOf(1) != x {
		t.Error("attempts are of the wrong functions")
	}
	a, b := r.f.Stats(), x.Stats()
	if a.Exchanges[5].Load() != 6 || b.Exchanges[2].Load() != 6 || a.Fallbacks.Load() != 6 || a.Retries.Load() != 0 || b.Retries.Load() != 5 {
		t.Errorf("a: %d failed, %d fallbacks, %d retries; x: %d good, %d retries", a.Exchanges[5].Load(), a.Fallbacks.Load(),
			a.Retries.Load(), b.Exchanges[2].Load(), b.Retries.Load())
	}
	if s := x.Breaker().Snapshot(r.now); s.State != breaker.Closed || s.FailureCount != 0 {
		t.Errorf("the breaker of x is %s with %d failures", s.State, s.FailureCount)
	}
	r.idle()
	isIdle(t, x, r.now)
}

func TestAChainOfFallbacksIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0, nil)
	all := chain(r)
	for n, want := range []exchange.Do{exchange.Attempt, exchange.Attempt, exchange.Attempt, exchange.Attempt, exchange.Answer} {
		r.route(exchange.Route{Function: all[n]})
		c := r.get().wants(want).gone()
		if v := int(c.rec().V); v != min(n+1, 4) {
			t.Errorf("%d functions were visited from %s, want %d", v, all[n].Name(), min(n+1, 4))
		}
	}
	// Two that fall back to each other end as well.
	ping := r.function("p", 0, func(c *exchange.FunctionConfig) { c.Policy.Fallback = &exchange.Fallback{Function: r.f} })
	r.update(func(c *exchange.FunctionConfig) { c.Policy.Fallback = &exchange.Fallback{Function: ping} })
	r.route(exchange.Route{Function: ping})
	r.get().answers(exchange.ReasonStarting, 503).end()
	for _, f := range append(all, ping, r.f) {
		isIdle(t, f, r.now)
	}
}

func TestEveryFunctionOfAChainHasAnAttempt(t *testing.T) {
	t.Parallel()
	r := newRig(t, 9, nil)
	most := func(fb *exchange.Function) func(*exchange.FunctionConfig) {
		return func(c *exchange.FunctionConfig) {
			c.Policy.Retry.Attempts = exchange.MaxRetries
			if fb != nil {
				c.Policy.Fallback = &exchange.Fallback{Function: fb}
			}
		}
	}
	y := r.function("y", 9, most(nil))
	x := r.function("x", 9, most(y))
	r.update(most(x))
	c := r.get()
	var went string
	for c.step.Do == exchange.Attempt {
		went += c.step.Function.Name()
		c.fails(retry.Reset)
	}
	c.answers(exchange.ReasonReset, 502).end()
	if went != "aaaaaaxy" {
		t.Errorf("attempts on %s, want aaaaaaxy", went)
	}
	if err := c.rec().Replay(); err != nil {
		t.Error(err)
	}
}

// A request that may have been processed is not processed elsewhere.
func TestAFallbackRepeatsNoRequestThatMayHaveBeenDone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method   string
		outcome  exchange.Outcome
		function exchange.Do // with a fallback function
		status   int         // with a redirect
	}{
		"POST, never sent":   {"POST", exchange.Outcome{Kind: retry.Unreachable, Replayable: true}, exchange.Attempt, 307},
		"POST, sent":         {"POST", exchange.Outcome{Kind: retry.Timeout, Sent: true, Replayable: true}, exchange.Answer, 504},
		"GET, sent":          {"GET", exchange.Outcome{Kind: retry.Timeout, Sent: true, Replayable: true}, exchange.Attempt, 307},
		"PUT, body not held": {"PUT", exchange.Outcome{Kind: retry.Timeout, Sent: true}, exchange.Answer, 307},
	} {
		r := newRig(t, 1, func(f *exchange.FunctionConfig) { f.Policy.Retry.Attempts = 0 })
		x := r.function("x", 1, nil)
		r.update(func(f *exchange.FunctionConfig) { f.Policy.Fallback = &exchange.Fallback{Function: x} })
		got := r.begin(exchange.Request{Method: c.method}).done(c.outcome)
		if got.step.Do != c.function {
			t.Errorf("%s: %s with a fallback function, want %s", name, got.step.Do, c.function)
		}
		got.gone()
		r.update(func(f *exchange.FunctionConfig) { f.Policy.Fallback = &exchange.Fallback{Redirect: "https://b/"} })
		got = r.begin(exchange.Request{Method: c.method}).done(c.outcome).wants(exchange.Answer)
		if got.step.Answer.Status != c.status {
			t.Errorf("%s: %d with a redirect, want %d", name, got.step.Answer.Status, c.status)
		}
		got.end()
		r.idle()
		isIdle(t, x, r.now)
	}
}

func TestNoFallbackFunctionIsAskedForAClientThatLeftOrWithoutTime(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, func(f *exchange.FunctionConfig) { f.Policy.Retry.Attempts = 0 })
	x := r.function("x", 1, nil)
	r.update(func(f *exchange.FunctionConfig) { f.Policy.Fallback = &exchange.Fallback{Function: x} })
	r.get().fails(retry.Canceled).wants(exchange.Finished).end()
	c := r.get()
	r.pass(time.Minute)
	c.fails(retry.Timeout).answers(exchange.ReasonExchangeTimeout, 504).end()
	if n := x.Stats().Attempts.Load(); n != 0 {
		t.Errorf("the fallback function was asked %d times", n)
	}
	r.idle()
}

func TestAFallbackFunctionDoesNotTakeOverAffinity(t *testing.T) {
	t.Parallel()
	sticky := func(c *exchange.FunctionConfig) { c.Policy.Affinity = exchange.Affinity{Cookie: "hf"} }
	r := newRig(t, 1, sticky)
	r.f.Balancer().SetLifecycle(r.f.Balancer().Instances()[0], balancer.Gone, "dead", r.now)
	x := r.function("x", 2, sticky)
	r.update(func(f *exchange.FunctionConfig) { f.Policy.Fallback = &exchange.Fallback{Function: x} })
	c := r.begin(exchange.Request{Header: http.Header{"Cookie": {"hf=whatever"}}}).wants(exchange.Attempt).status(200).wants(exchange.Relay)
	if c.step.SetCookie != "" {
		t.Error("the fallback function set a cookie in the name of the first one")
	}
	c.done(exchange.Outcome{}).end()
	if n := x.Sessions(r.now) + r.f.Sessions(r.now); n != 0 {
		t.Errorf("%d sessions, want none", n)
	}
}

func TestAFallbackFunctionMayQueueAndHold(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0, nil)
	x := r.function("x", 1, limited)
	r.update(func(f *exchange.FunctionConfig) { f.Policy.Fallback = &exchange.Fallback{Function: x} })
	first := r.get().wants(exchange.Attempt)
	second := r.get().waits(exchange.ReasonQueued, time.Second)
	first.finish()
	second.woken(1).next().finish()
	isIdle(t, x, r.now)
	y := r.function("y", 1, patient)
	y.Balancer().SetHealth(y.Balancer().Instances()[0], balancer.HealthUnknown, "test", r.now)
	r.update(func(f *exchange.FunctionConfig) { f.Policy.Fallback = &exchange.Fallback{Function: y} })
	r.get().waits(exchange.ReasonStarting, again).gone()
	isIdle(t, y, r.now)
	r.idle()
}
