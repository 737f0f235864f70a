package balancer_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"holdfast/balancer"
)

// leveled makes total[p] instances of priority p, of which up[p] are available.
func leveled(t *testing.T, cfg balancer.Config, total, up []int) *fixture {
	t.Helper()
	var specs []balancer.Spec
	for p, n := range total {
		for k := range n {
			specs = append(specs, balancer.Spec{ID: fmt.Sprintf("p%d-%d", p, k), Priority: p})
		}
	}
	f := newFixture(t, cfg, specs...)
	at := 0
	for p, n := range total {
		for k := range n {
			if k >= up[p] {
				f.down(f.all[at])
			}
			at++
		}
	}
	return f
}

// The first three rows are the table of Envoy's documentation.
func TestSpilloverFollowsEnvoysFormula(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name      string
		total, up []int
		want      []float64
	}{
		{"71 %", []int{100, 100}, []int{71, 100}, []float64{99.4, 0.6}},
		{"50 %", []int{10, 10}, []int{5, 10}, []float64{70, 30}},
		{"all poor", []int{20, 20, 20}, []int{5, 5, 4}, []float64{35.7, 35.7, 28.6}},
		{"all up", []int{4, 4}, []int{4, 4}, []float64{100, 0}},
		{"72 % is enough", []int{100, 10}, []int{72, 10}, []float64{100, 0}},
		{"primary down", []int{3, 3}, []int{0, 3}, []float64{0, 100}},
		{"poor after poor", []int{4, 4}, []int{1, 1}, []float64{50, 50}},
		{"third helps", []int{4, 4, 4}, []int{1, 1, 4}, []float64{35, 35, 30}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := leveled(t, balancer.Config{}, c.total, c.up)
			levels := f.set.Stats(f.now).Levels
			got := make([]float64, len(c.want))
			for range 20_000 {
				p := f.pick()
				got[p.Priority]++
				if (p.Rule == balancer.RuleSpillover) != (p.Priority > 0) {
					t.Fatalf("priority %d by rule %s", p.Priority, p.Rule)
				}
			}
			for k, want := range c.want {
				if load := levels[k].Load * 100; math.Abs(load-want) > 0.1 {
					t.Errorf("level %d has load %.1f, want %.1f", k, load, want)
				}
				if picks := got[k] / 200; math.Abs(picks-want) > 1.5 {
					t.Errorf("level %d got %.1f %% of the picks, want %.1f %%", k, picks, want)
				}
			}
		})
	}
}

func TestNearInstancesComeFirst(t *testing.T) {
	t.Parallel()
	specs := []balancer.Spec{
		{ID: "far", Zone: "z9", Region: "r9"},
		{ID: "region", Zone: "z2", Region: "r1"},
		{ID: "zone", Zone: "z1", Region: "r1"},
		{ID: "secondary in the zone", Zone: "z1", Region: "r1", Priority: 1},
		{ID: "nowhere"},
	}
	f := newFixture(t, balancer.Config{Zone: "z1", Region: "r1"}, specs...)
	for _, want := range [][]string{{"zone"}, {"region"}, {"far", "nowhere"}, {"secondary in the zone"}} {
		counts := f.spread(400)
		if len(counts) != len(want) {
			t.Fatalf("%d instances were picked, want %v", len(counts), want)
		}
		for _, id := range want {
			for i, n := range counts {
				if i.ID() == id && n < 400/len(want)*8/10 {
					t.Errorf("%s got %d of 400", id, n)
				}
			}
		}
		for i := range counts {
			f.down(i)
		}
	}
}

func TestLocalityIsOffWhereTheGatewayHasNone(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{},
		balancer.Spec{ID: "a", Zone: "z1"}, balancer.Spec{ID: "b", Zone: "z2"}, balancer.Spec{ID: "c"})
	if got := len(f.spread(300)); got != 3 {
		t.Errorf("%d of 3 were picked", got)
	}
}

