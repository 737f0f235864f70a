package exchange_test

import (
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/retry"
)

func TestAnOpenBreakerAnswersWithTheTimeOfTheNextAttempt(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, withBreaker)
	r.open()
	r.pass(20 * time.Second)
	c := r.get().answers(exchange.ReasonBreakerOpen, 503)
	if d := c.step.Answer.RetryAfter; d != 40*time.Second {
		t.Errorf("Retry-After is %s, want 40s", d)
	}
	c.end()
	r.f.Breaker().ForceOpen("maintenance", r.now)
	if d := r.get().answers(exchange.ReasonBreakerOpen, 503).end().step.Answer.RetryAfter; d != 0 {
		t.Errorf("Retry-After of a breaker forced open is %s, want none", d)
	}
	r.idle()
}

func TestTheBreakerHearsOfEveryExchangeOnce(t *testing.T) {
	t.Parallel()
	reply := func(status int) func(*client) {
		return func(c *client) { c.status(status).done(exchange.Outcome{}) }
	}
	ends := func(status int, k retry.Kind) func(*client) {
		return func(c *client) { c.status(status).done(exchange.Outcome{Kind: k}) }
	}
	for name, c := range map[string]struct {
		drive func(*client)
		want  int // failures in a row, after one before
	}{
		"a good answer":               {reply(200), 0},
		"a client's mistake":          {reply(404), 0},
		"not implemented":             {reply(501), 0},
		"a failure status":            {reply(500), 2},
		"an unreachable instance":     {func(c *client) { c.fails(retry.Unreachable).fails(retry.Unreachable) }, 2},
		"a truncated answer":          {ends(200, retry.Reset), 2},
		"an answer that stalls":       {ends(200, retry.Timeout), 2},
		"client gone while it ran":    {func(c *client) { c.x.Abort(c.now) }, 1},
		"client gone while relayed":   {ends(200, retry.Canceled), 1},
		"client gone with a failure":  {ends(500, retry.Canceled), 1},
		"client gone without a head":  {func(c *client) { c.fails(retry.Canceled).wants(exchange.Finished) }, 1},
		"engine gone while relaying":  {func(c *client) { c.status(200) }, 1},
		"retried and good":            {func(c *client) { c.fails(retry.Reset).status(200).done(exchange.Outcome{}) }, 0},
		"retried and failed":          {func(c *client) { c.fails(retry.Reset).fails(retry.Reset).wants(exchange.Answer) }, 2},
		"retried and the client left": {func(c *client) { c.fails(retry.Reset).x.Abort(c.now) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 3, func(f *exchange.FunctionConfig) {
				f.Breaker = &breaker.Config{}
				f.Policy.Retry = retry.Policy{Attempts: 1, Statuses: []int{}}
			})
			r.get().reply(500)
			x := r.get().wants(exchange.Attempt)
			c.drive(x)
			x.end().end()
			if got := r.f.Breaker().Snapshot(r.now).FailureCount; got != c.want {
				t.Errorf("%d failures in a row, want %d", got, c.want)
			}
			r.idle()
		})
	}
}

func TestWhoNeverAskedAnInstanceSaysNothingToTheBreaker(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, withBreaker)
	i := r.f.Balancer().Instances()[0]
	r.get().reply(500)
	for _, l := range []balancer.Lifecycle{balancer.Gone, balancer.Starting} {
		r.f.Balancer().SetLifecycle(i, l, "test", r.now)
		for range 9 {
			r.get().wants(exchange.Answer).end()
		}
		if n := r.f.Breaker().Snapshot(r.now).FailureCount; n != 1 {
			t.Errorf("%s: %d failures counted, want the one before", l, n)
		}
	}
	r.idle()
}

func TestALongExchangeSettlesAtItsHead(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, withBreaker)
	r.get().reply(500)
	stream := r.get().head(exchange.Head{Status: 200, Long: true}).wants(exchange.Relay)
	if n := r.f.Breaker().Snapshot(r.now).FailureCount; n != 0 {
		t.Errorf("%d failures after a stream began, want 0", n)
	}
	r.get().reply(500)
	r.pass(time.Hour)
	stream.done(exchange.Outcome{Kind: retry.Reset}).end()
	if n := r.f.Breaker().Snapshot(r.now).FailureCount; n != 1 {
		t.Errorf("%d failures after the stream ended, want the one since it began", n)
	}
	if n := r.f.Stats().Latency.Snapshot().Count; n != 2 {
		t.Errorf("%d latencies counted, want those of the two short answers", n)
	}
	r.idle()
}

func TestASlowBodyIsNoSlowCall(t *testing.T) {
	t.Parallel()
	window := breaker.Window{
		Kind: breaker.WindowCount, Calls: 4, MinimumCalls: 4, FailureRatePercent: -1,
		SlowCallRatePercent: 100, SlowCallDuration: time.Second,
	}
	slowHead := func(r *rig, h exchange.Head) {
		c := r.get()
		r.pass(2 * time.Second)
		c.head(h).done(exchange.Outcome{}).end()
	}
	for name, c := range map[string]struct {
		drive func(*rig)
		want  breaker.State
	}{
		"slow head":             {func(r *rig) { slowHead(r, exchange.Head{Status: 200}) }, breaker.Open},
		"slow head of a stream": {func(r *rig) { slowHead(r, exchange.Head{Status: 200, Long: true}) }, breaker.Closed},
		"slow body": {func(r *rig) {
			c := r.get().status(200)
			r.pass(time.Minute)
			c.done(exchange.Outcome{}).end()
		}, breaker.Closed},
	} {
		r := newRig(t, 2, func(f *exchange.FunctionConfig) { f.Breaker = &breaker.Config{Window: window} })
		for range 4 {
			c.drive(r)
		}
		if s := r.f.Breaker().State(); s != c.want {
			t.Errorf("%s: breaker is %s, want %s", name, s, c.want)
		}
		r.idle()
	}
}

