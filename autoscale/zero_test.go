package autoscale_test

import (
	"maps"
	"testing"
	"time"

	"holdfast/autoscale"
)

func TestTheLastInstanceGoesWhenNobodyNeedsIt(t *testing.T) {
	t.Parallel()
	p := autoscale.FunctionPolicy()
	p.Min = 0
	idle := values{
		autoscale.CPUPercent: 0, autoscale.MemoryPercent: 5, autoscale.OfferedRate: 0,
		autoscale.InFlight: 0, autoscale.QueueLength: 0, autoscale.IdleSeconds: 900,
	}
	for _, c := range []struct {
		name    string
		state   autoscale.State
		desired int
		change  values
		result  int
		rule    autoscale.Rule
	}{
		{"idle", settledState(1), 1, nil, 0, autoscale.ByZero},
		{"not for long", settledState(1), 1, values{autoscale.IdleSeconds: 299}, 1, autoscale.ByNothing},
		{"a long request", settledState(1), 1, values{autoscale.InFlight: 0.2}, 1, autoscale.ByNothing},
		{"just made", autoscale.State{}, 1, nil, 1, autoscale.ByNothing},
		{"two: one after the other", settledState(2), 2, nil, 1, autoscale.ByThreshold},
		{"busy for another rule", settledState(1), 1, values{autoscale.CPUPercent: 95}, 2, autoscale.ByThreshold},
	} {
		v := maps.Clone(idle)
		maps.Copy(v, c.change)
		p.Down.Hold = -1
		d := autoscale.Decide(p, c.state, autoscale.Signals{Desired: c.desired, Values: v}, at(0))
		if d.Result != c.result || d.Rule != c.rule {
			t.Errorf("%s: %d by %s, want %d by %s\n%s", c.name, d.Result, d.Rule, c.result, c.rule, lines(&d))
		}
	}
	delete(idle, autoscale.InFlight)
	want(t, autoscale.Decide(p, settledState(1), autoscale.Signals{Desired: 1, Values: idle}, at(0)), 1, autoscale.ByNothing)
}

func TestTheFirstInstanceComesAtOnceWhenSomebodyWaits(t *testing.T) {
	t.Parallel()
	p := autoscale.FunctionPolicy()
	p.Min, p.Up.Hold = 0, time.Hour
	state := settledState(0)
	state.Changes = []autoscale.Change{{At: at(-time.Second), From: 1}} // in the middle of the cooldown
	want(t, autoscale.Decide(p, state, autoscale.Signals{}, at(0)), 0, autoscale.ByNothing)
	for _, name := range []autoscale.Signal{autoscale.QueueLength, autoscale.InFlight, autoscale.OfferedRate} {
		want(t, autoscale.Decide(p, state, autoscale.Signals{Values: values{name: 1}}, at(0)), 1, autoscale.ByZero)
		d := autoscale.Decide(p, state, autoscale.Signals{Burst: values{name: 1}, Deploying: true}, at(0))
		want(t, d, 1, autoscale.ByZero)
	}
}

func TestWithAMinimumTheLastInstanceStays(t *testing.T) {
	t.Parallel()
	p := quick(1, 5)
	v := values{autoscale.IdleSeconds: 1e6, autoscale.InFlight: 0, autoscale.QueueLength: 0}
	want(t, autoscale.Decide(p, settledState(1), autoscale.Signals{Desired: 1, Values: v}, at(0)), 1, autoscale.ByNothing)
}

// What never became ready has no processor time to measure, and is not kept for
// good because of that. What was ready once, or still may be, is.
func TestAnInstanceThatNeverStartedGoesWhenNobodyAsks(t *testing.T) {
	t.Parallel()
	thresholds := autoscale.ServicePolicy()
	thresholds.Min, thresholds.Boot, thresholds.Down.Hold = 0, time.Minute, -1
	targets := thresholds
	targets.Thresholds = autoscale.Thresholds{}
	targets.Targets = []autoscale.Target{{Signal: autoscale.CPUPercent, Value: 50, Kind: autoscale.Mean}}
	idle := values{autoscale.OfferedRate: 0, autoscale.InFlight: 0, autoscale.QueueLength: 0, autoscale.IdleSeconds: 900}
	long, short := at(-time.Hour), at(-time.Minute)
	for _, c := range []struct {
		name      string
		instances []autoscale.Instance
		change    values
		result    int
	}{
		{"it does not start", others(1, autoscale.Starting, long), nil, 0},
		{"it fails", others(1, autoscale.Failed, short), nil, 0},
		{"it may still start", others(1, autoscale.Starting, short), nil, 1},
		{"it was ready", others(1, autoscale.Unready, long), nil, 1},
		{"it is ready", others(1, autoscale.Ready, long), nil, 1},
		{"somebody asks", others(1, autoscale.Failed, long), values{autoscale.OfferedRate: 0.1}, 1},
		{"somebody waits", others(1, autoscale.Failed, long), values{autoscale.InFlight: 1}, 1},
		{"two fail", others(2, autoscale.Failed, long), nil, 1},
		{"of two one is ready", append(others(1, autoscale.Failed, long), ready(1, nil)...), nil, 2},
	} {
		v := maps.Clone(idle)
		maps.Copy(v, c.change)
		for name, p := range map[string]autoscale.Policy{"thresholds": thresholds, "targets": targets} {
			n := len(c.instances)
			d := autoscale.Decide(p, settledState(n), autoscale.Signals{Desired: n, Instances: c.instances, Values: v}, at(0))
			if d.Result != c.result {
				t.Errorf("%s, by %s: %d instances, want %d\n%s", c.name, name, d.Result, c.result, lines(&d))
			}
		}
	}
}

