package autoscale_test

import (
	"maps"
	"strings"
	"testing"

	"holdfast/autoscale"
)

const queue autoscale.Signal = "custom:queue"

func TestSignalsOfYourOwnAreTargetsAndThresholds(t *testing.T) {
	t.Parallel()
	p := quick(1, 9)
	p.Targets = []autoscale.Target{{Signal: queue, Value: 10}}
	want(t, decide(p, autoscale.Signals{Desired: 2, Values: values{queue: 45}}), 5, autoscale.ByTarget)
	p.Targets[0].Kind = autoscale.Mean
	want(t, decide(p, autoscale.Signals{Desired: 2, Instances: ready(2, values{queue: 25})}), 5, autoscale.ByTarget)

	p.Targets = nil
	p.Thresholds = autoscale.Thresholds{Up: values{queue: 20}, Down: values{queue: 5}}
	d := decide(p, autoscale.Signals{Desired: 2, Instances: ready(2, values{queue: 25})})
	want(t, d, 3, autoscale.ByThreshold)
	if text := lines(&d); !strings.Contains(text, "measured: custom:queue 25") {
		t.Errorf("what was measured is not told:\n%s", text)
	}
}

func TestAMissingSignalOfYourOwnForbidsRemovingButNotAdding(t *testing.T) {
	t.Parallel()
	p := quick(1, 9)
	p.Targets = []autoscale.Target{{Signal: queue, Value: 10}, {Signal: autoscale.InFlight, Value: 10}}
	all := values{queue: 5, autoscale.InFlight: 5}
	want(t, decide(p, autoscale.Signals{Desired: 4, Values: all}), 1, autoscale.ByTarget)
	v := maps.Clone(all)
	delete(v, queue)
	want(t, decide(p, autoscale.Signals{Desired: 4, Values: v}), 4, autoscale.ByMissing)
	v[autoscale.InFlight] = 75
	want(t, decide(p, autoscale.Signals{Desired: 4, Values: v}), 8, autoscale.ByTarget)
}

func TestThresholdsThatOnlyAddLeaveRemovingToTargets(t *testing.T) {
	t.Parallel()
	p := quick(1, 9)
	p.Thresholds.Up = values{autoscale.CPUPercent: 90}
	v := values{autoscale.CPUPercent: 20, autoscale.InFlight: 5}
	want(t, decide(p, autoscale.Signals{Desired: 4, Values: v}), 4, autoscale.ByNothing) // nothing else says that four are too many
	p.Targets = []autoscale.Target{{Signal: autoscale.InFlight, Value: 10}}
	want(t, decide(p, autoscale.Signals{Desired: 4, Values: v}), 1, autoscale.ByTarget)
	v[autoscale.CPUPercent] = 95
	want(t, decide(p, autoscale.Signals{Desired: 4, Values: v}), 5, autoscale.ByThreshold)
	delete(v, autoscale.CPUPercent)
	want(t, decide(p, autoscale.Signals{Desired: 4, Values: v}), 4, autoscale.ByMissing)
	p.Thresholds.Down = values{autoscale.CPUPercent: 10}
	v[autoscale.CPUPercent] = 20
	want(t, decide(p, autoscale.Signals{Desired: 4, Values: v}), 4, autoscale.ByNothing) // they do say something about it again
}

func TestAValueIsThatOfTheFunctionOrTheMeanOfAllThatAreReady(t *testing.T) {
	t.Parallel()
	s := autoscale.Signals{Instances: append(ready(2, values{queue: 3}), others(1, autoscale.Starting, at(0))...)}
	if v, ok := s.Value(queue); !ok || v != 3 {
		t.Errorf("%v, %v: want the mean of those that are ready", v, ok)
	}
	s.Instances = append(s.Instances, ready(1, nil)...)
	if v, ok := s.Value(queue); ok {
		t.Errorf("%v, although a ready one says nothing", v)
	}
	s.Values = values{queue: 8}
	if v, ok := s.Value(queue); !ok || v != 8 {
		t.Errorf("%v, %v: want the function's own", v, ok)
	}
}
