package autoscale_test

import (
	"testing"
	"time"

	"holdfast/autoscale"
)

func panicky() autoscale.Policy {
	p := quick(1, 100)
	p.Targets = []autoscale.Target{{Signal: autoscale.InFlight, Value: 10}}
	p.Up.Hold, p.Cooldown = time.Hour, time.Hour
	return p
}

func burst(n, starting int, inside, queue float64) autoscale.Signals {
	return autoscale.Signals{
		Desired:   n + starting,
		Instances: append(ready(n, nil), others(starting, autoscale.Starting, at(0))...),
		Values:    values{autoscale.InFlight: 10 * float64(n)},
		Burst:     values{autoscale.InFlight: inside, autoscale.QueueLength: queue},
	}
}

func TestABurstSkipsTheRestsAndIsKept(t *testing.T) {
	t.Parallel()
	p := panicky()
	calm := autoscale.Decide(p, settledState(2), burst(2, 0, 30, 0), at(0))
	want(t, calm, 2, autoscale.ByNothing) // 1.5 times is not twice
	first := autoscale.Decide(p, calm.Next, burst(2, 0, 41, 0), at(5*time.Second))
	want(t, first, 5, autoscale.ByPanic)
	more := autoscale.Decide(p, first.Next, burst(2, 3, 80, 0), at(10*time.Second))
	want(t, more, 8, autoscale.ByPanic)
	over := autoscale.Decide(p, more.Next, burst(8, 0, 10, 0), at(50*time.Second))
	if over.Result != 8 {
		t.Errorf("%d instances while panic lasts, want 8", over.Result)
	}
	p.Cooldown = 0
	end := autoscale.Decide(p, over.Next, burst(8, 0, 10, 0), at(10*time.Second+time.Minute))
	if end.Result != 8 || !end.Next.PanicUntil.IsZero() {
		t.Errorf("%d instances, panic until %s", end.Result, end.Next.PanicUntil)
	}
}

func TestAQueueThatGrowsWhileInstancesStartIsNotAskedForTwice(t *testing.T) {
	t.Parallel()
	p := panicky()
	s, at0 := settledState(2), at(0)
	// 100 requests/s of 1 s each: two instances serve 20 at once, the rest waits
	// for those that start in a minute.
	desired := 2
	for tick := range 12 {
		in := burst(2, desired-2, 20, float64(tick+1)*5*80)
		in.Values[autoscale.ServiceTimeMS] = 1000
		d := autoscale.Decide(p, s, in, at0.Add(time.Duration(tick)*5*time.Second))
		s, desired = d.Next, d.Target()
	}
	// 4800 wait at the end; an instance works off 100 in 10 s. Taken for
	// concurrency they would have been 480 instances.
	if desired != 2+48 {
		t.Errorf("%d instances, want 50", desired)
	}
}

func TestWithoutMeasureOfABurstThereIsNoPanic(t *testing.T) {
	t.Parallel()
	p := panicky()
	in := burst(2, 0, 1000, 0)
	in.Burst = nil
	want(t, autoscale.Decide(p, settledState(2), in, at(0)), 2, autoscale.ByNothing)
	p.Panic.Off = true
	want(t, autoscale.Decide(p, settledState(2), burst(2, 0, 1000, 0), at(0)), 2, autoscale.ByNothing)
}