// A scale-up must look like what it is and not like an outage.
func TestInstancesThatStartAreNotMissed(t *testing.T) {
	t.Parallel()
	f := leveled(t, balancer.Config{PanicThreshold: 0.5}, []int{2, 2}, []int{2, 2})
	set := f.all
	for k := range 8 {
		set = append(set, balancer.NewInstance(balancer.Spec{ID: fmt.Sprint("new", k)}))
	}
	f.set.Replace(set, f.now)
	if s := f.set.Stats(f.now); s.Panic || s.Levels[0].Load != 1 {
		t.Errorf("panic %v, load of the first level %v", s.Panic, s.Levels[0].Load)
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name      string
		threshold float64
		total, up []int
		panics    bool
		picked    int // different instances
	}{
		{"nobody up", 0, []int{4}, []int{0}, true, 4},
		{"one up, no threshold", 0, []int{4}, []int{1}, false, 1},
		{"below the threshold", 0.5, []int{4}, []int{1}, true, 4},
		{"at the threshold", 0.5, []int{4}, []int{2}, false, 2},
		{"below, but the next level carries it", 0.5, []int{4, 4}, []int{1, 4}, false, 5},
		{"both below", 0.5, []int{4, 4}, []int{1, 1}, true, 8},
		{"nobody up in two levels", 0, []int{2, 3}, []int{0, 0}, true, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := leveled(t, balancer.Config{PanicThreshold: c.threshold}, c.total, c.up)
			p := f.pick()
			if p.Panic != c.panics || f.set.Stats(f.now).Panic != c.panics {
				t.Errorf("panic: pick says %v, stats say %v", p.Panic, f.set.Stats(f.now).Panic)
			}
			if (p.Rule == balancer.RulePanic) != c.panics {
				t.Errorf("rule %s", p.Rule)
			}
			if got := len(f.spread(2000)); got != c.picked {
				t.Errorf("%d instances were picked, want %d", got, c.picked)
			}
		})
	}
}

func TestPanicIsToldOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, same(2)...)
	f.down(f.all[0])
	f.down(f.all[1])
	f.wait(time.Second)
	f.up(f.all[0])
	got := f.kinds(balancer.PanicEntered, balancer.PanicLeft)
	if !slices.Equal(got, []balancer.EventKind{balancer.PanicEntered, balancer.PanicLeft}) {
		t.Errorf("events %v", got)
	}
}

func TestPanicNeverUsesTheGoneAndTheUncheckedOnlyAtLast(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, weights(1, 1, 1, 1, 1)...)
	unchecked := balancer.NewInstance(balancer.Spec{ID: "unchecked"})
	f.set.Replace(append(f.all, unchecked), f.now)
	f.set.SetLifecycle(f.all[0], balancer.Gone, "crashed", f.now)
	f.set.SetLifecycle(f.all[1], balancer.Stopped, "scaled in", f.now)
	f.set.SetDraining(f.all[2], true, "deploy", f.now)
	f.down(f.all[3])
	f.down(f.all[4])
	counts := f.spread(200)
	if counts[f.all[3]] == 0 || counts[f.all[4]] == 0 || len(counts) != 2 {
		t.Errorf("picks %v, want only the two that fail their checks", counts)
	}
	if p := f.pick(f.all[3], f.all[4]); p.Instance != unchecked {
		t.Errorf("both tried: picked %v, want the unchecked one", p.Instance)
	}
	if p := f.pick(f.all[3], f.all[4], unchecked); p.None != balancer.NoneLeft {
		t.Errorf("all tried: %s", p.None)
	}
}

func TestAFreshSetWaitsForItsFirstCheck(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{PanicThreshold: 0.9})
	i := balancer.NewInstance(balancer.Spec{ID: "a"})
	f.set.Replace([]*balancer.Instance{i}, f.now)
	if p := f.pick(); p.Instance != nil || p.None != balancer.NoneReady || p.Panic {
		t.Errorf("picked %v, %s", p.Instance, p.None)
	}
}
