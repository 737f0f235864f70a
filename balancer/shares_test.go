package balancer_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"holdfast/balancer"
)

const manyPicks = 100_000

// wantShares allows 3 %; for shares below a tenth, where 100,000 random draws
// are coarser than that, four standard deviations.
func wantShares(t *testing.T, counts map[*balancer.Instance]int, all []*balancer.Instance, want []float64) {
	t.Helper()
	total, sum := 0, 0.0
	for _, n := range counts {
		total += n
	}
	for _, w := range want {
		sum += w
	}
	for k, i := range all {
		expected := float64(total) * want[k] / sum
		allowed := max(0.03*expected, 4*math.Sqrt(expected))
		if total == manyPicks && expected >= 10_000 {
			allowed = 0.03 * expected
		}
		if got := float64(counts[i]); math.Abs(got-expected) > allowed {
			t.Errorf("%s got %.0f of %d picks, want %.0f +- %.0f", i.ID(), got, total, expected, allowed)
		}
	}
}

// promised are the shares of equally good instances.
func promised(s balancer.Strategy, all []*balancer.Instance) []float64 {
	want := make([]float64, len(all))
	for k, i := range all {
		want[k] = float64(i.Spec().Weight)
		if s == balancer.RoundRobin {
			want[k] = 1
		}
	}
	return want
}

func TestEqualInstancesShareAsPromised(t *testing.T) {
	t.Parallel()
	sets := map[string][]int{
		"four equal":   {2, 2, 2, 2},
		"four unequal": {5, 3, 1, 1},
		"many equal":   make([]int, 16),
		"many unequal": {4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3},
	}
	for _, s := range balancer.Strategies() {
		for name, ws := range sets {
			t.Run(s.String()+" "+name, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, balancer.Config{Strategy: s}, weights(ws...)...)
				for _, i := range f.all {
					f.observe(i, balancer.Result{Latency: 5 * time.Millisecond})
				}
				wantShares(t, f.spread(manyPicks), f.all, promised(s, f.all))
			})
		}
	}
}

// The same with attempts on a running clock, where estimates move.
func TestSharesHoldWhileAttemptsRun(t *testing.T) {
	t.Parallel()
	for _, s := range balancer.Strategies() {
		for _, ws := range [][]int{{3, 1}, {1, 2, 3, 4, 4, 3, 2, 1}, {4, 3, 4, 3, 4, 3, 4, 3, 4, 3}} {
			t.Run(fmt.Sprint(s, " ", len(ws)), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, balancer.Config{Strategy: s}, weights(ws...)...)
				counts := map[*balancer.Instance]int{}
				for range manyPicks / 10 {
					f.wait(5 * time.Millisecond)
					counts[f.attempt(5*time.Millisecond)]++
				}
				wantShares(t, counts, f.all, promised(s, f.all))
			})
		}
	}
}

func TestWeightedRoundRobinIsExactInEveryCycle(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{Strategy: balancer.WeightedRoundRobin}, weights(50, 30, 10, 10)...)
	for cycle := range 10 {
		counts := f.spread(10) // 5 + 3 + 1 + 1: the weights without their common factor
		for k, want := range []int{5, 3, 1, 1} {
			if got := counts[f.all[k]]; got != want {
				t.Fatalf("cycle %d: i%d got %d turns, want %d", cycle, k, got, want)
			}
		}
	}
}

func TestWeightedRoundRobinIsSmooth(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{Strategy: balancer.WeightedRoundRobin}, weights(1, 1, 1, 1, 4)...)
	run := 0
	for range 1000 {
		if p := f.pick(); p.Instance != f.all[4] {
			run = 0
			continue
		}
		if run++; run > 3 {
			t.Fatal("an instance with half of the weight had more than three turns in a row")
		}
	}
}

func TestRoundRobinTakesTurns(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{Strategy: balancer.RoundRobin}, weights(1, 9, 1)...)
	for turn := range 12 {
		if p := f.pick(); p.Instance != f.all[turn%3] {
			t.Fatalf("turn %d went to %s", turn, p.Instance.ID())
		}
	}
}

// What is open is by weight once the load never ends.
func TestWeightsHoldUnderLoad(t *testing.T) {
	t.Parallel()
	for _, s := range []balancer.Strategy{
		balancer.LeastConnections, balancer.P2C, balancer.ResponseTime, balancer.Prequal,
	} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, balancer.Config{Strategy: s}, weights(3, 1)...)
			for _, i := range f.all {
				f.observe(i, balancer.Result{Latency: 10 * time.Millisecond})
			}
			for range 400 {
				p := f.pick()
				f.set.Begin(p.Instance, f.now)
			}
			if got := f.all[0].InFlight(); got < 285 || got > 315 {
				t.Errorf("three quarters of the weight hold %d of 400 in flight, want about 300", got)
			}
		})
	}
}

