package exchange_test

import (
	"testing"
	"time"

	"holdfast/exchange"
)

// limited lets one exchange in and two wait for a second.
func limited(c *exchange.FunctionConfig) { c.Policy.MaxInFlight, c.Policy.QueueSize = 1, 2 }

func TestAdmissionDecidesByPlacesAndQueue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at   exchange.Place
		want exchange.Verdict
	}{
		"no limit":                      {exchange.Place{InFlight: 1000}, exchange.Entered},
		"room":                          {exchange.Place{InFlight: 4, Limit: 5, QueueSize: 1}, exchange.Entered},
		"room, but others wait for it":  {exchange.Place{InFlight: 4, Limit: 5, Queued: 1, QueueSize: 2}, exchange.Queued},
		"full":                          {exchange.Place{InFlight: 5, Limit: 5, QueueSize: 1}, exchange.Queued},
		"full, no queue":                {exchange.Place{InFlight: 5, Limit: 5}, exchange.Refused},
		"full, queue full":              {exchange.Place{InFlight: 5, Limit: 5, Queued: 1, QueueSize: 1}, exchange.Refused},
		"over a limit that was lowered": {exchange.Place{InFlight: 9, Limit: 5, QueueSize: 1}, exchange.Queued},
	} {
		if got := c.at.Decide(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestAFreedPlaceGoesToTheFirstInTheQueue(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, limited)
	first := r.get().wants(exchange.Attempt)
	second := r.get().waits(exchange.ReasonQueued, time.Second)
	third := r.get().waits(exchange.ReasonQueued, time.Second)
	r.get().answers(exchange.ReasonQueueFull, 503).end()

	r.pass(300 * time.Millisecond)
	first.status(200).done(exchange.Outcome{})
	second.woken(0)
	first.end()
	second.woken(1)
	third.woken(0)
	// Nobody overtakes: the place is taken, though second has not looked yet.
	r.get().waits(exchange.ReasonQueued, time.Second).gone()
	third.next().waits(exchange.ReasonQueued, 700*time.Millisecond)
	second.next().finish()
	if q := second.rec().Queued; q != 300*time.Millisecond {
		t.Errorf("queued for %s, want 300ms", q)
	}
	third.woken(1).next().finish()
	r.idle()
}

func TestAPlaceInTheQueueIsNotHeldForEver(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, limited)
	first, second := r.get(), r.get()
	r.pass(time.Second - 1)
	second.next().waits(exchange.ReasonQueued, 1)
	r.pass(1)
	second.next().answers(exchange.ReasonQueueTimeout, 503).end()
	first.woken(0).finish()
	second.woken(0)
	r.idle()
}

func TestAPlaceThatComesWithTheTimeoutIsTaken(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, limited)
	first, second := r.get(), r.get()
	r.pass(time.Second)
	first.finish()
	second.next().finish()
	r.idle()
}

func TestADeadlineEndsTheQueueing(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, func(c *exchange.FunctionConfig) {
		limited(c)
		c.Policy.QueueTimeout, c.Policy.Timeouts.Exchange = time.Minute, 10*time.Second
	})
	first := r.get()
	second := r.get().waits(exchange.ReasonQueued, 10*time.Second)
	r.pass(10 * time.Second)
	second.next().answers(exchange.ReasonExchangeTimeout, 504).end()
	first.end()
	r.get().finish() // second's spot is not still in the queue
	r.idle()
}

func TestGivingUpInTheQueueLosesNoPlace(t *testing.T) {
	t.Parallel()
	t.Run("before its turn", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 1, limited)
		first, second, third := r.get(), r.get(), r.get()
		second.gone()
		third.woken(0) // second held nothing
		if n := r.f.InFlight(); n != 1 {
			t.Errorf("%d in flight, want 1", n)
		}
		first.finish()
		third.woken(1).next().finish()
		r.idle()
	})
	t.Run("after its turn came", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 1, limited)
		first, second, third := r.get(), r.get(), r.get()
		first.finish()
		second.woken(1).gone()
		third.woken(1).next().finish()
		r.idle()
	})
}

func TestANewLimitHoldsForThoseWhoWait(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from, to, begin int
		in              int // of the three that wait
	}{
		"raised by one": {1, 2, 1, 1},
		"raised by far": {1, 9, 1, 3},
		"lifted":        {1, 0, 1, 3},
		"lowered":       {2, 1, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 1, func(f *exchange.FunctionConfig) { f.Policy.MaxInFlight, f.Policy.QueueSize = c.from, 3 })
			var inside []*client
			for range c.begin {
				inside = append(inside, r.get().wants(exchange.Attempt))
			}
			waiting := []*client{r.get(), r.get(), r.get()}
			r.update(func(f *exchange.FunctionConfig) { f.Policy.MaxInFlight = c.to })
			for n, w := range waiting {
				w.woken(map[bool]int32{true: 1, false: 0}[n < c.in])
				if w.next(); n < c.in {
					inside = append(inside, w.wants(exchange.Attempt))
				} else {
					w.wants(exchange.Wait)
				}
			}
			for _, x := range inside {
				x.finish()
			}
			for _, w := range waiting[c.in:] {
				w.next().finish()
			}
			r.idle()
		})
	}
}

func TestALoweredLimitIsReachedAlsoWhileManyWait(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, func(f *exchange.FunctionConfig) { f.Policy.MaxInFlight, f.Policy.QueueSize = 3, 3 })
	a, b, c := r.get(), r.get(), r.get()
	d := r.get().wants(exchange.Wait)
	r.update(func(f *exchange.FunctionConfig) { f.Policy.MaxInFlight = 1 })
	a.finish()
	b.finish()
	d.woken(0)
	if n := r.f.InFlight(); n != 1 {
		t.Errorf("%d in flight under a limit of 1", n)
	}
	c.finish()
	d.woken(1).next().finish()
	r.idle()
}

func TestALimitThatIsNewHoldsForThoseWhoCameBeforeIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	first := r.get() // without a limit
	r.update(limited)
	second := r.get().waits(exchange.ReasonQueued, time.Second)
	first.finish()
	second.woken(1).next().finish()
	r.idle()
}

func TestWaitingTellsHowManyAndHowLong(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, limited)
	first, second := r.get(), r.get()
	r.pass(200 * time.Millisecond)
	third := r.get()
	r.pass(100 * time.Millisecond)
	if n, d := r.f.Waiting(r.now); n != 2 || d != 300*time.Millisecond {
		t.Errorf("%d wait, the first for %s; want 2 and 300ms", n, d)
	}
	for _, c := range []*client{first, second, third} {
		c.gone()
	}
	r.idle()
}
