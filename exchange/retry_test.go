package exchange_test

import (
	"net/http"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/retry"
)

func TestARetryGoesToAnotherInstanceAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, nil)
	c := r.get().wants(exchange.Attempt)
	first := c.instance()
	c.fails(retry.Unreachable).wants(exchange.Attempt)
	second := c.instance()
	c.fails(retry.Reset).wants(exchange.Attempt)
	if third := c.instance(); first == second || second == third || first == third {
		t.Errorf("tried %s, %s, %s: want three different ones", first, second, third)
	}
	c.finish()
	if s := r.f.Stats(); s.Attempts.Load() != 3 || s.Retries.Load() != 2 {
		t.Errorf("%d attempts, %d retries; want 3 and 2", s.Attempts.Load(), s.Retries.Load())
	}
	r.idle()
}

func TestTheSameInstanceIsTriedAgainOnlyWhenNobodyElseIsThere(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, func(c *exchange.FunctionConfig) { c.Policy.Retry.Attempts = 5 })
	c := r.get()
	first := c.instance()
	c.fails(retry.Reset).wants(exchange.Attempt)
	if c.instance() == first {
		t.Fatal("the same instance was tried again while another was there")
	}
	c.fails(retry.Reset)
	for c.step.Do == exchange.Wait {
		if c.step.Reason != exchange.ReasonBackoff || c.step.Until.After(r.now.Add(50*time.Millisecond)) {
			t.Fatalf("waits for %s until %s", c.step.Reason, c.step.Until)
		}
		c.next() // too early
		r.now = c.step.Until
		c.next()
	}
	c.wants(exchange.Attempt).finish()
	r.idle()
}

// The instance that is ejected or dies between two attempts must not make the
// machine believe that nobody else is left.
func TestAnInstanceThatWentAwayDoesNotHideTheOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, nil)
	c := r.get()
	r.f.Balancer().SetLifecycle(c.step.Instance, balancer.Gone, "died", r.now)
	c.fails(retry.Unreachable).wants(exchange.Attempt)
	r.f.Balancer().SetLifecycle(c.step.Instance, balancer.Gone, "died", r.now)
	c.fails(retry.Unreachable).finish()
	r.idle()
}

func TestInPanicTheOtherInstanceIsTriedWithoutBackoff(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, nil)
	health(r, balancer.HealthDown)
	r.get().fails(retry.Reset).wants(exchange.Attempt).finish()
	r.idle()
}

func TestRetryAfterIsWaitedForOnTheSameInstanceOnly(t *testing.T) {
	t.Parallel()
	asks := func(d time.Duration) exchange.Head {
		return exchange.Head{Status: 503, Replayable: true, RetryAfter: d}
	}
	t.Run("same", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 1, nil)
		c := r.get().head(asks(2 * time.Second)).wants(exchange.Wait)
		if d := c.step.Until.Sub(r.now); d < 2*time.Second || d > 2*time.Second+25*time.Millisecond {
			t.Errorf("waits %s, want 2s and a little", d)
		}
		r.now = c.step.Until
		c.next().finish()
		r.idle()
	})
	t.Run("other", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 2, nil)
		r.get().head(asks(time.Minute)).finish()
		r.idle()
	})
	t.Run("too long", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 1, nil)
		c := r.get().head(asks(time.Minute)).wants(exchange.Relay).done(exchange.Outcome{}).end()
		if why := c.rec().Attempts[0].Decision.Reason; why != retry.AskedToWaitTooLong {
			t.Errorf("not retried because %s", why)
		}
		r.idle()
	})
}

func TestTheLastFailureIsTheClients(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, nil)
	c := r.get().status(500).status(502).status(503).wants(exchange.Relay).done(exchange.Outcome{}).end()
	if rec := c.rec(); rec.Status != 503 || rec.Local || rec.N != 3 || !rec.Failed() {
		t.Errorf("status %d, local %t, %d attempts, failed %t", rec.Status, rec.Local, rec.N, rec.Failed())
	}
	r.idle()
}

