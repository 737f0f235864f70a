package breaker_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/breaker"
)

// crowd is many goroutines on one breaker.
type crowd struct {
	b         *breaker.Breaker
	clock     atomic.Int64
	listening atomic.Bool
	events    []breaker.Event // written by the listener alone
	t         *testing.T
}

func (c *crowd) now() time.Time {
	return epoch.Add(time.Duration(c.clock.Add(int64(time.Millisecond))))
}

func (c *crowd) listen(e breaker.Event) {
	if c.listening.Swap(true) {
		c.t.Error("two events at once")
	}
	c.events = append(c.events, e)
	c.b.Snapshot(e.At)
	c.listening.Store(false)
}

// member calls, with an outage in every second half thousand calls; one member is the operator too.
func (c *crowd) member(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 4))
	for i := range 6_000 {
		o := breaker.Success
		if i/500%2 == 1 && r.IntN(4) > 0 {
			o = breaker.Failure
		}
		if p, ok := c.b.Allow(c.now()); ok {
			c.b.Done(p, o, time.Duration(r.IntN(100)), c.now())
		}
		switch {
		case i%2999 == 0 && seed == 0:
			c.b.ForceOpen("drill", c.now())
			c.b.Reset("drill", c.now())
		case i%997 == 0:
			if err := c.b.Update(c.b.Config()); err != nil {
				c.t.Error(err)
			}
		}
	}
}

func TestManyGoroutinesSeeOneBreaker(t *testing.T) {
	t.Parallel()
	c := &crowd{t: t}
	b, err := breaker.New(breaker.Config{
		FailureThreshold: 4, RecoveryTimeout: time.Second, Growth: 1, HalfOpenTimeout: time.Hour, OnEvent: c.listen,
		Window: breaker.Window{Kind: breaker.WindowTime, Duration: time.Second, FailureRatePercent: 60},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.b = b
	var wg sync.WaitGroup
	for seed := range uint64(8) {
		wg.Go(func() { c.member(seed) })
	}
	wg.Wait()
	// Fewer events than the outbox holds, so none may be missing however the machine schedules the listener.
	if n := b.Snapshot(epoch).EventsDropped; n != 0 {
		t.Fatalf("%d of %d events dropped", n, len(c.events))
	}
	from := breaker.Closed
	for i, e := range c.events {
		if e.From != from {
			t.Fatalf("event %d comes from %s, the one before went to %s", i, e.From, from)
		}
		from = e.To
	}
	if from != b.State() || len(c.events) < 20 {
		t.Errorf("%d events end in %s, the breaker in %s", len(c.events), from, b.State())
	}
}

func TestManyGoroutinesNeverRunMoreThanThreeProbes(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{})
	h.trip()
	var running, total atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5000 {
				p, ok := h.Allow(h.now)
				if !ok {
					continue
				}
				total.Add(1)
				if n := running.Add(1); n > 3 {
					t.Errorf("%d probes at once", n)
				}
				runtime.Gosched()
				running.Add(-1)
				h.done(p, breaker.Ignored)
			}
		})
	}
	wg.Wait()
	if total.Load() < 100 || h.Snapshot(h.now).HalfOpenCalls != 0 {
		t.Errorf("%d probes ran, %d still do", total.Load(), h.Snapshot(h.now).HalfOpenCalls)
	}
}

func TestConcurrentFailuresOpenOnce(t *testing.T) {
	t.Parallel()
	for range 200 {
		h := newBench(t, breaker.Config{})
		var permits []breaker.Permit
		for range 16 {
			permits = append(permits, h.permit())
		}
		var wg sync.WaitGroup
		for i, p := range permits {
			wg.Go(func() { h.Done(p, breaker.Failure, 0, epoch.Add(time.Duration(i))) })
		}
		wg.Wait()
		if len(h.events) != 1 || h.events[0].FailureCount != 5 {
			t.Fatalf("events %+v, want one after five failures", h.events)
		}
		if got := h.Snapshot(h.now).LastFailure; !got.Equal(h.events[0].At) {
			t.Fatalf("a failure %s after the breaker opened was counted", got.Sub(h.events[0].At))
		}
	}
}
