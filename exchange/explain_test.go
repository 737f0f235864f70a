package exchange_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/retry"
)

func golden(t *testing.T, lines []string, want string) {
	t.Helper()
	if got := strings.Join(lines, "\n"); got != strings.TrimSpace(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// told makes a machine whose picks do not depend on chance.
func told(t *testing.T, n int, change func(*exchange.FunctionConfig)) *rig {
	t.Helper()
	r := newRig(t, n, func(c *exchange.FunctionConfig) {
		c.Balancer.Strategy = balancer.RoundRobin
		if change != nil {
			change(c)
		}
	})
	r.route(exchange.Route{Host: "api.example.com", Path: "/api/", Methods: []string{"GET", "POST"}, Function: r.f})
	return r
}

func request(method string) exchange.Request {
	return exchange.Request{Method: method, Host: "api.example.com", Path: "/api/users/7"}
}

func TestExplainAGoodExchange(t *testing.T) {
	t.Parallel()
	r := told(t, 2, nil)
	q := request("GET")
	q.Client = r.from("10.1.2.3").rec().Client
	c := r.begin(q)
	r.pass(12345 * time.Microsecond)
	c.status(200)
	r.pass(100 * time.Millisecond)
	c.done(exchange.Outcome{Bytes: 2048}).end()
	golden(t, c.rec().Explain(), `
GET api.example.com/api/users/7 from 10.1.2.3 at 2026-03-01T12:00:00Z
route GET|POST api.example.com/api/ -> function a
attempt 1 at +0s on b1 (http://b1): picked by round-robin, rule strategy, 2 available
  answered 200 after 12.35ms
result: 200 in 12.35ms (instance's answer), 2048 bytes, whole exchange 112.35ms`)
}

func TestExplainARetry(t *testing.T) {
	t.Parallel()
	r := told(t, 1, nil)
	r.instances(r.f, balancer.Spec{ID: "b1"}, balancer.Spec{ID: "b2", MaxInFlight: 1})
	c := r.begin(request("GET"))
	r.pass(30 * time.Second)
	c.fails(retry.Timeout)
	r.pass(time.Millisecond)
	c.status(503)
	r.now = c.step.Until
	c.next()
	r.pass(2 * time.Millisecond)
	c.finish()
	golden(t, c.rec().Explain(), `
GET api.example.com/api/users/7 at 2026-03-01T12:00:00Z
route GET|POST api.example.com/api/ -> function a
attempt 1 at +0s on b1 (http://b1): picked by round-robin, rule strategy, 2 available
  no answer: attempt timeout after 30s
  tried again on another instance at once
attempt 2 at +30s on b2 (http://b2): picked by round-robin, rule strategy, 2 available
  answered 503 after 1ms
  tried again after a backoff (5.32ms)
attempt 3 at +30.006s on b1 (http://b1): picked by round-robin, rule strategy, 2 available
  answered 200 after 2ms
result: 200 in 30.008s (instance's answer), 7 bytes, whole exchange 30.008s`)
}

func TestExplainAPostThatIsNotRepeated(t *testing.T) {
	t.Parallel()
	r := told(t, 2, func(c *exchange.FunctionConfig) { c.Policy.MaxInFlight, c.Policy.QueueSize = 1, 10 })
	first := r.begin(request("POST"))
	c := r.begin(request("POST"))
	r.pass(250 * time.Millisecond)
	first.finish()
	c.next()
	r.pass(time.Millisecond)
	c.fails(retry.Reset).end()
	golden(t, c.rec().Explain(), `
POST api.example.com/api/users/7 at 2026-03-01T12:00:00Z
route GET|POST api.example.com/api/ -> function a
admission: 1 of 1 in flight, 0 of 10 queued: queued
waited 250ms in the queue
attempt 1 at +250ms on b2 (http://b2): picked by round-robin, rule strategy, 2 available
  no answer: connection reset by instance after 1ms
  not tried again: the request is not idempotent and may have been processed
result: 502 in 251ms (answered by holdfast: connection reset by instance), 0 bytes, whole exchange 251ms`)
}

func TestExplainAFallback(t *testing.T) {
	t.Parallel()
	r := told(t, 1, withBreaker)
	y := r.function("y", 1, nil)
	x := r.function("x", 0, func(c *exchange.FunctionConfig) { c.Policy.Fallback = &exchange.Fallback{Function: y} })
	for range 5 {
		r.begin(request("GET")).reply(500)
	}
	r.update(func(c *exchange.FunctionConfig) { c.Policy.Fallback = &exchange.Fallback{Function: x} })
	c := r.begin(request("GET")).finish()
	golden(t, c.rec().Explain(), `
GET api.example.com/api/users/7 at 2026-03-01T12:00:00Z
route GET|POST api.example.com/api/ -> function a
breaker: not let through
breaker open: handed to fallback function x
no instance ready yet: handed to fallback function y
attempt 1 at +0s on y1 (http://y1): picked by p2c, rule only-one, 1 available
  answered 200 after 0s
result: 200 in 0s (instance's answer), 7 bytes, whole exchange 0s`)
}

func TestExplainExpectedTimesAsTimes(t *testing.T) {
	t.Parallel()
	for strategy, looked := range map[balancer.Strategy]string{
		balancer.P2C: "b1=40ms b2=2ms", balancer.ResponseTime: "b1=39.86ms b2=2ms", balancer.Prequal: "b1=39.86ms b2=2ms",
		balancer.LeastConnections: "b1=0 b2=0", // what it compares are counts
	} {
		r := told(t, 2, func(c *exchange.FunctionConfig) { c.Balancer.Strategy = strategy })
		for range 20 {
			c := r.begin(request("GET"))
			r.pass(map[string]time.Duration{"b1": 40 * time.Millisecond, "b2": 2 * time.Millisecond}[c.instance()])
			c.finish()
		}
		text := strings.Join(r.begin(request("GET")).finish().rec().Explain(), "\n")
		if want := fmt.Sprintf("picked by %v, rule strategy, 2 available; looked at %s\n", strategy, looked); !strings.Contains(text, want) {
			t.Errorf("got:\n%s\nwant in it:\n%s", text, want)
		}
	}
}

func TestExplainAnAnswerThatBrokeOff(t *testing.T) {
	t.Parallel()
	r := told(t, 1, func(c *exchange.FunctionConfig) {
		patient(c)
		c.Balancer.Strategy = balancer.LeastConnections
	})
	r.instances(r.f, balancer.Spec{ID: "b1", MaxInFlight: 1}, balancer.Spec{ID: "b2", MaxInFlight: 1})
	first, second := r.begin(request("GET")), r.begin(request("GET"))
	c := r.begin(request("GET"))
	r.pass(time.Millisecond)
	taken := second.instance()
	map[string]*client{first.instance(): first, taken: second}["b2"].finish()
	c.next()
	r.pass(time.Millisecond)
	c.status(200)
	r.pass(time.Second)
	c.done(exchange.Outcome{Kind: retry.Reset, Bytes: 512}).end()
	golden(t, c.rec().Explain(), `
GET api.example.com/api/users/7 at 2026-03-01T12:00:00Z
route GET|POST api.example.com/api/ -> function a
waited: instances full
attempt 1 at +1ms on b2 (http://b2): picked by least-connections, rule strategy, 2 available; looked at b1 (full) b2=0
  answered 200 after 1ms, then broke off
result: 200 in 2ms (answer broke off), 512 bytes, whole exchange 1.002s`)
}

func TestExplainWhatNobodyAnswered(t *testing.T) {
	t.Parallel()
	r := told(t, 1, nil)
	golden(t, r.begin(exchange.Request{Host: "other", Path: "/x"}).end().rec().Explain(), `
GET other/x at 2026-03-01T12:00:00Z
no route matches: answered 404`)
	health(r, balancer.HealthDown)
	c := r.begin(request("GET"))
	r.pass(time.Millisecond)
	c.gone()
	golden(t, c.rec().Explain(), `
GET api.example.com/api/users/7 at 2026-03-01T12:00:00Z
route GET|POST api.example.com/api/ -> function a
attempt 1 at +0s on b1 (http://b1): picked by round-robin, rule panic, 0 available, PANIC: health ignored
  no answer: client gone after 1ms
result: 499 in 0s (client gone), 0 bytes, whole exchange 1ms`)
}

func TestNamesOfWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		exchange.Do(77).String(): "Do(77)", exchange.Reason(200).String(): "Reason(200)", exchange.Verdict(9).String(): "unknown",
		exchange.Relay.String(): "relay", exchange.ReasonQueued.String(): "queued", exchange.Refused.String(): "refused",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for r, want := range map[exchange.Reason]int{
		exchange.ReasonNoRoute: 404, exchange.ReasonReset: 502, exchange.ReasonAttemptTimeout: 504,
		exchange.ReasonClientGone: 499, exchange.ReasonQueueFull: 503,
	} {
		if got := r.Status(); got != want {
			t.Errorf("%s: status %d, want %d", r, got, want)
		}
	}
}
