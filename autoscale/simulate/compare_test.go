package simulate_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"holdfast/autoscale/simulate"
)

// wave is a day of minutes between a quarter of a rate and all of it.
func wave(perSecond float64) *simulate.Trace {
	t := flat(0, 24*60)
	t.Name = "wave"
	for i := range t.Counts {
		t.Counts[i] = 60 * perSecond * (0.625 - 0.375*math.Cos(2*math.Pi*float64(i)/1440))
	}
	return t
}

func TestPoliciesAreComparedOnTheSameSeeds(t *testing.T) {
	t.Parallel()
	w := simulate.World{Service: time.Second, Boot: simulate.Boot{Median: time.Minute}}
	c := simulate.Comparison{
		Contenders: []simulate.Contender{{Name: "hpa-50", Policy: simulate.Reactive(50, 1, 30, w)}, {Name: "hpa-85", Policy: simulate.Reactive(85, 1, 30, w)}},
		Trace:      wave(6), World: w, Seeds: 3, Timeline: true,
	}
	r, err := c.Do()
	if err != nil {
		t.Fatal(err)
	}
	safe, cheap := &r[0], &r[1]
	if safe.Mean.InstanceHours <= cheap.Mean.InstanceHours || safe.Mean.ViolatedTime >= cheap.Mean.ViolatedTime || safe.Mean.Violations >= cheap.Mean.Violations {
		t.Errorf("hpa-50: %+v\nhpa-85: %+v", safe.Mean, cheap.Mean)
	}
	if cheap.Deviation.Violations <= 0 || cheap.Deviation.Violations > cheap.Mean.Violations {
		t.Errorf("violations deviate by %v from %v", cheap.Deviation.Violations, cheap.Mean.Violations)
	}
	sum := 0.0
	for i, o := range cheap.Runs {
		if o.Seed != uint64(i+1) || (len(o.Timeline) > 0) != (i == 0) {
			t.Errorf("run %d has seed %d and %d moments", i, o.Seed, len(o.Timeline))
		}
		sum += o.Lost
	}
	if math.Abs(sum/3-cheap.Mean.Lost) > 1e-9 {
		t.Errorf("mean of lost requests %v, want %v", cheap.Mean.Lost, sum/3)
	}
	again, err := c.Do()
	if err != nil {
		t.Fatal(err)
	}
	if asJSON(t, again) != asJSON(t, r) {
		t.Error("the same comparison comes out differently")
	}
	c.Contenders[1].Policy.Min = -1
	if _, err := c.Do(); err == nil || !strings.HasPrefix(err.Error(), "hpa-85: simulate policy: ") {
		t.Errorf("a policy that makes no sense: %v", err)
	}
}

func TestHoursOfALineAreReadBetweenItsPoints(t *testing.T) {
	t.Parallel()
	line := make([]simulate.Result, 3)
	for i, v := range [][2]float64{{100, 9}, {120, 5}, {150, 1}} {
		line[i].Mean = simulate.Figures{InstanceHours: v[0], ViolatedTime: v[1]}
	}
	of := simulate.Measures()[0].Of
	for value, want := range map[float64]float64{20: 100, 9: 100, 7: 110, 5: 120, 2: 142.5, 1: 150} {
		if h, err := simulate.HoursFor(line, of, value); err != nil || math.Abs(h-want) > 1e-9 {
			t.Errorf("%v %%: %v hours, %v, want %v", value, h, err, want)
		}
	}
	if _, err := simulate.HoursFor(line, of, 0.5); !errors.Is(err, simulate.ErrBeyond) {
		t.Errorf("beyond the line: %v", err)
	}
}

func TestBuiltInPoliciesHaveNames(t *testing.T) {
	t.Parallel()
	w := simulate.World{Slots: 4, Service: 200 * time.Millisecond}
	for _, name := range []string{"hpa-1", "hpa-62.5", "hpa-100", "capacity", "function", "service"} {
		p, err := simulate.Builtin(name, 2, 9, w)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, err := simulate.Builtin("hpa-70", 2, 9, w)
	if err != nil || math.Abs(p.Targets[0].Value-14) > 1e-9 || p.Min != 2 || p.Max != 9 {
		t.Errorf("hpa-70 of instances that do 20/s: %+v, %v", p.Targets, err)
	}
	for _, name := range []string{"", "hpa-", "hpa-0", "hpa-101", "hpa-NaN", "Capacity"} {
		if _, err := simulate.Builtin(name, 1, 2, w); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// What is suggested keeps the goal, with fewer hours than the most careful.
func TestSuggestionsKeepTheGoal(t *testing.T) {
	t.Parallel()
	w := simulate.World{Service: time.Second, Boot: simulate.Boot{Median: 30 * time.Second}, Tick: time.Minute}
	demand := wave(4)
	demand.Counts = demand.Counts[:8*60]
	list, err := simulate.Suggest(demand, w, 5, 1, simulate.Contender{})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 {
		t.Fatalf("%d suggestions, want 3", len(list))
	}
	careful := do(t, simulate.Run{Policy: simulate.Sized(0.001, 1, 30, w), Trace: demand, World: w, Seed: 1})
	for _, s := range list[1:] {
		if !s.Met || s.Mean.ViolatedTime > 5 || s.Mean.InstanceHours >= careful.InstanceHours {
			t.Errorf("%s: %.1f %% slow minutes with %.1f hours", s.Name, s.Mean.ViolatedTime, s.Mean.InstanceHours)
		}
		if err := s.Policy.Validate(); err != nil || len(s.Lines) < 4 {
			t.Errorf("%s: %v, %q", s.Name, err, s.Lines)
		}
	}
	list, err = simulate.Suggest(demand, w, 1e-9, 1, simulate.Contender{})
	if err != nil {
		t.Fatal(err)
	}
	if s := list[0]; s.Met || !strings.HasPrefix(s.Why, "none of its kind") {
		t.Errorf("no thresholds keep what cannot be kept, yet: %s", s.Why)
	}
}

// Few and many instances, simulated request by request and as a flow, come to
// about the same where both can be done.
func TestTheFlowIsLikeItsRequests(t *testing.T) {
	t.Parallel()
	trace := wave(9)
	w := simulate.World{Service: time.Second, Boot: simulate.Boot{Median: time.Minute}}
	p := simulate.Reactive(75, 1, 30, w)
	discrete := do(t, simulate.Run{Policy: p, Trace: trace, World: w, Seed: 1})
	w.Discrete = -1
	fluid := do(t, simulate.Run{Policy: p, Trace: trace, World: w, Seed: 1})
	if discrete.Discrete < 30 || fluid.Discrete != 0 {
		t.Fatalf("%.0f %% and %.0f %% were simulated request by request", discrete.Discrete, fluid.Discrete)
	}
	if d := math.Abs(fluid.InstanceHours/discrete.InstanceHours - 1); d > 0.05 {
		t.Errorf("%.1f instance-hours as a flow, %.1f of requests", fluid.InstanceHours, discrete.InstanceHours)
	}
	if d := math.Abs(fluid.Violations - discrete.Violations); d > 0.3*discrete.Violations {
		t.Errorf("%.2f %% late as a flow, %.2f %% of requests", fluid.Violations, discrete.Violations)
	}
}
