package simulate_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"holdfast/autoscale"
	"holdfast/autoscale/schedule"
	"holdfast/autoscale/simulate"
)

// flat is a trace of minutes with the same count.
func flat(count float64, minutes int) *simulate.Trace {
	return &simulate.Trace{
		Name: "flat", Begin: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Step: time.Minute, Counts: slices.Repeat([]float64{count}, minutes),
	}
}

// lively is the first days of a trace in a world with everything in it.
func lively(tb testing.TB, steps int) (*simulate.Trace, simulate.World) {
	tb.Helper()
	t := readTrace(tb, "app-rps-1m")
	w := simulate.World{
		Service: time.Second, ArrivalVariation: 4, Drain: 20 * time.Second, Lag: 30 * time.Second,
		Boot: simulate.Boot{Median: time.Minute, P95: 3 * time.Minute, Fails: 0.1},
	}
	t = t.Scaled(12 * w.PerInstance() / t.Peak())
	t.Counts = t.Counts[:steps]
	return t, w
}

func do(tb testing.TB, r simulate.Run) *simulate.Outcome {
	tb.Helper()
	o, err := r.Do()
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

func decisions(tb testing.TB, r simulate.Run) []autoscale.Decision {
	tb.Helper()
	var list []autoscale.Decision
	r.Decided = func(d *autoscale.Decision) { list = append(list, *d) }
	do(tb, r)
	return list
}

// What comes later in a trace, or that nothing does, changes no decision.
func TestNothingLooksAhead(t *testing.T) {
	t.Parallel()
	trace, w := lively(t, 600)
	cut := *trace
	cut.Counts = trace.Counts[:400]
	other := *trace
	other.Counts = append(slices.Clone(cut.Counts), slices.Repeat([]float64{1e5}, 200)...)
	told := autoscale.ServicePolicy()
	told.Schedules = []autoscale.Schedule{{Name: "late", Min: 4}}
	told.Targets = []autoscale.Target{{Signal: jobs, Value: 50}, {Signal: "custom:twice", Value: 200}}
	around := simulate.Around{
		Windows: map[string]*schedule.Window{"late": window(t, "30 * * * *", 20*time.Minute)}, Derived: []simulate.Derived{double("custom:twice", jobs)},
	}
	for _, x := range []*simulate.Trace{trace, &cut, &other} { // as many jobs as requests
		at := make([]time.Time, len(x.Counts))
		for i := range at {
			at[i] = x.Begin.Add(time.Duration(i) * x.Step)
		}
		x.Record(jobs, at, x.Counts, false)
	}
	for name, p := range map[string]autoscale.Policy{
		"hpa-70": simulate.Reactive(70, 1, 50, w), "capacity": simulate.Sized(0.05, 1, 50, w), "service": autoscale.ServicePolicy(), "told": told,
	} {
		whole := decisions(t, simulate.Run{Policy: p, Around: around, Trace: trace, World: w, Seed: 7})
		for what, shorter := range map[string]*simulate.Trace{"cut off": &cut, "another": &other} {
			got := decisions(t, simulate.Run{Policy: p, Around: around, Trace: shorter, World: w, Seed: 7})
			n := 400*4 - 3 // the first ticks have nothing to decide on
			if len(got) < n || len(whole) < n {
				t.Fatalf("%s: %d and %d decisions, want %d", name, len(got), len(whole), n)
			}
			if is, want := asJSON(t, got[:n]), asJSON(t, whole[:n]); is != want {
				t.Errorf("%s: with the future %s, decisions before it differ", name, what)
			}
		}
	}
}

func asJSON(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func TestDecisionsReplayAndSeedsRepeat(t *testing.T) {
	t.Parallel()
	trace, w := lively(t, 300)
	r := simulate.Run{Policy: simulate.Sized(0.05, 1, 50, w), Trace: trace, World: w, Seed: 3}
	first := decisions(t, r)
	for i := range first {
		if err := first[i].Replay(); err != nil {
			t.Fatal(err)
		}
	}
	if asJSON(t, decisions(t, r)) != asJSON(t, first) {
		t.Error("the same seed gives other decisions")
	}
	r.Seed = 4
	if asJSON(t, decisions(t, r)) == asJSON(t, first) {
		t.Error("another seed gives the same decisions")
	}
}

// Waits of one queue with random arrivals are what Erlang C says, simulated
// request by request and as a flow.
func TestWaitsAreThoseOfErlang(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		slots   int
		busy    float64
		longer  float64 // share that waits longer than MaxWait, half a service time
		fluidly bool
	}{
		{1, 0.5, 0.5 * math.Exp(-0.25), false},
		{2, 1.5, 0.642857 * math.Exp(-0.25), false},
		{4, 2, 0.173913 * math.Exp(-1), false},
		{2, 1.5, 0.642857 * math.Exp(-0.25), true},
		{4, 2, 0.173913 * math.Exp(-1), true},
	} {
		w := simulate.World{Service: 100 * time.Millisecond, MaxWait: 50 * time.Millisecond, Warmup: 10 * time.Minute}
		if c.fluidly {
			w.Discrete = -1
		}
		p := autoscale.Policy{Min: c.slots, Max: c.slots}
		o := do(t, simulate.Run{Policy: p, Trace: flat(c.busy/0.1*60, 600), World: w, Seed: 1})
		if got := o.Violations / 100; math.Abs(got-c.longer) > 0.05*c.longer+0.002 {
			t.Errorf("%v of %d slots busy, fluid %t: %.4f wait too long, want %.4f", c.busy, c.slots, c.fluidly, got, c.longer)
		}
		if want := 100.0; !c.fluidly && o.Discrete != want {
			t.Errorf("%v %% was simulated request by request, want %v", o.Discrete, want)
		}
		if math.Abs(o.Offered-c.busy*10*590*60) > 0.02*o.Offered {
			t.Errorf("%.0f requests, want %.0f", o.Offered, c.busy*10*590*60)
		}
	}
}

// Bursts wait longer, with the same number of requests.
func TestBurstsWaitLonger(t *testing.T) {
	t.Parallel()
	p := autoscale.Policy{Min: 3, Max: 3}
	even := do(t, simulate.Run{Policy: p, Trace: flat(2*60, 600), World: simulate.World{Service: time.Second}, Seed: 1})
	bursty := do(t, simulate.Run{Policy: p, Trace: flat(2*60, 600), World: simulate.World{Service: time.Second, ArrivalVariation: 4}, Seed: 1})
	if bursty.Violations < 1.3*even.Violations {
		t.Errorf("%.2f %% of bursts are late, %.2f %% of random arrivals", bursty.Violations, even.Violations)
	}
	if math.Abs(bursty.Offered/even.Offered-1) > 0.05 {
		t.Errorf("%.0f requests in bursts, %.0f without", bursty.Offered, even.Offered)
	}
}

// Twice the demand that can be served: half is lost, and what is offered is
// told apart from what is served.
func TestWhatCannotBeServedIsLost(t *testing.T) {
	t.Parallel()
	for _, discrete := range []int{-1, 100_000} {
		var last autoscale.Decision
		w := simulate.World{Service: 100 * time.Millisecond, Queue: 50, Patience: 2 * time.Second, Discrete: discrete}
		o := do(t, simulate.Run{
			Policy: autoscale.Policy{Min: 2, Max: 2}, Trace: flat(40*60, 60), World: w, Seed: 1,
			Decided: func(d *autoscale.Decision) { last = *d },
		})
		if math.Abs(o.Lost-50) > 2 {
			t.Errorf("discrete below %d: %.1f %% lost, want 50", discrete, o.Lost)
		}
		in := last.Inputs.Signals.Values
		for signal, want := range map[autoscale.Signal]float64{
			autoscale.OfferedRate: 40, autoscale.ServedRate: 20, autoscale.CPUPercent: 100, autoscale.InFlight: 2, autoscale.ErrorRatePercent: 50,
		} {
			if math.Abs(in[signal]-want) > 0.1*want {
				t.Errorf("discrete below %d: %s is %.3g, want %.3g", discrete, signal, in[signal], want)
			}
		}
		if math.Abs(o.TauUnder-100) > 1e-9 || math.Abs(o.Missing-50) > 1e-9 || math.Abs(o.ThetaUnder-50) > 1e-9 {
			t.Errorf("short for %v %% of the time, of %v %% of the demand, by %v %%", o.TauUnder, o.Missing, o.ThetaUnder)
		}
	}
}

// A step from 1 to 4 busy instances, followed after the boot.
func TestInstancesArePaidFromLaunchToDrained(t *testing.T) {
	t.Parallel()
	trace := flat(60, 60)
	for i := 30; i < 40; i++ {
		trace.Counts[i] = 240
	}
	w := simulate.World{
		Service: time.Second, ArrivalVariation: -1, Boot: simulate.Boot{Median: 2 * time.Minute}, Drain: 3 * time.Minute,
		Tick: time.Minute, Window: time.Minute, Price: 2,
	}
	p := simulate.Reactive(100, 1, 10, w)
	p.Down.Hold = -1
	o := do(t, simulate.Run{Policy: p, Trace: trace, World: w, Timeline: true})
	paid := func(minute int) float64 { return o.Timeline[minute].Paid }
	ready := func(minute int) float64 { return o.Timeline[minute].Ready }
	if ready(29) != 1 || paid(31) != 4 || ready(32) != 1 || ready(33) != 4 || ready(40) != 4 || ready(41) != 1 || paid(43) != 4 || paid(44) != 1 {
		for i := 28; i < 46; i++ {
			t.Log(o.Timeline[i])
		}
		t.Fatal("instances did not come after their boot, or were not paid until drained")
	}
	var minutes float64
	for i := range o.Timeline {
		minutes += paid(i)
	}
	if got := o.InstanceHours * 60; math.Abs(got-minutes) > 1e-6 || o.Cost != 2*o.InstanceHours {
		t.Errorf("%.2f instance-minutes cost %.3f, want %.2f", got, o.Cost, minutes)
	}
	// Ideal: 50 minutes of 1 and 10 of 4. With boot 2 minutes more of 4.
	if math.Abs(o.Ideal*60-90) > 1e-6 || math.Abs(o.IdealBoot*60-96) > 1e-6 {
		t.Errorf("ideal %.2f and %.2f instance-minutes, want 90 and 96", o.Ideal*60, o.IdealBoot*60)
	}
	if math.Abs(o.TauUnder-100*3.0/60) > 1e-9 || o.Starts != 3 {
		t.Errorf("short for %.3f %% of the time with %v starts, want 5 %% and 3", o.TauUnder, o.Starts)
	}
}

func TestBootTimesFollowTheirDistribution(t *testing.T) {
	t.Parallel()
	w := simulate.World{
		Service: time.Second, ArrivalVariation: -1, Tick: time.Second, Window: time.Second,
		Boot: simulate.Boot{Median: 20 * time.Second, P95: 60 * time.Second},
	}
	measure := func(w simulate.World) (median, p95 float64) {
		var took []float64
		trace := flat(60, 2)
		trace.Counts[1] = 60 * 400
		p := simulate.Reactive(100, 1, 1000, w)
		p.Up.Rates = []autoscale.Rate{{Instances: 1000, Per: time.Second}}
		trace.Counts = append(trace.Counts, slices.Repeat([]float64{60 * 400}, 8)...)
		before := 0
		var launched time.Time
		do(t, simulate.Run{Policy: p, Trace: trace, World: w, Seed: 5, Decided: func(d *autoscale.Decision) {
			if d.Result > 300 && launched.IsZero() {
				launched = d.At
			}
			for range d.Ready - before {
				if !launched.IsZero() {
					took = append(took, d.At.Sub(launched).Seconds())
				}
			}
			before = d.Ready
		}})
		slices.Sort(took)
		return took[len(took)/2], took[len(took)*95/100]
	}
	if median, p95 := measure(w); math.Abs(median-20) > 3 || math.Abs(p95-60) > 12 {
		t.Errorf("half are ready after %.1f s, 95 %% after %.1f s, want 20 and 60", median, p95)
	}
	w.Boot = simulate.Boot{Median: 20 * time.Second, Fails: 0.5}
	if median, p95 := measure(w); median < 20 || p95 < 80 { // every second begins again
		t.Errorf("with boots that fail half are ready after %.1f s, 95 %% after %.1f s", median, p95)
	}
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]simulate.Run{
		"simulate policy: Min must not be negative, is -1":      {Policy: autoscale.Policy{Min: -1}, Trace: flat(1, 2)},
		"simulate: flat has no steps":                           {Trace: flat(1, 0)},
		"simulate: tick: want 1s to 1h, not 1ms":                {Trace: flat(1, 2), World: simulate.World{Tick: time.Millisecond}},
		"simulate: boot fails: want a share of 0 to 0.9, not 2": {Trace: flat(1, 2), World: simulate.World{Boot: simulate.Boot{Fails: 2}}},
	} {
		if _, err := r.Do(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
