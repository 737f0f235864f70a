package autoscale_test

import (
	"math"
	"testing"
	"time"

	"holdfast/autoscale"
)

// The numbers of slots for a busy ones are those of the Erlang C tables.
func TestTheCapacityModelAgreesWithErlangsTables(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		busy    float64
		waiting float64
		slots   int
	}{
		{1, 0.2, 3},
		{1, 0.05, 4},
		{5, 0.2, 8},
		{5, 0.05, 10},
		{20, 0.2, 26},
		{20, 0.05, 29},
		{100, 0.2, 111},
		{100, 0.05, 119},
		{500, 0.2, 525},
		{500, 0.05, 540},
	} {
		model := autoscale.Capacity{Waiting: c.waiting}
		if got := model.Instances(c.busy*10, 100*time.Millisecond, 10_000); got != c.slots {
			t.Errorf("%v busy, %v may wait: %d slots, want %d", c.busy, c.waiting, got, c.slots)
		}
	}
}

func TestTheModelLeavesSmallFunctionsMoreRoom(t *testing.T) {
	t.Parallel()
	used := func(rate float64) float64 {
		return rate * 0.1 / float64(autoscale.Capacity{}.Instances(rate, 100*time.Millisecond, 10_000))
	}
	for _, rates := range [][2]float64{{10, 100}, {100, 1000}, {1000, 10_000}} {
		if small, large := used(rates[0]), used(rates[1]); small >= large {
			t.Errorf("%v requests/s are to use %.2f of the slots, %v requests/s %.2f", rates[0], small, rates[1], large)
		}
	}
}

func TestTheModelCountsWhatItIsTold(t *testing.T) {
	t.Parallel()
	base := autoscale.Capacity{}.Instances(200, 100*time.Millisecond, 1000)
	if n := (autoscale.Capacity{Slots: 8}).Instances(200, 100*time.Millisecond, 1000); n != int(math.Ceil(float64(base)/8)) {
		t.Errorf("8 slots: %d instances, want %d slots", n, base)
	}
	if n := (autoscale.Capacity{MaxWait: 50 * time.Millisecond}).Instances(200, 100*time.Millisecond, 1000); n >= base {
		t.Errorf("with a wait that nobody minds: %d instances, want fewer than %d", n, base)
	}
	if n := (autoscale.Capacity{Variation: 4}).Instances(200, 100*time.Millisecond, 1000); n <= base {
		t.Errorf("with bursts: %d instances, want more than %d", n, base)
	}
	if n := (autoscale.Capacity{}).Instances(1e12, time.Second, 7); n != 7 {
		t.Errorf("far beyond the limit: %d, want 7", n)
	}
	if n := (autoscale.Capacity{}).Instances(0, time.Second, 7); n != 0 {
		t.Errorf("without requests: %d, want 0", n)
	}
}

func TestARateOnTheEdgeBetweenTwoNumbersChangesNothing(t *testing.T) {
	t.Parallel()
	p := quick(1, 100)
	p.Capacity = &autoscale.Capacity{Slots: 1}
	at := func(desired int, rate float64) autoscale.Decision {
		return decide(p, autoscale.Signals{Desired: desired, Values: values{autoscale.OfferedRate: rate, autoscale.ServiceTimeMS: 100}})
	}
	edge := 50.0
	for autoscale.Capacity.Instances(autoscale.Capacity{}, edge, 100*time.Millisecond, 100) == 10 {
		edge += 0.1
	}
	want(t, at(10, edge), 11, autoscale.ByCapacity)
	want(t, at(11, edge-0.1), 11, autoscale.ByNothing)
	want(t, at(11, edge*0.8), 10, autoscale.ByCapacity)
	d := decide(p, autoscale.Signals{Desired: 5, Values: values{autoscale.OfferedRate: 1}})
	want(t, d, 5, autoscale.ByNothing) // nobody knows how long one takes
}
