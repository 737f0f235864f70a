package autoscale_test

import (
	"testing"
	"time"

	"holdfast/autoscale"
)

func TestATargetIsTrackedAsTheHorizontalPodAutoscalerDoes(t *testing.T) {
	t.Parallel()
	starting, silent := others(2, autoscale.Starting, at(-time.Second)), others(2, autoscale.Ready, at(-time.Hour))
	cpu := func(n int, v float64) []autoscale.Instance { return ready(n, values{autoscale.CPUPercent: v}) }
	for _, c := range []struct {
		name      string
		desired   int
		instances []autoscale.Instance
		result    int
	}{
		{"twice the target", 4, cpu(4, 100), 8},
		{"half the target", 4, cpu(4, 25), 2},
		{"rounded up", 3, cpu(3, 60), 4},
		{"within tolerance above", 4, cpu(4, 55), 4},
		{"within tolerance below", 4, cpu(4, 45), 4},
		{"just outside of it", 10, cpu(10, 55.1), 12},
		{"those that start count as idle", 4, append(cpu(2, 100), starting...), 4},
		{"much more even so", 4, append(cpu(2, 150), starting...), 6},
		{"those that start do not keep others from going", 6, append(cpu(4, 20), starting...), 6}, // they are still starting
		{"silent ones count as busy on the way down", 4, append(cpu(2, 10), silent...), 3},
		{"silent ones count as idle on the way up", 4, append(cpu(2, 150), silent...), 6},
		{"silent ones must not turn the direction", 4, append(cpu(2, 60), silent...), 4},
		{"nobody says anything", 2, silent, 2},
		{"draining ones are not looked at", 2, append(cpu(2, 50), others(3, autoscale.Draining, at(0))...), 2},
	} {
		d := decide(cpuTarget(1, 20), autoscale.Signals{Desired: c.desired, Instances: c.instances})
		if d.Result != c.result {
			t.Errorf("%s: %d instances, want %d\n%s", c.name, d.Result, c.result, lines(&d))
		}
	}
}

func TestTheLargestOfSeveralTargetsCounts(t *testing.T) {
	t.Parallel()
	p := cpuTarget(1, 20)
	p.Targets = append(p.Targets, autoscale.Target{Signal: autoscale.OfferedRate, Value: 10}, autoscale.Target{Signal: "custom:jobs", Value: 5})
	s := autoscale.Signals{Desired: 4, Instances: ready(4, values{autoscale.CPUPercent: 25}), Values: values{autoscale.OfferedRate: 80, "custom:jobs": 10}}
	want(t, decide(p, s), 8, autoscale.ByTarget)
	s.Values[autoscale.OfferedRate] = 1
	want(t, decide(p, s), 2, autoscale.ByTarget)
	delete(s.Values, "custom:jobs")
	want(t, decide(p, s), 4, autoscale.ByMissing)
	s.Values[autoscale.OfferedRate] = 80 // what is missing does not keep others from adding
	want(t, decide(p, s), 8, autoscale.ByTarget)
}

func TestASumIsSharedAndARatioScales(t *testing.T) {
	t.Parallel()
	p := quick(0, 100)
	p.Targets = []autoscale.Target{{Signal: autoscale.InFlight, Value: 4}}
	want(t, decide(p, autoscale.Signals{Desired: 2, Values: values{autoscale.InFlight: 40}}), 10, autoscale.ByTarget)
	want(t, decide(p, autoscale.Signals{Desired: 10, Values: values{autoscale.InFlight: 37}}), 10, autoscale.ByNothing) // within tolerance
	p.Targets = []autoscale.Target{{Signal: autoscale.ResponseTimeMS, Value: 200}}
	want(t, decide(p, autoscale.Signals{Desired: 4, Values: values{autoscale.ResponseTimeMS: 500}}), 10, autoscale.ByTarget)
	p.Targets = []autoscale.Target{{Signal: "custom:lag", Value: 10, Kind: autoscale.Ratio}}
	want(t, decide(p, autoscale.Signals{Desired: 4, Values: values{"custom:lag": 15}}), 6, autoscale.ByTarget)
}

func TestOnlyUnknownIsUnknownWhereThereIsNothing(t *testing.T) {
	t.Parallel()
	want(t, decide(cpuTarget(0, 5), autoscale.Signals{}), 0, autoscale.ByNothing)
	want(t, decide(cpuTarget(2, 5), autoscale.Signals{}), 2, autoscale.ByBounds)
}
