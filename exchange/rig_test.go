package exchange_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/retry"
)

// start is when every test begins.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rig is a machine with one function on virtual time.
type rig struct {
	tb     testing.TB
	now    time.Time
	m      *exchange.Machine
	f      *exchange.Function
	config exchange.FunctionConfig
	seen   []exchange.Record
	draws  uint64
}

// newRig makes function a with n instances that are up, b1 to bn. A nil change
// leaves the plain rules: two retries, no breaker, no limit.
func newRig(tb testing.TB, n int, change func(*exchange.FunctionConfig)) *rig {
	tb.Helper()
	r := &rig{tb: tb, now: start}
	r.m = exchange.NewMachine(exchange.MachineConfig{
		Records: 1000, Observe: func(rec *exchange.Record) { r.seen = append(r.seen, *rec) },
	})
	r.f = r.function("a", n, change)
	r.config = r.configOf("a", change)
	r.route(exchange.Route{Function: r.f})
	return r
}

func (r *rig) configOf(name string, change func(*exchange.FunctionConfig)) exchange.FunctionConfig {
	c := exchange.FunctionConfig{
		Name: name, Policy: exchange.Policy{Retry: retry.DefaultPolicy()}, Secret: []byte("sixteen bytes or more"),
		Balancer: balancer.Config{Ejection: balancer.Ejection{Disabled: true}},
	}
	if change != nil {
		change(&c)
	}
	return c
}

func (r *rig) function(name string, n int, change func(*exchange.FunctionConfig)) *exchange.Function {
	r.tb.Helper()
	f, err := exchange.NewFunction(r.configOf(name, change))
	if err != nil {
		r.tb.Fatal(err)
	}
	var specs []balancer.Spec
	for i := range n {
		specs = append(specs, balancer.Spec{ID: fmt.Sprintf("%s%d", instancePrefix(name), i+1)})
	}
	r.instances(f, specs...)
	return f
}

// instancePrefix: function a has instances b1, b2; function x has x1, x2.
func instancePrefix(function string) string {
	if function == "a" {
		return "b"
	}
	return function
}

func (r *rig) instances(f *exchange.Function, specs ...balancer.Spec) {
	var list []*balancer.Instance
	for _, s := range specs {
		if s.Endpoint == "" {
			s.Endpoint = "http://" + s.ID
		}
		list = append(list, balancer.NewInstance(s))
	}
	f.SetInstances(list, r.now)
	for _, i := range list {
		f.Balancer().SetHealth(i, balancer.HealthUp, "up", r.now)
	}
}

func (r *rig) route(routes ...exchange.Route) {
	r.tb.Helper()
	router, err := exchange.NewRouter(routes)
	if err != nil {
		r.tb.Fatal(err)
	}
	r.m.SetRouter(router)
}

// update changes the rules of function a.
func (r *rig) update(change func(*exchange.FunctionConfig)) {
	r.tb.Helper()
	change(&r.config)
	if err := r.f.Update(r.config); err != nil {
		r.tb.Fatal(err)
	}
}

func (r *rig) pass(d time.Duration) { r.now = r.now.Add(d) }

// client is one exchange and the engine that drives it.
type client struct {
	*rig
	x     exchange.Exchange
	wakes atomic.Int32
	step  exchange.Step
}

// Wake implements exchange.Waker. It takes the lock of the lines: nobody is woken
// under it.
func (c *client) Wake() {
	c.f.Waiting(c.now)
	c.wakes.Add(1)
}

// begin starts an exchange with request q; its id and draw are filled in.
func (r *rig) begin(q exchange.Request) *client {
	c := &client{rig: r}
	return c.again(q)
}

// again uses the same exchange for another request.
func (c *client) again(q exchange.Request) *client {
	c.draws++
	if q.Method == "" {
		q.Method = "GET"
	}
	if q.Path == "" {
		q.Path = "/"
	}
	if q.ID == "" {
		q.ID = fmt.Sprintf("id-%d", c.draws)
	}
	q.Draw = c.draws * 0x9e3779b97f4a7c15
	c.wakes.Store(0)
	c.step = c.m.Begin(&c.x, &q, c, c.now)
	return c
}

func (r *rig) get() *client { return r.begin(exchange.Request{}) }

// cookie starts a GET with a cookie.
func (r *rig) cookie(value string) *client {
	h := http.Header{}
	if value != "" {
		h.Set("Cookie", "other=1; hf="+value)
	}
	return r.begin(exchange.Request{Header: h})
}