func TestLeastConnectionsFindsTheIdleInstance(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{Strategy: balancer.LeastConnections}, same(8)...)
	for k, i := range f.all {
		if k != 5 {
			f.set.Begin(i, f.now)
		}
	}
	if got := f.spread(100)[f.all[5]]; got != 100 {
		t.Errorf("the idle one of eight got %d of 100 picks", got)
	}
}

func TestHealthBasedSharesByWeightTimesScore(t *testing.T) {
	t.Parallel()
	for _, n := range []int{5, 16} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, balancer.Config{Strategy: balancer.HealthBased}, same(n)...)
			for range 10 { // the first seconds teach the median
				f.wait(time.Second)
				for k, i := range f.all {
					f.observe(i, balancer.Result{Latency: time.Duration(10+k%3*5) * time.Millisecond})
				}
			}
			f.fail(f.all[1], balancer.BadStatus, 1)
			f.set.Begin(f.all[2], f.now)
			var want []float64
			for _, s := range f.set.Stats(f.now).Instances {
				want = append(want, float64(s.Weight)*s.Score.Total)
			}
			if want[1] >= want[0]*0.95 || want[2] >= want[0]*0.6 {
				t.Fatalf("failing and loaded instances score %v, %v; a good one %v", want[1], want[2], want[0])
			}
			wantShares(t, f.spread(manyPicks), f.all, want)
		})
	}
}

func TestTheScoreIsTheProductOfItsParts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{Strategy: balancer.HealthBased},
		balancer.Spec{ID: "a", MaxInFlight: 4}, balancer.Spec{ID: "b"}, balancer.Spec{ID: "c"})
	f.set.Begin(f.all[0], f.now)
	got := f.stats(0).Score
	want := balancer.Score{Health: 1, Latency: 1, Errors: 1, Load: 0.5 * 0.75, Total: 0.375}
	if got != want {
		t.Errorf("one of four places taken: score %+v, want %+v", got, want)
	}
	f.down(f.all[1])
	if got := f.stats(1).Score; got.Health != 0.1 {
		t.Errorf("a failed instance has health %v in its score", got.Health)
	}
}

// The promise for a slower instance: one attempt about every tau x ln(k/0.1).
func TestASlowInstanceIsAskedNowAndThen(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{
		Strategy: balancer.ResponseTime, Ejection: balancer.Ejection{Disabled: true},
	}, same(2)...)
	visits := 0
	for range 100_000 { // 1,000 seconds
		f.wait(10 * time.Millisecond)
		i := f.pick().Instance
		latency := 5 * time.Millisecond
		if i == f.all[1] {
			latency = 50 * time.Millisecond
			visits++
		}
		f.observe(i, balancer.Result{Latency: latency})
	}
	if visits < 18 || visits > 27 { // 1000 s / (10 s x ln 90) is 22
		t.Errorf("ten times slower, %d visits in 1000 s, want about 22", visits)
	}
}

func TestPrequalLeavesTheHotAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{Strategy: balancer.Prequal}, same(4)...)
	for k, i := range f.all {
		f.observe(i, balancer.Result{Latency: time.Duration(10+10*k) * time.Millisecond})
	}
	if got := f.spread(100)[f.all[0]]; got != 100 {
		t.Errorf("all idle: the fastest got %d of 100", got)
	}
	f.set.Begin(f.all[0], f.now)
	p := f.pick()
	if p.Instance != f.all[1] {
		t.Errorf("the fastest is the fullest: %s was picked, want the second fastest", p.Instance.ID())
	}
	for _, c := range p.Considered[:p.N] {
		if c.Hot != (c.Instance == f.all[0]) {
			t.Errorf("%s: hot is %v", c.Instance.ID(), c.Hot)
		}
	}
}

// Two costs within a tenth are the same cost.
func TestNearTiesDoNotHerd(t *testing.T) {
	t.Parallel()
	for _, s := range []balancer.Strategy{balancer.P2C, balancer.ResponseTime, balancer.Prequal} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, balancer.Config{Strategy: s}, same(2)...)
			f.observe(f.all[0], balancer.Result{Latency: 100 * time.Millisecond})
			f.observe(f.all[1], balancer.Result{Latency: 107 * time.Millisecond})
			wantShares(t, f.spread(manyPicks), f.all, []float64{1, 1})
			f.observe(f.all[1], balancer.Result{Latency: 120 * time.Millisecond})
			if got := f.spread(100)[f.all[0]]; got != 100 {
				t.Errorf("a fifth slower and idle: the faster got %d of 100", got)
			}
		})
	}
}
