package health_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"holdfast/health"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestResultsAndThresholdsGiveTheState(t *testing.T) {
	t.Parallel()
	// + and - are results, the states after each are u(nknown), U(p), D(own).
	tests := []struct {
		name       string
		policy     health.Policy
		initial    health.State
		results    string
		wantStates string
	}{
		{"the first OK is up at once", health.Policy{}, health.Unknown, "+", "U"},
		{"the first failure is down at once", health.Policy{}, health.Unknown, "-", "D"},
		{"a starting server needs one OK", health.Policy{}, health.Unknown, "---+", "DDDU"},
		{"then fall applies", health.Policy{}, health.Unknown, "-+--+---", "DUUUUUUD"},
		{"and rise", health.Policy{}, health.Unknown, "+---+-++", "UUUDDDDU"},
		{"one each", health.Policy{Rise: 1, Fall: 1}, health.Unknown, "+-+-", "UDUD"},
		{"others", health.Policy{Rise: 3, Fall: 2}, health.Unknown, "+--++-+++", "UUDDDDDDU"},
		{"carried over up needs fall", health.Policy{}, health.Up, "---", "UUD"},
		{"carried over down needs rise", health.Policy{}, health.Down, "++", "DU"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tracker := health.NewTracker(test.policy, test.initial)
			var states strings.Builder
			for i, r := range test.results {
				before := tracker.State()
				changed := tracker.Record(health.Result{OK: r == '+'}, noon.Add(time.Duration(i)*time.Second))
				if changed != (before != tracker.State()) {
					t.Errorf("result %d: changed is %v from %v to %v", i, changed, before, tracker.State())
				}
				states.WriteByte("uUD"[tracker.State()])
			}
			if states.String() != test.wantStates {
				t.Errorf("states %s, want %s", states.String(), test.wantStates)
			}
		})
	}
}

func TestTheIntervalFollowsTheState(t *testing.T) {
	t.Parallel()
	policy := health.Policy{Interval: 30 * time.Second, SuspectInterval: 5 * time.Second, JitterPercent: -1}
	tests := []struct {
		results string // "s" is Suspect()
		want    time.Duration
		suspect bool
	}{
		{"", 0, false},
		{"+", 30 * time.Second, false},
		{"-", 5 * time.Second, false},
		{"+-", 5 * time.Second, true},
		{"+-+", 30 * time.Second, false},
		{"+---", 5 * time.Second, false},
		{"+---+", 5 * time.Second, false},
		{"+---++", 30 * time.Second, false},
		{"+s", 5 * time.Second, true},
		{"+s+", 30 * time.Second, false},
	}
	for _, test := range tests {
		tracker := health.NewTracker(policy, health.Unknown)
		for _, r := range test.results {
			if r == 's' {
				tracker.Suspect()
				continue
			}
			tracker.Record(health.Result{OK: r == '+'}, noon)
		}
		if got := tracker.Next(noon, 7); got != test.want || tracker.Suspected() != test.suspect {
			t.Errorf("%q: next in %v, suspected %v; want %v, %v", test.results, got, tracker.Suspected(), test.want, test.suspect)
		}
	}
}

func TestIntervalsRunFromStartToStart(t *testing.T) {
	t.Parallel()
	tracker := health.NewTracker(health.Policy{Interval: 10 * time.Second, JitterPercent: -1}, health.Unknown)
	tracker.Record(health.Result{OK: true, Took: 3 * time.Second}, noon)
	for after, want := range map[time.Duration]time.Duration{0: 7 * time.Second, 5 * time.Second: 2 * time.Second, time.Minute: 0} {
		if got := tracker.Next(noon.Add(after), 0); got != want {
			t.Errorf("after %v: %v, want %v", after, got, want)
		}
	}
}

func TestJitterStaysInItsBounds(t *testing.T) {
	t.Parallel()
	tracker := health.NewTracker(health.Policy{Interval: 10 * time.Second, JitterPercent: 20}, health.Unknown)
	tracker.Record(health.Result{OK: true}, noon)
	tests := map[uint64]time.Duration{0: 8 * time.Second, math.MaxUint64: 12 * time.Second, 1 << 63: 10 * time.Second}
	for draw, want := range tests {
		if got := tracker.Next(noon, draw); (got - want).Abs() > time.Microsecond {
			t.Errorf("draw %x: %v, want %v", draw, got, want)
		}
	}
}

func TestHistoryIsBoundedAndInOrder(t *testing.T) {
	t.Parallel()
	tracker := health.NewTracker(health.Policy{Rise: 1, Fall: 1}, health.Unknown)
	for i := range 100 {
		r := health.Result{OK: i%2 == 0, Reason: fmt.Sprint("check ", i), Numbers: map[string]float64{"n": 1}}
		tracker.Record(r, noon.Add(time.Duration(i)*time.Second))
	}
	h := tracker.History()
	if len(h.Changes) != 16 || len(h.Results) != 8 {
		t.Fatalf("%d changes, %d results", len(h.Changes), len(h.Results))
	}
	for i, c := range h.Changes {
		n := 84 + i
		w := health.Change{At: noon.Add(time.Duration(n) * time.Second), From: health.Up, To: health.Down, Reason: fmt.Sprint("check ", n)}
		if n%2 == 0 {
			w.From, w.To = w.To, w.From
		}
		if c != w {
			t.Errorf("change %d is %v, want %v", i, c, w)
		}
	}
	for i, r := range h.Results {
		if w := fmt.Sprint("check ", 92+i); r.Result.Reason != w || r.Result.Numbers != nil {
			t.Errorf("result %d is %+v, want %q", i, r, w)
		}
	}
	h.Changes[0].Reason = "mine"
	if tracker.History().Changes[0].Reason == "mine" {
		t.Error("History is not a copy")
	}
	if last, at := tracker.Last(); last.Numbers["n"] != 1 || !at.Equal(noon.Add(99*time.Second)) {
		t.Errorf("Last is %v at %v", last, at)
	}
}

func TestPoliciesHaveDefaultsAndLimits(t *testing.T) {
	t.Parallel()
	d := health.Policy{Interval: 30 * time.Second, SuspectInterval: 5 * time.Second, Timeout: 2 * time.Second, Rise: 2, Fall: 3, JitterPercent: 10}
	if got := (health.Policy{}).WithDefaults(); got != d {
		t.Errorf("defaults %+v", got)
	}
	if got := (health.Policy{Interval: time.Second}).WithDefaults().SuspectInterval; got != time.Second {
		t.Errorf("suspect interval %v is over the interval", got)
	}
	if got := (health.Policy{Interval: -1, Rise: -1, JitterPercent: math.NaN()}).WithDefaults(); got.Interval != d.Interval || got.Rise != 2 || got.JitterPercent > 0 {
		t.Errorf("unusable fields became %+v", got)
	}
	if err := (health.Policy{}).Validate(); err != nil {
		t.Errorf("Validate of the zero policy: %v", err)
	}
	for field, p := range map[string]health.Policy{
		"interval": {Interval: 1}, "suspect": {SuspectInterval: -1}, "timeout": {Timeout: -1},
		"rise": {Rise: -1}, "fall": {Fall: -1}, "jitter": {JitterPercent: 60},
	} {
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("Validate of %+v: %v", p, err)
		}
	}
}

func TestStatesHaveNames(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprint(health.Unknown, health.Up, health.Down); got != "unknown up down" {
		t.Error(got)
	}
}