func (r *rig) from(addr string) *client {
	return r.begin(exchange.Request{Client: netip.MustParseAddr(addr)})
}

func (c *client) next() *client { c.step = c.x.Next(c.now); return c }

// head reports a head for the running attempt.
func (c *client) head(h exchange.Head) *client {
	c.step = c.x.Head(c.step.Attempt, h, c.now)
	return c
}

// status reports a head with a body that could be sent again.
func (c *client) status(code int) *client {
	return c.head(exchange.Head{Status: code, Replayable: true})
}

func (c *client) done(o exchange.Outcome) *client {
	c.step = c.x.Done(c.step.Attempt, o, c.now)
	return c
}

// fails reports the end of an attempt without a head.
func (c *client) fails(k retry.Kind) *client {
	return c.done(exchange.Outcome{Kind: k, Sent: k != retry.Unreachable, Replayable: true})
}

// reply answers the running attempt, relays the answer whole and ends.
func (c *client) reply(status int) *client {
	c.tb.Helper()
	return c.status(status).wants(exchange.Relay).done(exchange.Outcome{}).end()
}

// finish answers the running attempt with 200 and ends the exchange.
func (c *client) finish() *client {
	c.tb.Helper()
	c.wants(exchange.Attempt)
	c.status(200).wants(exchange.Relay).done(exchange.Outcome{Kind: retry.OK, Bytes: 7}).wants(exchange.Finished)
	return c.end()
}

func (c *client) end() *client { c.x.End(c.now); return c }

// gone gives the exchange up and ends it.
func (c *client) gone() *client { c.x.Abort(c.now); return c.end() }

func (c *client) rec() *exchange.Record { return c.x.Record() }

// instance is the id of the instance of the running attempt.
func (c *client) instance() string { return c.step.Instance.ID() }

func (c *client) wants(do exchange.Do) *client {
	c.tb.Helper()
	if c.step.Do != do {
		c.tb.Fatalf("step is %s (%s), want %s", c.step.Do, c.step.Reason, do)
	}
	return c
}

// waits checks a wait and how long it is.
func (c *client) waits(why exchange.Reason, d time.Duration) *client {
	c.tb.Helper()
	c.wants(exchange.Wait)
	if got := c.step.Until.Sub(c.now); c.step.Reason != why || got != d {
		c.tb.Fatalf("waits %s for %q, want %s for %q", got, c.step.Reason, d, why)
	}
	return c
}

// answers checks a local answer.
func (c *client) answers(why exchange.Reason, status int) *client {
	c.tb.Helper()
	c.wants(exchange.Answer)
	if c.step.Reason != why || c.step.Answer.Status != status {
		c.tb.Fatalf("answers %d (%s), want %d (%s)", c.step.Answer.Status, c.step.Reason, status, why)
	}
	return c
}

// woken checks how often the engine was woken since it was asked last.
func (c *client) woken(n int32) *client {
	c.tb.Helper()
	if got := c.wakes.Swap(0); got != n {
		c.tb.Fatalf("woken %d times, want %d", got, n)
	}
	return c
}

// idle checks that nothing is left behind.
func (r *rig) idle() {
	r.tb.Helper()
	isIdle(r.tb, r.f, r.now)
}

func isIdle(tb testing.TB, f *exchange.Function, now time.Time) {
	tb.Helper()
	if n := f.InFlight(); n != 0 {
		tb.Errorf("%d exchanges of %s are still in flight", n, f.Name())
	}
	if n, _ := f.Waiting(now); n != 0 {
		tb.Errorf("%d exchanges of %s still wait", n, f.Name())
	}
	for _, i := range f.Balancer().Instances() {
		if n := i.InFlight(); n != 0 {
			tb.Errorf("instance %s still has %d attempts in flight", i.ID(), n)
		}
	}
	if br := f.Breaker(); br != nil {
		if n := br.Snapshot(now).HalfOpenCalls; n != 0 {
			tb.Errorf("breaker of %s misses %d permits", f.Name(), n)
		}
	}
}

// open makes the breaker open by failures.
func (r *rig) open() {
	r.tb.Helper()
	for range 5 {
		r.get().reply(500)
	}
	if s := r.f.Breaker().State(); s != breaker.Open {
		r.tb.Fatalf("breaker is %s after five failures", s)
	}
}

// withBreaker is a change for newRig: no retries, five failures open for 60 s.
func withBreaker(c *exchange.FunctionConfig) {
	c.Breaker = &breaker.Config{JitterPercent: -1}
	c.Policy.Retry.Attempts = 0
}
