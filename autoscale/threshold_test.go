package autoscale_test

import (
	"maps"
	"testing"
	"time"

	"holdfast/autoscale"
)

func TestThresholdsOfTheFunctionProfile(t *testing.T) {
	t.Parallel()
	p := autoscale.FunctionPolicy()
	p.Down.Hold = -1
	calm := values{autoscale.CPUPercent: 10, autoscale.MemoryPercent: 20, autoscale.ResponseTimeMS: 100, autoscale.ErrorRatePercent: 0, autoscale.IdleSeconds: 700}
	for _, c := range []struct {
		name   string
		change values
		result int
		rule   autoscale.Rule
	}{
		{"calm and idle", nil, 2, autoscale.ByThreshold},
		{"calm, a request 9 minutes ago", values{autoscale.IdleSeconds: 540}, 3, autoscale.ByNothing},
		{"on the limit is not above it", values{autoscale.CPUPercent: 70}, 3, autoscale.ByNothing},
		{"cpu", values{autoscale.CPUPercent: 70.1}, 4, autoscale.ByThreshold},
		{"memory", values{autoscale.MemoryPercent: 81}, 4, autoscale.ByThreshold},
		{"response time", values{autoscale.ResponseTimeMS: 2001}, 4, autoscale.ByThreshold},
		{"errors", values{autoscale.ErrorRatePercent: 6}, 4, autoscale.ByThreshold},
		{"one of four not below", values{autoscale.MemoryPercent: 40}, 3, autoscale.ByNothing},
	} {
		v := maps.Clone(calm)
		maps.Copy(v, c.change)
		d := autoscale.Decide(p, settledState(3), autoscale.Signals{Desired: 3, Instances: ready(3, nil), Values: v}, at(0))
		if d.Result != c.result || d.Rule != c.rule {
			t.Errorf("%s: %d by %s, want %d by %s\n%s", c.name, d.Result, d.Rule, c.result, c.rule, lines(&d))
		}
	}
}

func TestAnUnknownSignalForbidsRemoving(t *testing.T) {
	t.Parallel()
	p := autoscale.ServicePolicy()
	p.Down.Hold = -1
	all := values{autoscale.CPUPercent: 10, autoscale.MemoryPercent: 20, autoscale.ActiveConnections: 3, autoscale.ResponseTimeMS: 100}
	want(t, autoscale.Decide(p, settledState(3), autoscale.Signals{Desired: 3, Values: all}, at(0)), 2, autoscale.ByThreshold)
	for name := range all {
		v := maps.Clone(all)
		delete(v, name)
		d := autoscale.Decide(p, settledState(3), autoscale.Signals{Desired: 3, Values: v}, at(0))
		if d.Result != 3 {
			t.Errorf("without %s: %d instances, want 3", name, d.Result)
		}
	}
}

func TestWithoutRequestsNothingIsSlowAndNothingFails(t *testing.T) {
	t.Parallel()
	p := quick(1, 5)
	p.Thresholds = autoscale.Thresholds{Up: values{autoscale.ErrorRatePercent: 5}, Down: values{autoscale.ResponseTimeMS: 1000}}
	want(t, decide(p, autoscale.Signals{Desired: 3, Values: values{autoscale.OfferedRate: 0}}), 2, autoscale.ByThreshold)
	want(t, decide(p, autoscale.Signals{Desired: 3, Values: values{autoscale.OfferedRate: 1}}), 3, autoscale.ByNothing)
	want(t, decide(p, autoscale.Signals{Desired: 3}), 3, autoscale.ByNothing) // nothing is known at all
}

func TestAnInstanceThatSaysNothingIsNotKnownToBeIdle(t *testing.T) {
	t.Parallel()
	p := quick(1, 5)
	p.Thresholds = autoscale.Thresholds{Down: values{autoscale.CPUPercent: 30}}
	some := append(ready(2, values{autoscale.CPUPercent: 5}), autoscale.Instance{ID: "new"})
	want(t, decide(p, autoscale.Signals{Desired: 3, Instances: some}), 3, autoscale.ByNothing)
	some[2].Values = values{autoscale.CPUPercent: 5}
	want(t, decide(p, autoscale.Signals{Desired: 3, Instances: some}), 2, autoscale.ByThreshold)
}

