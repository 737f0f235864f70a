package simulate_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"holdfast/autoscale"
	"holdfast/autoscale/schedule"
	"holdfast/autoscale/simulate"
)

const jobs autoscale.Signal = "custom:jobs"

// window opens at times of a cron expression, in UTC.
func window(tb testing.TB, cron string, long time.Duration) *schedule.Window {
	tb.Helper()
	w, err := schedule.Parse(cron, time.UTC, long)
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

// A day of hardly any demand: what there is of instances is the schedules'.
func TestSchedulesMoveTheBoundsWhenTheyAreInForce(t *testing.T) {
	t.Parallel()
	w := simulate.World{ArrivalVariation: -1, Tick: time.Minute}
	p := simulate.Reactive(70, 1, 9, w)
	p.Schedules = []autoscale.Schedule{{Name: "morning", Min: 4}, {Name: "never named", Min: 9}}
	r := simulate.Run{
		Policy: p, Trace: flat(1, 24*60), World: w, Timeline: true,
		Around: simulate.Around{Windows: map[string]*schedule.Window{"morning": window(t, "0 8 * * *", 2*time.Hour)}},
	}
	at := func(o *simulate.Outcome, hour, minute int) float64 { return o.Timeline[60*hour+minute].Ready }
	o := do(t, r)
	if at(o, 7, 59) != 1 || at(o, 8, 3) != 4 || at(o, 9, 59) != 4 || at(o, 10, 30) != 1 || o.Most < 4 || o.Most > 5 {
		t.Errorf("from 8 to 10 there should be 4: %v at 7:59, %v at 8:03, %v at 9:59, %v at 10:30, most %v",
			at(o, 7, 59), at(o, 8, 3), at(o, 9, 59), at(o, 10, 30), o.Most)
	}
	r.Around = simulate.Around{}
	if o := do(t, r); o.Most != 1 {
		t.Errorf("without the times of the schedules there are %v instances", o.Most)
	}
}

// Every proposal keeps the schedules of the policy it would replace.
func TestSuggestionsKeepTheSchedules(t *testing.T) {
	t.Parallel()
	w := simulate.World{Service: time.Second, ArrivalVariation: -1, Tick: time.Minute}
	demand := flat(30, 12*60)
	demand.Counts[5] = 600
	present := simulate.Contender{
		Policy: autoscale.Policy{Schedules: []autoscale.Schedule{{Name: "morning", Min: 7}}},
		Around: simulate.Around{Windows: map[string]*schedule.Window{"morning": window(t, "0 8 * * *", 2*time.Hour)}},
	}
	with, err := simulate.Suggest(demand, w, 20, 1, present)
	if err != nil {
		t.Fatal(err)
	}
	without, err := simulate.Suggest(demand, w, 20, 1, simulate.Contender{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range with {
		if more := with[i].Mean.InstanceHours - without[i].Mean.InstanceHours; more < 8 {
			t.Errorf("%s: 7 instances for 2 hours are only %.1f instance-hours more than without", with[i].Name, more)
		}
	}
}

// queue is a trace with jobs beside its demand: 10, and 100 from minute 30 on.
func queue(shared bool) *simulate.Trace {
	trace := flat(60, 60)
	var at []time.Time
	var values []float64
	for minute := range 60 {
		at = append(at, trace.Begin.Add(time.Duration(minute)*time.Minute))
		values = append(values, 10)
		if minute >= 30 {
			values[minute] = 100
		}
	}
	trace.Record(jobs, at, values, shared)
	return trace
}

// What was recorded is known once its step is over, and not before.
func TestSignalsOfOnesOwnAreThoseOfThePast(t *testing.T) {
	t.Parallel()
	w := simulate.World{Service: 10 * time.Millisecond, ArrivalVariation: -1, Tick: time.Minute}
	p := autoscale.Policy{Min: 1, Max: 20, Targets: []autoscale.Target{{Signal: jobs, Value: 10}}}
	of := func(list []autoscale.Decision, minute int, trace *simulate.Trace) *autoscale.Decision {
		at := trace.Begin.Add(time.Duration(minute) * time.Minute)
		i := slices.IndexFunc(list, func(d autoscale.Decision) bool { return d.At.Equal(at) })
		if i < 0 {
			t.Fatalf("nothing was decided in minute %d", minute)
		}
		return &list[i]
	}
	trace := queue(false)
	list := decisions(t, simulate.Run{Policy: p, Trace: trace, World: w})
	if before, after := of(list, 30, trace), of(list, 31, trace); before.Result != 1 || after.Result <= 1 || after.Inputs.Signals.Values[jobs] != 100 {
		t.Errorf("100 jobs came in the minute from 30 to 31: %d wanted at 30, %d at 31 with %v jobs", before.Result, after.Result, after.Inputs.Signals.Values[jobs])
	}
	if last := of(list, 59, trace); last.Current != 10 {
		t.Errorf("%d instances for 100 jobs, 10 each", last.Current)
	}
	w.Lag = 2 * time.Minute
	list = decisions(t, simulate.Run{Policy: p, Trace: trace, World: w})
	if before, after := of(list, 32, trace), of(list, 33, trace); before.Result != 1 || after.Result <= 1 {
		t.Errorf("measured 2 minutes late: %d wanted at 32, %d at 33", before.Result, after.Result)
	}
	w.Lag = 0
	shared := queue(true)
	p.Min = 4
	list = decisions(t, simulate.Run{Policy: p, Trace: shared, World: w})
	if d := of(list, 20, shared); d.Inputs.Signals.Values[jobs] != 2.5 {
		t.Errorf("each of 4 has %v of 10 jobs", d.Inputs.Signals.Values[jobs])
	}
}

// A minute nobody measured is unknown, as it is in service.
func TestAGapInASignalRemovesNothing(t *testing.T) {
	t.Parallel()
	trace := flat(60, 120)
	var at []time.Time
	var values []float64
	for minute := range 20 {
		at, values = append(at, trace.Begin.Add(time.Duration(minute)*time.Minute)), append(values, 50)
	}
	trace.Record(jobs, append(at, trace.Begin.Add(-time.Minute), trace.Begin.Add(200*time.Minute)), append(values, 1, 1), false)
	w := simulate.World{Service: 10 * time.Millisecond, ArrivalVariation: -1, Tick: time.Minute}
	p := simulate.Reactive(70, 1, 9, w)
	p.Targets = append(p.Targets, autoscale.Target{Signal: jobs, Value: 10})
	list := decisions(t, simulate.Run{Policy: p, Trace: trace, World: w})
	if last := list[len(list)-1]; last.Result != 5 || last.Rule != autoscale.ByMissing {
		t.Errorf("with the signal gone there should be 5 for ever: %d, %s", last.Result, last.Reason)
	}
	if cut := trace.Part(0.5, 1); len(cut.Recorded[jobs].Values) != 60 || !math.IsNaN(cut.Recorded[jobs].Values[0]) || len(trace.Recorded[jobs].Values) != 120 {
		t.Errorf("the second half has %d values", len(cut.Recorded[jobs].Values))
	}
}

// double is what a formula may be.
func double(name, of autoscale.Signal) simulate.Derived {
	return simulate.Derived{Signal: name, From: []autoscale.Signal{of}, Value: func(value func(autoscale.Signal) (float64, bool)) (float64, bool) {
		v, ok := value(of)
		return 2 * v, ok
	}}
}

func TestWhatIsCalculatedFollowsWhatIsSimulatedAndRecorded(t *testing.T) {
	t.Parallel()
	w := simulate.World{ArrivalVariation: -1, Tick: time.Minute}
	around := simulate.Around{Derived: []simulate.Derived{double("custom:twice", autoscale.OfferedRate), double("custom:more", jobs), double("custom:most", "custom:more")}}
	list := decisions(t, simulate.Run{Policy: autoscale.Policy{Max: 3}, Around: around, Trace: queue(false), World: w})
	in := list[len(list)-1].Inputs.Signals.Values
	if math.Abs(in["custom:twice"]-2) > 1e-9 || in["custom:most"] != 400 {
		t.Errorf("twice a request per second is %v, four times 100 jobs are %v", in["custom:twice"], in["custom:most"])
	}
}

// What has no past is taken out of the policy, and named; what has one stays.
func TestAPolicyIsRehearsedWithoutWhatHasNoPast(t *testing.T) {
	t.Parallel()
	p := autoscale.Policy{Max: 9, Targets: []autoscale.Target{{Signal: jobs, Value: 10}, {Signal: "custom:lag", Value: 1}, {Signal: autoscale.OfferedRate, Value: 5}, {Signal: "custom:twice", Value: 5}}}
	p.Thresholds.Up = map[autoscale.Signal]float64{autoscale.CPUPercent: 70, "custom:behind": 5}
	p.Thresholds.Down = map[autoscale.Signal]float64{autoscale.CPUPercent: 30, "custom:behind": 1, jobs: 3}
	around := simulate.Around{Derived: []simulate.Derived{double("custom:twice", jobs), double("custom:behind", "custom:lag")}}
	c := simulate.Contender{Name: "f", Policy: p, Around: around}
	left, out := c.Rehearsable(queue(false))
	if !slices.Equal(out, []autoscale.Signal{"custom:behind", "custom:lag"}) {
		t.Errorf("left out are %v", out)
	}
	if n := left.Policy; len(n.Targets) != 3 || len(n.Thresholds.Up) != 1 || len(n.Thresholds.Down) != 2 {
		t.Errorf("left are %+v and %+v", n.Targets, n.Thresholds)
	}
	if len(p.Targets) != 4 || p.Targets[1].Signal != "custom:lag" || len(p.Thresholds.Up) != 2 {
		t.Error("the policy itself was changed")
	}
	if _, out := c.Rehearsable(flat(1, 2)); len(out) != 4 {
		t.Errorf("without a past all four have to go: %v", out)
	}
	if _, out := (simulate.Contender{Policy: autoscale.ServicePolicy()}).Rehearsable(flat(1, 2)); len(out) != 0 {
		t.Errorf("all that a profile looks at is simulated, yet: %v", out)
	}
}

// What no rule looks at changes nothing, down to the last bit.
func TestWhatNobodyLooksAtChangesNothing(t *testing.T) {
	t.Parallel()
	trace, w := lively(t, 300)
	r := simulate.Run{Policy: simulate.Sized(0.05, 1, 50, w), Trace: trace, World: w, Seed: 3, Timeline: true}
	before := asJSON(t, do(t, r))
	told := *trace
	told.Record(jobs, []time.Time{trace.Begin}, []float64{1}, true)
	r.Trace = &told
	r.Around = simulate.Around{
		Windows: map[string]*schedule.Window{"day": window(t, "0 0 * * *", time.Hour)}, Derived: []simulate.Derived{double("custom:twice", jobs)},
	}
	if asJSON(t, do(t, r)) != before {
		t.Error("the outcome is another one")
	}
	if len(trace.Recorded) != 0 {
		t.Error("the trace itself was changed")
	}
}

// What each instance had is divided among those that are simulated; what a
// formula needs is recorded, the formula itself is not.
func TestThePastIsPutBesideTheDemand(t *testing.T) {
	t.Parallel()
	var past simulate.Past
	trace := flat(60, 60)
	for minute := range 60 {
		v := map[autoscale.Signal]float64{jobs: 3, "custom:unused": 1, "custom:twice": 99}
		if minute > 20 {
			v["custom:late"] = 7
		}
		past.Add(trace.Begin.Add(time.Duration(minute)*time.Minute), 4, v)
	}
	list := []simulate.Contender{
		{Policy: autoscale.Policy{Min: 6, Max: 6, Targets: []autoscale.Target{{Signal: jobs, Value: 2, Kind: autoscale.Mean}, {Signal: "custom:late", Value: 9}}}},
		{
			Policy: autoscale.Policy{Max: 6, Targets: []autoscale.Target{{Signal: "custom:twice", Value: 2}, {Signal: "custom:gone", Value: 2}}},
			Around: simulate.Around{Derived: []simulate.Derived{double("custom:twice", jobs)}},
		},
	}
	notes := past.Prepare(trace, list)
	if len(notes) != 3 || len(list[0].Policy.Targets) != 2 || len(list[1].Policy.Targets) != 1 || len(trace.Recorded) != 2 {
		t.Errorf("%q, left are %+v and %+v, recorded %d", notes, list[0].Policy.Targets, list[1].Policy.Targets, len(trace.Recorded))
	}
	late := trace.Recorded["custom:late"].Values
	if !math.IsNaN(late[20]) || late[21] != 7 {
		t.Errorf("late from minute 21 on: %v", late)
	}
	w := simulate.World{ArrivalVariation: -1, Tick: time.Minute}
	all := decisions(t, simulate.Run{Policy: list[0].Policy, Around: list[0].Around, Trace: trace, World: w})
	if v := all[len(all)-1].Inputs.Signals.Values[jobs]; v != 2 {
		t.Errorf("4 instances had 3 each, so 6 have 2, not %v", v)
	}
}
