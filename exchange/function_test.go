package exchange_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/retry"
)

func TestWhatCannotBeIsRefusedByNameAndChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, withBreaker)
	before := *r.f.Policy()
	for want, change := range map[string]func(*exchange.FunctionConfig){
		"retry attempts 6":               func(c *exchange.FunctionConfig) { c.Policy.Retry.Attempts = exchange.MaxRetries + 1 },
		"Attempts -1":                    func(c *exchange.FunctionConfig) { c.Policy.Retry.Attempts = -1 },
		"timeouts.connect is negative":   func(c *exchange.FunctionConfig) { c.Policy.Timeouts.Connect = -1 },
		"timeouts.attempt is negative":   func(c *exchange.FunctionConfig) { c.Policy.Timeouts.Attempt = -1 },
		"timeouts.exchange is negative":  func(c *exchange.FunctionConfig) { c.Policy.Timeouts.Exchange = -1 },
		"timeouts.idle is negative":      func(c *exchange.FunctionConfig) { c.Policy.Timeouts.Idle = -1 },
		"queue timeout is negative":      func(c *exchange.FunctionConfig) { c.Policy.QueueTimeout = -1 },
		"wait_for_instance is negative":  func(c *exchange.FunctionConfig) { c.Policy.WaitForInstance = -1 },
		"affinity ttl is negative":       func(c *exchange.FunctionConfig) { c.Policy.Affinity.TTL = -1 },
		"slow is negative":               func(c *exchange.FunctionConfig) { c.Policy.Slow = -1 },
		"max_in_flight -1":               func(c *exchange.FunctionConfig) { c.Policy.MaxInFlight = -1 },
		"queue size -1":                  func(c *exchange.FunctionConfig) { c.Policy.QueueSize = -1 },
		"more than one":                  func(c *exchange.FunctionConfig) { c.Policy.Affinity = exchange.Affinity{Header: "a", ClientIP: true} },
		"is not a cookie name":           func(c *exchange.FunctionConfig) { c.Policy.Affinity.Cookie = "a b" },
		"fallback status 0":              func(c *exchange.FunctionConfig) { c.Policy.Fallback = &exchange.Fallback{} },
		"fallback redirects with status": func(c *exchange.FunctionConfig) { c.Policy.Fallback = &exchange.Fallback{Redirect: "/", Status: 200} },
		"a function and an answer":       func(c *exchange.FunctionConfig) { c.Policy.Fallback = &exchange.Fallback{Function: r.f, Status: 200} },
		"the function itself":            func(c *exchange.FunctionConfig) { c.Policy.Fallback = &exchange.Fallback{Function: r.f} },
		"Ratio 11":                       func(c *exchange.FunctionConfig) { c.Budget.Ratio = 11 },
		"FailureThreshold":               func(c *exchange.FunctionConfig) { c.Breaker = &breaker.Config{FailureThreshold: -7} },
		"Decay":                          func(c *exchange.FunctionConfig) { c.Balancer.Decay = -1 },
	} {
		c := r.configOf("a", withBreaker)
		c.Breaker.HalfOpenMaxCalls = 77 // must not take hold either
		change(&c)
		err := r.f.Update(c)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "function a: ") {
			t.Errorf("error is %v, want one with %q", err, want)
		}
		if _, err := exchange.NewFunction(c); err == nil && want != "the function itself" {
			t.Errorf("NewFunction takes what Update refuses: %s", want)
		}
		if n := r.f.Breaker().Config().HalfOpenMaxCalls; n == 77 {
			t.Fatalf("%s: the breaker has changed", want)
		}
	}
	if fmt.Sprint(before) != fmt.Sprint(*r.f.Policy()) {
		t.Error("the policy has changed")
	}
	r.get().finish()
}

func TestACookieNeedsASecret(t *testing.T) {
	t.Parallel()
	c := exchange.FunctionConfig{Name: "a", Secret: []byte("short"), Policy: exchange.Policy{Affinity: exchange.Affinity{Cookie: "hf"}}}
	if _, err := exchange.NewFunction(c); err == nil || !strings.Contains(err.Error(), "secret") {
		t.Errorf("error is %v, want one about the secret", err)
	}
}

func TestAnUpdateKeepsWhatWasLearnt(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, func(c *exchange.FunctionConfig) {
		c.Breaker, c.Policy.Affinity = &breaker.Config{}, exchange.Affinity{ClientIP: true}
	})
	visit(r.from("10.0.0.1"))
	r.get().fails(retry.Reset).fails(retry.Reset).wants(exchange.Wait).gone()
	br, budget, spent := r.f.Breaker(), r.f.RetryBudget(), r.f.RetryBudget().Snapshot(r.now).Retries
	held := r.get()
	r.update(func(c *exchange.FunctionConfig) {
		c.Policy.Timeouts.Attempt, c.Breaker = time.Minute, &breaker.Config{FailureThreshold: 9}
	})
	if r.f.Breaker() != br || br.Config().FailureThreshold != 9 {
		t.Error("the breaker was not kept and changed")
	}
	if r.f.RetryBudget() != budget || spent != 2 {
		t.Errorf("the budget is another one, or %d retries were not 2", spent)
	}
	if r.f.Sessions(r.now) != 1 || len(r.f.Balancer().Instances()) != 2 {
		t.Error("sessions or instances are lost")
	}
	if held.x.Idle() != 5*time.Minute || r.f.Policy().Timeouts.Attempt != time.Minute {
		t.Error("defaults or the change are not in force")
	}
	held.finish()
	r.update(func(c *exchange.FunctionConfig) { c.Breaker, c.Budget.Ratio = nil, 0.5 })
	if r.f.Breaker() != nil || r.f.RetryBudget() == budget {
		t.Error("a breaker that was taken away, or a budget that changed, is still there")
	}
	r.get().finish()
	r.idle()
}