// A queue that nobody fills over the gateway keeps its last instance, and brings
// one back: once, not with every decision.
func TestWorkThatOnlyASignalOfYourOwnKnowsOfKeepsTheLastInstance(t *testing.T) {
	t.Parallel()
	idle := values{autoscale.OfferedRate: 0, autoscale.InFlight: 0, autoscale.QueueLength: 0, autoscale.IdleSeconds: 1e6}
	for _, kind := range []autoscale.Kind{autoscale.Total, autoscale.Ratio, autoscale.Mean} {
		p := quick(0, 5)
		p.Zero.After = time.Minute
		p.Targets = []autoscale.Target{{Signal: queue, Value: 10, Kind: kind}}
		with := func(desired int, waiting float64) autoscale.Signals {
			v := maps.Clone(idle)
			v[queue] = waiting
			return autoscale.Signals{Desired: desired, Values: v}
		}
		want(t, autoscale.Decide(p, settledState(1), with(1, 0), at(0)), 0, autoscale.ByZero)
		s, desired, changes := settledState(1), 1, 0
		for tick := range 30 {
			d := autoscale.Decide(p, s, with(desired, 3), at(time.Duration(tick)*10*time.Second))
			if d.Target() != desired {
				changes++
			}
			s, desired = d.Next, d.Target()
		}
		if desired != 1 || changes > 0 {
			t.Errorf("%s: %d instances after %d changes, and 3 jobs wait", kind, desired, changes)
		}
		gone := autoscale.Decide(p, s, with(1, 0), at(349*time.Second))
		want(t, gone, 1, autoscale.ByNothing) // 59 s after the last job was seen
		want(t, autoscale.Decide(p, gone.Next, with(1, 0), at(350*time.Second)), 0, autoscale.ByZero)
		want(t, autoscale.Decide(p, settledState(0), with(0, 25), at(0)), 3, autoscale.ByTarget)
		blind := with(1, 0)
		delete(blind.Values, queue)
		want(t, autoscale.Decide(p, settledState(1), blind, at(0)), 1, autoscale.ByMissing)
	}
}

// Averages still know of requests that are long over. That takes no instance
// away and brings none back, or the two would follow each other.
func TestTheLastInstanceDoesNotComeAndGoWithOldAverages(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]autoscale.Policy{
		"rate":     {Max: 5, Zero: autoscale.Zero{After: 10 * time.Second}, Targets: []autoscale.Target{{Signal: autoscale.OfferedRate, Value: 50}}},
		"capacity": {Max: 5, Zero: autoscale.Zero{After: 10 * time.Second}, Capacity: &autoscale.Capacity{}},
	} {
		s, desired, list := settledState(1), 1, []int(nil)
		for _, rate := range []float64{4, 3, 2, 1, 0, 0} {
			v := values{autoscale.OfferedRate: rate, autoscale.ServiceTimeMS: 1, autoscale.InFlight: 0, autoscale.IdleSeconds: 30}
			d := autoscale.Decide(p, s, autoscale.Signals{Desired: desired, Values: v}, at(time.Duration(len(list))*2*time.Second))
			s, desired = d.Next, d.Target()
			list = append(list, desired)
		}
		if list[3] != 1 || list[4] != 0 || list[5] != 0 {
			t.Errorf("%s: %v", name, list)
		}
	}
}

// A slow answer of the past is no work, and neither is what an idle instance uses.
func TestHowAnswersAndInstancesFareKeepsNoLastInstance(t *testing.T) {
	t.Parallel()
	for signal, v := range map[autoscale.Signal]float64{
		autoscale.ResponseTimeMS: 90, autoscale.ErrorRatePercent: 1, autoscale.CPUPercent: 3, autoscale.MemoryPercent: 40, "custom:lag_ms": 0.4,
	} {
		p := quick(0, 5)
		p.Targets = []autoscale.Target{{Signal: signal, Value: 100, Kind: autoscale.Mean}}
		in := autoscale.Signals{Desired: 1, Instances: ready(1, nil), Values: values{autoscale.InFlight: 0, autoscale.IdleSeconds: 900, signal: v}}
		want(t, autoscale.Decide(p, settledState(1), in, at(0)), 0, autoscale.ByZero)
		in.Desired, in.Instances = 0, nil
		want(t, autoscale.Decide(p, settledState(0), in, at(0)), 0, autoscale.ByNothing)
	}
}