func TestWhatIsTriedAgain(t *testing.T) {
	t.Parallel()
	keyed := exchange.Request{Method: "POST", Header: http.Header{"Idempotency-Key": {"k"}}}
	post, get := exchange.Request{Method: "POST"}, exchange.Request{}
	outcome := func(k retry.Kind, sent, replayable bool) func(*client) {
		return func(c *client) { c.done(exchange.Outcome{Kind: k, Sent: sent, Replayable: replayable}) }
	}
	status := func(code int, replayable bool) func(*client) {
		return func(c *client) { c.head(exchange.Head{Status: code, Replayable: replayable}) }
	}
	for name, c := range map[string]struct {
		request exchange.Request
		ends    func(*client)
		want    exchange.Do
		why     retry.Reason
	}{
		"GET, reset":                       {get, outcome(retry.Reset, true, true), exchange.Attempt, retry.RetryElsewhere},
		"GET, timeout":                     {get, outcome(retry.Timeout, true, true), exchange.Attempt, retry.RetryElsewhere},
		"GET, 503":                         {get, status(503, true), exchange.Attempt, retry.RetryElsewhere},
		"GET, 404":                         {get, status(404, true), exchange.Relay, retry.StatusIsFinal},
		"GET, 501":                         {get, status(501, true), exchange.Relay, retry.StatusIsFinal},
		"GET, its body is gone":            {get, outcome(retry.Reset, true, false), exchange.Answer, retry.BodyIsGone},
		"GET, 503, its body is gone":       {get, status(503, false), exchange.Relay, retry.BodyIsGone},
		"GET, an end that is none":         {get, outcome(retry.OK, true, true), exchange.Attempt, retry.RetryElsewhere},
		"POST, unreachable":                {post, outcome(retry.Unreachable, false, true), exchange.Attempt, retry.RetryElsewhere},
		"POST, reset before it was sent":   {post, outcome(retry.Reset, false, true), exchange.Attempt, retry.RetryElsewhere},
		"POST, reset":                      {post, outcome(retry.Reset, true, true), exchange.Answer, retry.MayHaveBeenDone},
		"POST, timeout":                    {post, outcome(retry.Timeout, true, true), exchange.Answer, retry.MayHaveBeenDone},
		"POST, 503":                        {post, status(503, true), exchange.Relay, retry.MayHaveBeenDone},
		"POST with Idempotency-Key, reset": {keyed, outcome(retry.Reset, true, true), exchange.Attempt, retry.RetryElsewhere},
		"the client left":                  {get, outcome(retry.Canceled, true, true), exchange.Finished, retry.ClientLeft},
	} {
		r := newRig(t, 2, nil)
		x := r.begin(c.request)
		c.ends(x)
		x.wants(c.want)
		if d := x.rec().Attempts[0].Decision; d.Reason != c.why || d.Retry != (c.want == exchange.Attempt) {
			t.Errorf("%s: retry %t because %s, want because %s", name, d.Retry, d.Reason, c.why)
		}
		x.gone()
		r.idle()
	}
}

func TestAStatusOfThePolicyIsTriedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, func(c *exchange.FunctionConfig) { c.Policy.Retry.Statuses = []int{429} })
	r.get().status(429).finish()
	r.get().status(503).wants(exchange.Relay).done(exchange.Outcome{}).end()
	r.idle()
}

func TestRetriesEndWithTheBudget(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, func(c *exchange.FunctionConfig) {
		c.Policy.Retry.Attempts = 1
		c.Budget = retry.BudgetConfig{Ratio: -1, MinPerSecond: 0.3} // three in ten seconds
	})
	for range 3 {
		r.get().fails(retry.Reset).finish()
	}
	c := r.get().fails(retry.Reset).answers(exchange.ReasonReset, 502).end()
	if why := c.rec().Attempts[0].Decision.Reason; why != retry.BudgetIsSpent {
		t.Errorf("not retried because %s", why)
	}
	r.get().finish()
	if left := r.f.RetryBudget().Snapshot(r.now).Available; left != 0 {
		t.Errorf("%v retries left, want 0", left)
	}
	r.idle()
}

func TestTheDeadlineOfTheExchangeBoundsItsAttempts(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, func(c *exchange.FunctionConfig) {
		c.Policy.Timeouts = exchange.Timeouts{Attempt: 4 * time.Second, Exchange: 10 * time.Second, Connect: time.Second}
	})
	c := r.get()
	for n, want := range []time.Duration{4 * time.Second, 4 * time.Second, 2 * time.Second} {
		c.wants(exchange.Attempt)
		if got := c.step.Until.Sub(r.now); got != want || c.step.Connect != time.Second {
			t.Errorf("attempt %d may take %s, %s to connect; want %s and 1s", n+1, got, c.step.Connect, want)
		}
		r.now = c.step.Until
		c.fails(retry.Timeout)
	}
	c.answers(exchange.ReasonExchangeTimeout, 504).end()
	if why := c.rec().Attempts[2].Decision.Reason; why != retry.NoAttemptsLeft && why != retry.NoTimeLeft {
		t.Errorf("not retried because %s", why)
	}
	r.idle()
}

func TestAConnectionThatTakesTheRestOfTheTimeIsATimeout(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, nil)
	c := r.get()
	r.pass(time.Minute)
	c.fails(retry.Unreachable).answers(exchange.ReasonExchangeTimeout, 504).end()
	r.idle()
}

func TestAnAttemptThatTimesOutIsSaidToBeSo(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, func(c *exchange.FunctionConfig) { c.Policy.Retry.Attempts = 0 })
	c := r.get()
	r.now = c.step.Until
	c.fails(retry.Timeout).answers(exchange.ReasonAttemptTimeout, 504).end()
	r.idle()
}

func TestNoMoreTriesThanTheMachineCanMake(t *testing.T) {
	t.Parallel()
	r := newRig(t, 9, func(c *exchange.FunctionConfig) { c.Policy.Retry.Attempts = exchange.MaxRetries })
	c := r.get()
	for range exchange.MaxRetries {
		c.fails(retry.Reset).wants(exchange.Attempt)
	}
	c.fails(retry.Reset).answers(exchange.ReasonReset, 502).end()
	if n := c.rec().N; n != 6 {
		t.Errorf("%d attempts, want 6", n)
	}
	r.idle()
}