func TestTheTimeInTheQueueIsNoSlowCall(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, func(f *exchange.FunctionConfig) {
		limited(f)
		f.Policy.QueueTimeout = time.Minute
		f.Breaker = &breaker.Config{Window: breaker.Window{
			Kind: breaker.WindowCount, Calls: 1, MinimumCalls: 1, FailureRatePercent: -1,
			SlowCallRatePercent: 1, SlowCallDuration: time.Second,
		}}
	})
	first, second := r.get().status(200), r.get()
	r.pass(10 * time.Second)
	first.done(exchange.Outcome{}).end()
	second.next().reply(200)
	if s := r.f.Breaker().State(); s != breaker.Closed {
		t.Errorf("breaker is %s, want closed", s)
	}
	r.idle()
}

// halfOpen opens the breaker, lets it become due, and starts its three probes.
func halfOpen(r *rig) (probes []*client) {
	r.open()
	r.pass(time.Minute)
	for range 3 {
		probes = append(probes, r.get().wants(exchange.Attempt))
	}
	return probes
}

func TestProbesOfAHalfOpenBreakerAreWaitedFor(t *testing.T) {
	t.Parallel()
	waiting := func(c *exchange.FunctionConfig) {
		withBreaker(c)
		c.Policy.WaitForInstance = 2 * time.Second
	}
	t.Run("they succeed", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 2, waiting)
		probes := halfOpen(r)
		a := r.get().waits(exchange.ReasonHalfOpen, again)
		b := r.get().waits(exchange.ReasonHalfOpen, again)
		probes[0].reply(200) // its permit is free again
		a.woken(1).next().wants(exchange.Attempt)
		b.woken(0)
		probes[1].reply(200)
		b.woken(1)
		probes[2].reply(200) // closes
		b.next().finish()
		a.finish()
		r.idle()
	})
	t.Run("one fails", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 2, waiting)
		probes := halfOpen(r)
		a, b := r.get(), r.get()
		probes[0].reply(500)
		a.woken(1).next().answers(exchange.ReasonBreakerOpen, 503).end()
		b.woken(1).next().answers(exchange.ReasonBreakerOpen, 503).end()
		probes[1].reply(200)
		probes[2].gone()
		r.idle()
	})
	t.Run("a client leaves one", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 2, waiting)
		probes := halfOpen(r)
		a := r.get().wants(exchange.Wait)
		probes[1].gone() // no event of the breaker tells of this
		a.woken(1).next().finish()
		probes[0].reply(200)
		probes[2].reply(200)
		r.idle()
	})
	t.Run("who was woken leaves", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 2, waiting)
		probes := halfOpen(r)
		a, b := r.get(), r.get()
		probes[0].reply(200)
		b.woken(0)
		a.woken(1).gone()
		b.woken(1).next().finish()
		probes[1].gone()
		probes[2].gone()
		r.idle()
	})
	t.Run("they take too long", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 2, waiting)
		probes := halfOpen(r)
		a := r.get()
		r.pass(2*time.Second - again/2)
		a.next().waits(exchange.ReasonHalfOpen, again/2)
		r.pass(again / 2)
		a.next().answers(exchange.ReasonBreakerOpen, 503).end()
		for _, p := range probes {
			p.gone()
		}
		r.idle()
	})
	t.Run("one is lost", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 2, func(c *exchange.FunctionConfig) {
			waiting(c)
			c.Breaker.HalfOpenTimeout = time.Second
		})
		probes := halfOpen(r)
		a := r.get()
		r.pass(time.Second) // the breaker gives the permits up and tells nobody
		a.next().finish()
		for _, p := range probes {
			p.gone()
		}
		r.idle()
	})
}

func TestWithoutPatienceAHalfOpenBreakerRefusesAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, withBreaker)
	probes := halfOpen(r)
	r.get().answers(exchange.ReasonBreakerOpen, 503).end()
	for _, p := range probes {
		p.reply(200)
	}
	r.get().finish()
	r.idle()
}

func TestAnInstanceThatComesBackHastensTheBreaker(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, withBreaker)
	b, i := r.f.Balancer(), r.f.Balancer().Instances()[0]
	b.SetLifecycle(i, balancer.Gone, "killed", r.now)
	r.open()
	r.pass(time.Second)
	r.get().answers(exchange.ReasonBreakerOpen, 503).end()
	b.SetLifecycle(i, balancer.Running, "restarted", r.now)
	r.get().finish()
	r.idle()
}

func TestTheEndOfAnEjectionDoesNotHastenTheBreaker(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, func(c *exchange.FunctionConfig) {
		withBreaker(c)
		c.Breaker.FailureThreshold = 50
		c.Balancer.Strategy = balancer.RoundRobin
		c.Balancer.Ejection = balancer.Ejection{BaseTime: 10 * time.Second}
	})
	for range 60 {
		if c := r.get(); c.step.Do == exchange.Attempt {
			c.reply(500)
		} else {
			c.end()
		}
	}
	if s := r.f.Breaker().State(); s != breaker.Open {
		t.Fatalf("breaker is %s, want open", s)
	}
	ejected := 0
	for _, i := range r.f.Balancer().Stats(r.now).Instances {
		ejected += map[bool]int{true: 1}[i.Ejected]
	}
	r.pass(11 * time.Second)
	for _, i := range r.f.Balancer().Stats(r.now).Instances {
		ejected -= map[bool]int{true: 1}[i.Ejected]
	}
	if ejected == 0 {
		t.Fatal("no ejection ended")
	}
	r.get().answers(exchange.ReasonBreakerOpen, 503).end()
	r.idle()
}
