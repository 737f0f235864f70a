package autoscale_test

import (
	"testing"
	"time"

	"holdfast/autoscale"
)

// at is when most tests begin: the middle of an hour, so that budgets have no
// edge near.
func at(after time.Duration) time.Time {
	return time.Date(2026, 11, 17, 9, 20, 0, 0, time.UTC).Add(after)
}

type values = map[autoscale.Signal]float64

// ready makes instances that are ready and say the same of themselves.
func ready(n int, v values) []autoscale.Instance {
	list := make([]autoscale.Instance, n)
	for i := range list {
		list[i] = autoscale.Instance{ID: string(rune('a' + i)), State: autoscale.Ready, Values: v}
	}
	return list
}

// others makes instances in a state since a time.
func others(n int, state autoscale.InstanceState, since time.Time) []autoscale.Instance {
	list := make([]autoscale.Instance, n)
	for i := range list {
		list[i] = autoscale.Instance{ID: string(rune('p' + i)), State: state, Since: since}
	}
	return list
}

// quick is a policy without rests, so that each test adds the one it is about.
func quick(lowest, highest int) autoscale.Policy {
	return autoscale.Policy{
		Min: lowest, Max: highest, Down: autoscale.Limits{Hold: -1, Rates: []autoscale.Rate{{Percent: 100, Per: time.Second}}},
		Up: autoscale.Limits{Rates: []autoscale.Rate{{Instances: 1000, Per: time.Second}}},
	}
}

func cpuTarget(lowest, highest int) autoscale.Policy {
	p := quick(lowest, highest)
	p.Targets = []autoscale.Target{{Signal: autoscale.CPUPercent, Value: 50}}
	return p
}

// want checks the result of a decision and the rule it came from.
func want(t *testing.T, d autoscale.Decision, result int, rule autoscale.Rule) {
	t.Helper()
	if d.Result != result || d.Rule != rule {
		t.Errorf("result %d by %s, want %d by %s\n%s", d.Result, d.Rule, result, rule, lines(&d))
	}
	if err := d.Replay(); err != nil {
		t.Error(err)
	}
}

func lines(d *autoscale.Decision) string {
	text := ""
	for _, l := range d.Explain() {
		text += l + "\n"
	}
	return text
}

// decide decides on a fresh state.
func decide(p autoscale.Policy, s autoscale.Signals) autoscale.Decision {
	return autoscale.Decide(p, autoscale.State{}, s, at(0))
}

// settledState is that of a function whose number has been the same for long.
func settledState(desired int) autoscale.State {
	return autoscale.State{Since: at(-24 * time.Hour), At: at(-15 * time.Second), Desired: desired}
}
