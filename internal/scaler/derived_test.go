package scaler_test

import (
	"testing"
	"time"

	"holdfast/autoscale"
	"holdfast/autoscale/schedule"
	"holdfast/exchange"
	"holdfast/internal/formula"
	"holdfast/internal/scaler"
)

const (
	queue    autoscale.Signal = "custom:queue"
	pressure autoscale.Signal = "custom:pressure"
)

// seen returns the signals of the latest decision about a target.
func seen(t *testing.T, m *machine, target scaler.Target) autoscale.Signals {
	t.Helper()
	var s autoscale.Signals
	runTarget(t, m, target, func(x *scaler.Scaler, _ *exchange.Function) {
		pass(3 * time.Second)
		v, ok := x.View("f")
		if !ok {
			t.Fatal("nothing was decided")
		}
		s = v.Latest.Inputs.Signals
	})
	return s
}

func TestWhatInstancesSayIsCombined(t *testing.T) {
	t.Parallel()
	for how, want := range map[scaler.Combination]float64{scaler.Sum: 9, scaler.Mean: 3, scaler.Most: 5, scaler.Min: 1} {
		m := &machine{desired: 3, state: autoscale.Ready, each: map[string]float64{"a": 1, "b": 5, "c": 3}}
		target := scaler.Target{Policy: policy(), Combined: []scaler.Combined{{Signal: queue, How: how}}}
		if v, ok := seen(t, m, target).Values[queue]; !ok || v != want {
			t.Errorf("%s: %v, %v, want %v", how, v, ok, want)
		}
		delete(m.each, "b")
		if v, ok := seen(t, m, target).Values[queue]; ok {
			t.Errorf("%s: %v, although one says nothing", how, v)
		}
	}
	m := &machine{desired: 2, state: autoscale.Starting, each: map[string]float64{"a": 1, "b": 5}}
	if v, ok := seen(t, m, scaler.Target{Policy: policy(), Combined: []scaler.Combined{{Signal: queue, How: scaler.Sum}}}).Values[queue]; ok {
		t.Errorf("%v, although none is ready", v)
	}
}

func TestFormulasAreCalculatedFromWhatWasMeasured(t *testing.T) {
	t.Parallel()
	f, err := formula.Compile("queue * 2 + cpu_percent", []string{"queue", "cpu_percent"})
	if err != nil {
		t.Fatal(err)
	}
	target := scaler.Target{Policy: policy(), Derived: []scaler.Derived{{
		Signal: pressure, Formula: f, Means: map[string]autoscale.Signal{"queue": queue, "cpu_percent": autoscale.CPUPercent},
	}}}
	m := &machine{desired: 2, state: autoscale.Ready, cpu: 40, each: map[string]float64{"a": 1, "b": 3}}
	if v, ok := seen(t, m, target).Values[pressure]; !ok || v != 44 {
		t.Errorf("%v, %v, want the mean of the queues twice, and 40", v, ok)
	}
	delete(m.each, "a")
	if v, ok := seen(t, m, target).Values[pressure]; ok {
		t.Errorf("%v, although one instance's queue is unknown", v)
	}
}

func TestSchedulesInForceMoveTheBounds(t *testing.T) {
	t.Parallel()
	window := func(cron string) *schedule.Window {
		w, err := schedule.Parse(cron, time.UTC, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	p := policy()
	p.Schedules = []autoscale.Schedule{{Name: "always", Min: 3}, {Name: "february", Min: 4}}
	m := &machine{desired: 1, state: autoscale.Ready, cpu: 50}
	// Time in the bubble begins with the year 2000.
	s := seen(t, m, scaler.Target{Policy: p, Windows: map[string]*schedule.Window{"always": window("* * * * *"), "february": window("* * * feb *")}})
	if len(s.Schedules) != 1 || s.Schedules[0] != "always" || m.instances() != 3 {
		t.Errorf("in force: %v, %d instances", s.Schedules, m.instances())
	}
}

func TestTheServiceTimeIsThatOfQuietTimesUnlessGiven(t *testing.T) {
	t.Parallel()
	m := &machine{desired: 1, state: autoscale.Ready, cpu: 50}
	if v := seen(t, m, scaler.Target{Policy: policy(), ServiceTime: 80 * time.Millisecond}).Values[autoscale.ServiceTimeMS]; v != 80 {
		t.Errorf("%v ms, want the 80 that were given", v)
	}
	runTarget(t, m, scaler.Target{Policy: policy()}, func(x *scaler.Scaler, fn *exchange.Function) {
		took := func() (float64, bool) {
			v, _ := x.View("f")
			ms, ok := v.Latest.Inputs.Signals.Values[autoscale.ServiceTimeMS]
			return ms, ok
		}
		requests := func(pieces, n int, each time.Duration) {
			for range pieces {
				for range n {
					fn.Stats().Latency.Add(each)
				}
				pass(16 * time.Second)
			}
		}
		requests(6, 2, 10*time.Millisecond)
		if ms, ok := took(); ok {
			t.Errorf("%v ms after a few requests, want that nobody knows", ms)
		}
		requests(6, 50, 100*time.Millisecond)
		requests(12, 50, 400*time.Millisecond) // they wait for each other
		if ms, ok := took(); !ok || ms < 99 || ms > 101 {
			t.Errorf("%v ms, %v, want the 100 of the quiet quarter", ms, ok)
		}
	})
}