func TestExchangesGoByTheRulesTheyBeganWith(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, withBreaker)
	old := r.f.Breaker()
	c := r.get()
	r.update(func(c *exchange.FunctionConfig) { c.Breaker, c.Policy.Retry.Attempts = nil, 2 })
	c.fails(retry.Reset).answers(exchange.ReasonReset, 502).end()
	if n := old.Snapshot(r.now).FailureCount; n != 1 {
		t.Errorf("the breaker it began with counts %d failures, want 1", n)
	}
	r.idle()
}

func TestAFunctionIsSmall(t *testing.T) { //nolint:paralleltest // it measures the heap of the process
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 1000
	var all [n]*exchange.Function
	for i := range all {
		f, err := exchange.NewFunction(exchange.FunctionConfig{Name: "a", Breaker: &breaker.Config{}})
		if err != nil {
			t.Fatal(err)
		}
		all[i] = f
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (after.HeapAlloc - before.HeapAlloc) / n
	t.Logf("%d bytes each", each)
	if each > 8<<10 {
		t.Errorf("a function without instances takes %d bytes, want at most 8 KiB", each)
	}
	runtime.KeepAlive(&all)
}

func TestStatsCountByClassAndReason(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, nil)
	if !r.f.Stats().LastRequest().IsZero() {
		t.Error("there was no request")
	}
	r.get().finish()
	r.get().reply(302)
	r.get().reply(404)
	r.get().status(500).status(500).wants(exchange.Wait).gone()
	r.get().gone()
	c := r.get().status(200)
	r.pass(time.Second)
	c.done(exchange.Outcome{Kind: retry.Reset, Bytes: 10}).end()
	r.get().head(exchange.Head{Status: 101, Long: true}).done(exchange.Outcome{Bytes: 100}).end()
	health(r, balancer.HealthUnknown)
	r.get().answers(exchange.ReasonStarting, 503).end()

	s := r.f.Stats()
	for class, want := range [6]uint64{2, 1, 2, 1, 1, 1} {
		if got := s.Exchanges[class].Load(); got != want {
			t.Errorf("class %d: %d exchanges, want %d", class, got, want)
		}
	}
	for why, want := range map[exchange.Reason]uint64{
		exchange.ReasonNone: 4, exchange.ReasonClientGone: 2, exchange.ReasonTruncated: 1, exchange.ReasonStarting: 1,
	} {
		if got := s.Reasons[why].Load(); got != want {
			t.Errorf("%s: %d exchanges, want %d", why, got, want)
		}
	}
	if got := s.Latency.Snapshot().Count; got != 4 {
		t.Errorf("%d latencies, want those of the 4 short answers", got)
	}
	if got := s.Bytes.Load(); got != 117 {
		t.Errorf("%d bytes, want 117", got)
	}
	if !s.LastRequest().Equal(r.now) {
		t.Errorf("last request at %s, want %s", s.LastRequest(), r.now)
	}
	r.idle()
}

func TestEventsReachTheirOwnerToo(t *testing.T) {
	t.Parallel()
	var instances, breakers int
	r := newRig(t, 2, func(c *exchange.FunctionConfig) {
		withBreaker(c)
		c.Balancer.OnEvent = func(balancer.Event) { instances++ }
		c.Breaker.OnEvent = func(breaker.Event) { breakers++ }
	})
	instances = 0
	r.open()
	health(r, balancer.HealthDown)
	if instances < 2 || breakers != 1 {
		t.Errorf("%d events of instances, %d of the breaker", instances, breakers)
	}
}

func TestAMachineWithoutRoutesAnswers404(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	r.m.SetRouter(nil)
	c := r.get().answers(exchange.ReasonNoRoute, 404)
	if c.x.Function() != nil || c.x.Route() != nil || c.x.Idle() != 5*time.Minute {
		t.Error("an exchange without a route has one, or no limit on its bytes")
	}
	c.next().wants(exchange.Finished).gone()
	if rec := r.seen[0]; rec.Status != 404 || !rec.Failed() || rec.Replay() != nil {
		t.Errorf("status %d, failed %t", rec.Status, rec.Failed())
	}
	if errors.Is(exchange.ErrPath, exchange.ErrRoute) || r.m.Router().Functions() != nil {
		t.Error("a router that is not there leads somewhere")
	}
}
