package exchange_test

import (
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/retry"
)

func patient(c *exchange.FunctionConfig) { c.Policy.WaitForInstance = 2 * time.Second }

const again = 250 * time.Millisecond

func TestWhatIsWorthWaitingFor(t *testing.T) {
	t.Parallel()
	life := func(l balancer.Lifecycle) func(*rig) {
		return func(r *rig) { r.f.Balancer().SetLifecycle(r.f.Balancer().Instances()[0], l, "test", r.now) }
	}
	for name, c := range map[string]struct {
		managed bool
		make    func(*rig)
		waits   exchange.Reason // ReasonNone: answers
		fails   exchange.Reason
	}{
		"starting":                 {false, life(balancer.Starting), exchange.ReasonStarting, exchange.ReasonStarting},
		"not checked yet":          {false, func(r *rig) { health(r, balancer.HealthUnknown) }, exchange.ReasonStarting, exchange.ReasonStarting},
		"no instance known yet":    {false, func(r *rig) { r.f.SetInstances(nil, r.now) }, exchange.ReasonStarting, exchange.ReasonStarting},
		"gone":                     {false, life(balancer.Gone), exchange.ReasonNone, exchange.ReasonNoInstance},
		"stopped":                  {false, life(balancer.Stopped), exchange.ReasonNone, exchange.ReasonNoInstance},
		"gone, but a platform has": {true, life(balancer.Gone), exchange.ReasonNoInstance, exchange.ReasonNoInstance},
		"full": {false, func(r *rig) {
			r.instances(r.f, balancer.Spec{ID: "small", MaxInFlight: 1})
			r.get().wants(exchange.Attempt)
		}, exchange.ReasonInstancesFull, exchange.ReasonInstancesFull},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 1, func(f *exchange.FunctionConfig) {
				patient(f)
				f.Policy.Managed = c.managed
			})
			c.make(r)
			x := r.get()
			if c.waits == exchange.ReasonNone {
				x.answers(c.fails, 503).end()
				return
			}
			x.waits(c.waits, again)
			r.pass(2 * time.Second)
			x.next().answers(c.fails, 503).end()
			r.update(func(f *exchange.FunctionConfig) { f.Policy.WaitForInstance = 0 })
			r.get().answers(c.fails, 503).end()
		})
	}
}

func health(r *rig, h balancer.Health) {
	for _, i := range r.f.Balancer().Instances() {
		r.f.Balancer().SetHealth(i, h, "test", r.now)
	}
}

func TestAnInstanceThatBecomesReadyWakesAllWhoWait(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, patient)
	health(r, balancer.HealthUnknown)
	var all []*client
	for range 5 {
		all = append(all, r.get().waits(exchange.ReasonStarting, again))
	}
	r.pass(100 * time.Millisecond)
	health(r, balancer.HealthUp)
	for _, c := range all {
		c.woken(1).next().finish()
	}
	r.idle()
}

func TestSpuriousWakesAreHarmless(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, patient)
	health(r, balancer.HealthUnknown)
	c := r.get()
	for n := range 10 {
		r.pass(10 * time.Millisecond)
		c.next().waits(exchange.ReasonStarting, again)
		if waiting, d := r.f.Waiting(r.now); waiting != 1 || d != time.Duration(n+1)*10*time.Millisecond {
			t.Fatalf("%d wait for %s after %d wakes", waiting, d, n+1)
		}
	}
	health(r, balancer.HealthUp)
	c.woken(1).next().wants(exchange.Attempt)
	c.next().wants(exchange.Wait) // an engine that asks while it should send
	c.step.Attempt = 0
	c.status(200).wants(exchange.Relay).next().wants(exchange.Wait)
	c.done(exchange.Outcome{}).next().wants(exchange.Finished).end().next().wants(exchange.Finished)
	r.idle()
}

func TestAChanceThatIsNotUsedGoesToTheNextInLine(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, patient)
	r.instances(r.f, balancer.Spec{ID: "small", MaxInFlight: 1})
	holder := r.get().wants(exchange.Attempt)
	a, b := r.get().wants(exchange.Wait), r.get().wants(exchange.Wait)
	holder.status(200).done(exchange.Outcome{})
	a.woken(1)
	b.woken(0)
	// a goes without using its chance: it must be b's.
	a.gone()
	b.woken(1)
	// A newcomer takes the chance first: b waits on, in its place.
	holder.end()
	thief := r.get().wants(exchange.Attempt)
	b.next().waits(exchange.ReasonInstancesFull, again)
	c := r.get().wants(exchange.Wait)
	thief.finish()
	c.woken(0)
	b.woken(1).next().finish()
	c.woken(1).next().finish()
	r.idle()
}

func TestOneFreedInstanceWakesOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, patient)
	r.instances(r.f, balancer.Spec{ID: "small", MaxInFlight: 2})
	one, two := r.get(), r.get()
	var line []*client
	for range 4 {
		line = append(line, r.get().waits(exchange.ReasonInstancesFull, again))
	}
	one.finish()
	two.finish()
	line[0].woken(1)
	line[1].woken(1)
	line[2].woken(0)
	line[1].next().wants(exchange.Attempt)
	line[0].next().wants(exchange.Attempt)
	line[2].next().waits(exchange.ReasonInstancesFull, again) // woken by those who went: for nothing
	line[0].finish()
	line[1].finish()
	line[2].next().finish()
	line[3].next().finish()
	r.idle()
}

func TestHoldingEndsWithTheExchange(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, func(c *exchange.FunctionConfig) {
		c.Policy.WaitForInstance, c.Policy.Timeouts.Exchange = time.Hour, 3*time.Second
	})
	health(r, balancer.HealthUnknown)
	c := r.get()
	r.pass(3*time.Second - 1)
	c.next().waits(exchange.ReasonStarting, 1)
	r.pass(1)
	c.next().answers(exchange.ReasonExchangeTimeout, 504).end()
	r.idle()
}

func TestEveryAttemptMayBeWaitedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, func(c *exchange.FunctionConfig) {
		patient(c)
		c.Policy.Managed = true
	})
	i := r.f.Balancer().Instances()[0]
	c := r.get().wants(exchange.Attempt)
	r.pass(10 * time.Second) // longer than the hold
	r.f.Balancer().SetLifecycle(i, balancer.Gone, "killed", r.now)
	c.fails(retry.Reset).wants(exchange.Wait)
	for c.step.Reason == exchange.ReasonBackoff {
		r.now = c.step.Until
		c.next()
	}
	c.waits(exchange.ReasonNoInstance, again)
	r.pass(time.Second)
	r.f.Balancer().SetLifecycle(i, balancer.Running, "restarted", r.now)
	c.woken(1).next().finish()
	r.idle()
}

func TestOnlySoManyWaitForAnInstance(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, patient)
	health(r, balancer.HealthUnknown)
	var all []*client
	for {
		c := r.get()
		if c.step.Do == exchange.Answer {
			c.answers(exchange.ReasonStarting, 503).end()
			break
		}
		all = append(all, c)
	}
	if len(all) != 4096 {
		t.Errorf("%d wait, want 4096", len(all))
	}
	health(r, balancer.HealthUp)
	for _, c := range all {
		c.woken(1).next().finish()
	}
	r.idle()
}

func TestTheEndOfAnInstanceIsToldToThoseWhoWaitForIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, patient)
	health(r, balancer.HealthUnknown)
	c := r.get()
	r.f.Balancer().SetLifecycle(r.f.Balancer().Instances()[0], balancer.Stopped, "scaled in", r.now)
	c.woken(1).next().answers(exchange.ReasonNoInstance, 503).end()
	r.idle()
}

// A new instance with a slow start is recovering before and after it is ready:
// its balancer has nothing to tell.
func TestWhatBecomesReadyWithoutANoiseIsFoundByLookingAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, func(c *exchange.FunctionConfig) {
		patient(c)
		c.Balancer.SlowStart.Window = time.Minute
	})
	i := r.f.Balancer().Instances()[0]
	r.f.Balancer().SetLifecycle(i, balancer.Starting, "restarted", r.now)
	c := r.get().waits(exchange.ReasonStarting, again)
	r.f.Balancer().SetLifecycle(i, balancer.Running, "ready", r.now)
	r.now = c.step.Until
	c.next().finish()
	r.idle()
}

func TestInstancesThatAreGivenBackWakeThoseWhoWait(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, patient)
	list := r.f.Balancer().Instances()
	r.f.SetInstances(nil, r.now)
	c := r.get().waits(exchange.ReasonStarting, again)
	r.f.SetInstances(list, r.now)
	if c.wakes.Swap(0) == 0 {
		t.Error("nobody was woken")
	}
	c.next().finish()
	r.idle()
}
