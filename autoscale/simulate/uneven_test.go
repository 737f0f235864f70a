package simulate_test

import (
	"math"
	"testing"
	"time"

	"holdfast/autoscale"
	"holdfast/autoscale/simulate"
)

// Four instances with ten times the work they can do serve what their speeds
// come to, whether request by request or as a flow.
func TestInstancesOfUnequalSpeedServeWhatTheirSpeedsComeTo(t *testing.T) {
	t.Parallel()
	trace := flat(60*40, 30)
	p := autoscale.Policy{Min: 4, Max: 4}
	sum, square := 0.0, 0.0
	const seeds = 60
	for seed := range uint64(seeds) {
		served := map[int]float64{}
		for _, discrete := range []int{-1, 1_000_000} {
			w := simulate.World{Service: time.Second, SpeedSpread: 0.4, Queue: 50, Discrete: discrete}
			o := do(t, simulate.Run{Policy: p, Trace: trace, World: w, Seed: seed})
			served[discrete] = o.Offered * (1 - o.Lost/100) / (o.Days * 86400)
		}
		if a, b := served[-1], served[1_000_000]; math.Abs(a-b) > 0.06*a {
			t.Errorf("seed %d: %.2f a second as a flow, %.2f one by one", seed, a, b)
		}
		sum += served[-1] / seeds
		square += served[-1] * served[-1] / seeds
	}
	// The deviation of the sum of four is 0.4 times the root of four.
	if deviation := math.Sqrt(square - sum*sum); math.Abs(sum-4) > 0.35 || deviation < 0.5 || deviation > 1.1 {
		t.Errorf("%.2f a second with a deviation of %.2f, want 4 and 0.8", sum, deviation)
	}
}

// step is a demand of one instance that becomes that of six.
func step() *simulate.Trace {
	t := flat(30, 120)
	for i := 60; i < 120; i++ {
		t.Counts[i] = 300
	}
	return t
}

func TestSlowStartAndUnequalSpeedCostTime(t *testing.T) {
	t.Parallel()
	even := simulate.World{Service: time.Second, Boot: simulate.Boot{Median: 10 * time.Second}}
	p := simulate.Sized(0.05, 1, 50, even)
	plain := do(t, simulate.Run{Policy: p, Trace: step(), World: even, Seed: 1})
	slow := even
	slow.SlowStart = 10 * time.Minute
	for _, discrete := range []int{-1, 1_000_000} {
		slow.Discrete = discrete
		o := do(t, simulate.Run{Policy: p, Trace: step(), World: slow, Seed: 1})
		if o.TauUnder <= plain.TauUnder || o.Missing <= plain.Missing {
			t.Errorf("discrete %d: %.2f %% of the time short and %.2f %% missing with a slow start, %.2f and %.2f without",
				discrete, o.TauUnder, o.Missing, plain.TauUnder, plain.Missing)
		}
	}
}

func TestASlowStartKeepsNobodyFromTheOnlyInstance(t *testing.T) {
	t.Parallel()
	w := simulate.World{Service: time.Second, SlowStart: time.Hour}
	o := do(t, simulate.Run{Policy: autoscale.Policy{Min: 1, Max: 1}, Trace: flat(6, 30), World: w, Seed: 1})
	if o.Lost > 0 || o.Missing > 0 {
		t.Errorf("%.2f %% lost, %.2f %% missing", o.Lost, o.Missing)
	}
}

func TestWarmSparesAreReadyAtOnceAndPaidFor(t *testing.T) {
	t.Parallel()
	w := simulate.World{Service: time.Second, Boot: simulate.Boot{Median: 20 * time.Minute}, Tick: 10 * time.Second, Window: 10 * time.Second}
	p := simulate.Reactive(70, 1, 50, w)
	without := do(t, simulate.Run{Policy: p, Trace: step(), World: w, Seed: 1})
	w.Spares = 10
	with := do(t, simulate.Run{Policy: p, Trace: step(), World: w, Seed: 1})
	still := do(t, simulate.Run{Policy: autoscale.Policy{Min: 1, Max: 1}, Trace: flat(6, 60), World: w, Seed: 1})
	if math.Abs(still.InstanceHours-11) > 1e-6 || still.Starts != 0 {
		t.Errorf("one instance and ten spares cost %.2f instance-hours in an hour, with %g starts", still.InstanceHours, still.Starts)
	}
	// A tick and what the rates hold back, where it was a boot.
	if with.TauUnder > 1.5 || without.TauUnder < 10 {
		t.Errorf("short for %.2f %% of the time with spares, %.2f without", with.TauUnder, without.TauUnder)
	}
	w.Spares = 1
	o := do(t, simulate.Run{Policy: p, Trace: step(), World: w, Seed: 1})
	if o.TauUnder <= with.TauUnder {
		t.Errorf("one spare is as good as ten: %.2f %%", o.TauUnder)
	}
}

func TestAnUnevenWorldRepeatsAndDoesNotLookAhead(t *testing.T) {
	t.Parallel()
	trace, w := lively(t, 400)
	w.SpeedSpread, w.SlowStart, w.Spares, w.Slots = 0.3, 4*time.Minute, 2, 3
	run := simulate.Run{Policy: simulate.Sized(0.05, 1, 50, w), Trace: trace, World: w, Seed: 7}
	if a, b := asJSON(t, do(t, run)), asJSON(t, do(t, run)); a != b {
		t.Errorf("the same seed came to\n%s and to\n%s", a, b)
	}
	whole := decisions(t, run)
	cut := *trace
	cut.Counts = trace.Counts[:250]
	run.Trace = &cut
	for i, d := range decisions(t, run) {
		if d.Result != whole[i].Result {
			t.Fatalf("decision %d is %d with what comes later, %d without", i, whole[i].Result, d.Result)
		}
	}
	w.SpeedSpread = 1.5
	if _, err := (simulate.Run{Policy: run.Policy, Trace: trace, World: w}).Do(); err == nil {
		t.Error("a spread of 150 % was taken")
	}
}