func TestStepsGrowWithTheDistance(t *testing.T) {
	t.Parallel()
	p := quick(1, 50)
	p.Thresholds = autoscale.Thresholds{
		Up:    values{autoscale.CPUPercent: 50},
		Steps: []autoscale.Step{{Over: 40, Add: 2, Percent: 50}, {Over: 0, Add: 1}, {Over: 20, Add: 3}},
	}
	for cpu, result := range map[float64]int{50: 10, 51: 11, 60: 13, 69: 13, 70: 15, 100: 15} {
		d := decide(p, autoscale.Signals{Desired: 10, Values: values{autoscale.CPUPercent: cpu}})
		if d.Result != result {
			t.Errorf("cpu %v: %d instances, want %d", cpu, d.Result, result)
		}
	}
}

func TestInstancesThatStartAreNotAddedTwice(t *testing.T) {
	t.Parallel()
	p := quick(1, 10)
	p.Thresholds = autoscale.Thresholds{Up: values{autoscale.CPUPercent: 50}}
	s := autoscale.Signals{Desired: 2, Instances: append(ready(1, values{autoscale.CPUPercent: 99}), others(1, autoscale.Starting, at(-time.Second))...)}
	want(t, decide(p, s), 2, autoscale.ByNothing)
	s.Instances[1].State = autoscale.Ready
	want(t, decide(p, s), 3, autoscale.ByThreshold)
}

func TestStepsDownGrowWithTheLeastDistance(t *testing.T) {
	t.Parallel()
	p := quick(1, 50)
	p.Thresholds = autoscale.Thresholds{
		Down: values{autoscale.CPUPercent: 40, autoscale.ActiveConnections: 20}, Remove: 2,
		StepsDown: []autoscale.StepDown{{Under: 75, Remove: 1, Percent: 55}, {Under: 50, Remove: 4}},
	}
	for _, c := range []struct {
		cpu, connections float64
		result           int
	}{
		{39, 1, 8}, // only the connections are far below
		{20, 10, 6},
		{20.1, 10, 8},
		{9, 10, 6},
		{9, 5, 5}, // 55 % of ten, rounded down
		{0, 0, 5},
		{40, 0, 10},
	} {
		d := decide(p, autoscale.Signals{Desired: 10, Values: values{autoscale.CPUPercent: c.cpu, autoscale.ActiveConnections: c.connections}})
		if d.Result != c.result {
			t.Errorf("cpu %v, %v connections: %d instances, want %d\n%s", c.cpu, c.connections, d.Result, c.result, lines(&d))
		}
	}
}

func TestThresholdsOfTheServiceProfile(t *testing.T) {
	t.Parallel()
	p := autoscale.ServicePolicy()
	p.Down.Hold = -1
	calm := values{autoscale.CPUPercent: 29, autoscale.MemoryPercent: 39, autoscale.ActiveConnections: 19, autoscale.ResponseTimeMS: 499, autoscale.ErrorRatePercent: 90}
	for _, c := range []struct {
		name   string
		change values
		result int
	}{
		{"calm, whenever the last request came", nil, 2},
		{"cpu", values{autoscale.CPUPercent: 80.1}, 4},
		{"memory", values{autoscale.MemoryPercent: 85.1}, 4},
		{"connections", values{autoscale.ActiveConnections: 100.1}, 4},
		{"response time", values{autoscale.ResponseTimeMS: 2001}, 4},
		{"on the limits", values{autoscale.CPUPercent: 80, autoscale.MemoryPercent: 85, autoscale.ActiveConnections: 100, autoscale.ResponseTimeMS: 2000}, 3},
		{"connections not below", values{autoscale.ActiveConnections: 20}, 3},
		{"response time not below", values{autoscale.ResponseTimeMS: 500}, 3},
	} {
		v := maps.Clone(calm)
		maps.Copy(v, c.change)
		d := autoscale.Decide(p, settledState(3), autoscale.Signals{Desired: 3, Instances: ready(3, nil), Values: v}, at(0))
		if d.Result != c.result {
			t.Errorf("%s: %d, want %d\n%s", c.name, d.Result, c.result, lines(&d))
		}
	}
}
