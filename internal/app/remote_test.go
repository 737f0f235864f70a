package app

import (
	"slices"
	"testing"
	"time"

	"holdfast/autoscale"
	"holdfast/internal/config"
	"holdfast/internal/platform"
	"holdfast/internal/scaler"
)

func TestWhoServesLeastGoesFirst(t *testing.T) {
	t.Parallel()
	old, young := time.Unix(1, 0), time.Unix(100, 0)
	list := []candidate{
		{id: "busy", serves: true, inFlight: 9, since: young},
		{id: "idle-old", serves: true, since: old},
		{id: "idle-young", serves: true, since: young},
		{id: "starting", since: old},
		{id: "drained", leaving: true, serves: true, inFlight: 3, since: old},
	}
	want := []string{"drained", "starting", "idle-young", "idle-old", "busy"}
	for n := range 8 {
		if got := victimsOf(list, n); !slices.Equal(got, want[:min(n, len(want))]) {
			t.Errorf("%d go: %v, want %v", n, got, want[:min(n, len(want))])
		}
	}
	if got := victimsOf(list, -1); len(got) != 0 {
		t.Errorf("none are too many, and %v go", got)
	}
}

func TestOnlyWhatWasAskedForIsTooMany(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ desired, present, n, want int }{
		{3, 3, 1, 2},
		{3, 3, 3, 0},
		{3, 3, 5, 0},
		{3, 4, 2, 1}, // a new version takes over, and one more is there meanwhile
		{5, 3, 4, 0}, // two have not been made yet
		{2, 2, 0, 2},
	} {
		if got := tooMany(c.desired, c.present, c.n); got != c.want {
			t.Errorf("%d of %d desired are there and %d shall stay: %d go, want %d", c.present, c.desired, c.n, got, c.want)
		}
	}
}

func TestAnObservationHoldsForItsTime(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r := &remote{seen: &platform.Observation{Desired: 2}, heard: now}
	if _, trouble, ok := r.current(now.Add(platform.Freshness)); !ok {
		t.Errorf("an observation that is fresh does not hold: %s", trouble)
	}
	if _, trouble, ok := r.current(now.Add(platform.Freshness + time.Second)); ok || trouble == "" {
		t.Error("one that is old holds")
	}
	r.trouble = "connection refused"
	if _, trouble, ok := r.current(now); ok || trouble != "connection refused" {
		t.Errorf("after an error it holds: %q", trouble)
	}
	if _, _, ok := (&remote{}).current(now); ok {
		t.Error("what was never seen holds")
	}
}

func TestAnOrderThatFailedWaitsLongerEachTime(t *testing.T) {
	t.Parallel()
	at := time.Unix(1000, 0)
	last := time.Duration(0)
	for times := 1; times < 40; times++ {
		f := remoteFailure{at: at, times: times}
		wait := f.again().Sub(at)
		if wait < last || wait > mostOrderWait {
			t.Fatalf("after %d failures it waits %s, before it was %s", times, wait, last)
		}
		last = wait
	}
	if last != mostOrderWait {
		t.Errorf("in the end it waits %s", last)
	}
}

func TestOnlyWhereADriverGoesMakesItAnother(t *testing.T) {
	t.Parallel()
	f := config.NewFunction("")
	f.Platform.DockerSwarm = &config.DockerSwarm{Service: "web", Port: 80, ReadyTimeout: 1}
	r := &remote{watch: &watch{}, at: f.Platform}
	other := *f
	other.Platform.DockerSwarm = &config.DockerSwarm{Service: "web", Port: 80, ReadyTimeout: 2}
	if r.adopt(&other) {
		t.Error("another time to become ready makes another driver")
	}
	other.Platform.DockerSwarm = &config.DockerSwarm{Service: "web", Port: 81}
	if !r.adopt(&other) {
		t.Error("another port does not make another driver")
	}
}

func TestUsageFillsInWhatInstancesDoNotSay(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r := &remote{usage: map[string]platform.Usage{
		"a": {CPUPercent: 50, MemoryPercent: -1, At: now},
		"b": {CPUPercent: 60, MemoryPercent: 70, At: now},
		"c": {CPUPercent: 60, MemoryPercent: 70, At: now.Add(-time.Hour)},
	}}
	m := scaler.Measured{Instances: map[string]map[autoscale.Signal]float64{"b": {autoscale.CPUPercent: 10}}}
	r.addUsage(&m, now)
	if _, known := m.Instances["a"][autoscale.MemoryPercent]; known || m.Instances["a"][autoscale.CPUPercent] != 50 {
		t.Errorf("a: %v", m.Instances["a"])
	}
	if m.Instances["b"][autoscale.CPUPercent] != 10 || m.Instances["b"][autoscale.MemoryPercent] != 70 {
		t.Errorf("b: %v", m.Instances["b"])
	}
	if m.Instances["c"] != nil {
		t.Errorf("what is old counts: %v", m.Instances["c"])
	}
}
