package exchange_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
)

// Ten spikes of 100 exchanges, each 30 ms long and none at a moment when somebody
// looks every 100 ms.
func TestSpikesBetweenTwoLooksAreInTheAverage(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	before, sampled := r.f.Presence(r.now), 0
	for range 10 {
		sampled += r.f.InFlight()
		r.pass(40 * time.Millisecond)
		var spike []*client
		for range 100 {
			spike = append(spike, r.get())
		}
		r.pass(30 * time.Millisecond)
		for _, c := range spike {
			c.finish()
		}
		r.pass(30 * time.Millisecond)
	}
	working, waiting := r.f.Presence(r.now).Since(before)
	if math.Abs(working-30) > 0.1 || waiting != 0 {
		t.Errorf("%v at work on average, %v wait; 100 were there for 30 %% of the time", working, waiting)
	}
	if sampled != 0 {
		t.Errorf("the spikes can be seen in %d samples: this test shows nothing", sampled)
	}
}

func TestWhoWaitsIsNotAtWork(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, func(c *exchange.FunctionConfig) {
		patient(c)
		c.Policy.MaxInFlight, c.Policy.QueueSize, c.Policy.QueueTimeout = 3, 10, time.Minute
	})
	r.instances(r.f, balancer.Spec{ID: "small", MaxInFlight: 1})
	before := r.f.Presence(r.now)
	first := r.get().wants(exchange.Attempt)
	second, third := r.get().wants(exchange.Wait), r.get().wants(exchange.Wait) // inside, for the instance
	fourth := r.get().waits(exchange.ReasonQueued, time.Minute)                 // outside, for a place
	if working, waiting := r.f.Presence(r.now).Since(before); working != 1 || waiting != 3 {
		t.Errorf("at once: %v at work, %v wait; want 1 and 3", working, waiting)
	}
	if n := r.f.Presence(r.now).Count(); n != 4 {
		t.Errorf("%d are there, want all four", n)
	}
	r.pass(time.Second)
	if working, waiting := r.f.Presence(r.now).Since(before); math.Abs(working-1) > 1e-4 || math.Abs(waiting-3) > 1e-4 {
		t.Errorf("%v at work, %v wait; want 1 and 3", working, waiting)
	}
	before = r.f.Presence(r.now)
	first.finish()
	r.update(func(c *exchange.FunctionConfig) { c.Policy.MaxInFlight = 0 }) // lets in by its own
	second.next()
	third.gone()
	fourth.gone()
	r.pass(time.Second)
	if working, waiting := r.f.Presence(r.now).Since(before); math.Abs(working-1) > 1e-3 || math.Abs(waiting) > 1e-3 {
		t.Errorf("%v at work, %v wait; want 1 and 0", working, waiting)
	}
	second.finish()
	r.idle()
}

// The integral is that of the definition, whoever comes and goes whenever.
func TestTheAverageIsTheIntegral(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		r := newRig(t, 1, nil)
		var inside []*client
		before, sum, begin := r.f.Presence(r.now), 0.0, r.now
		for range 500 {
			if n := len(inside); n > 0 && rnd.IntN(2) == 0 {
				k := rnd.IntN(n)
				inside[k].finish()
				inside[k] = inside[n-1]
				inside = inside[:n-1]
			} else {
				inside = append(inside, r.get())
			}
			d := time.Duration(rnd.ExpFloat64() * float64(10*time.Millisecond))
			sum += float64(len(inside)) * d.Seconds()
			r.pass(d)
		}
		want := sum / r.now.Sub(begin).Seconds()
		if got, _ := r.f.Presence(r.now).Since(before); math.Abs(got-want) > 0.001*want {
			t.Errorf("seed %d: %v on average, want %v", seed, got, want)
		}
		for _, c := range inside {
			c.finish()
		}
		r.idle()
	}
}
