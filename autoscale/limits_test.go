package autoscale_test

import (
	"testing"
	"time"

	"holdfast/autoscale"
)

// run decides every tick, with the number that was decided before, and returns
// the numbers.
func run(p autoscale.Policy, s *autoscale.State, from time.Time, tick time.Duration, signals []autoscale.Signals) []int {
	var results []int
	desired := signals[0].Desired
	for i, in := range signals {
		in.Desired = desired
		d := autoscale.Decide(p, *s, in, from.Add(time.Duration(i)*tick))
		*s, desired = d.Next, d.Target()
		results = append(results, desired)
	}
	return results
}

// wishes makes signals under which a policy with totals wants these numbers.
func wishes(desired int, list ...float64) []autoscale.Signals {
	signals := make([]autoscale.Signals, len(list))
	for i, n := range list {
		signals[i] = autoscale.Signals{Desired: desired, Values: values{"custom:n": n}}
	}
	return signals
}

func totals(lowest, highest int) autoscale.Policy {
	p := quick(lowest, highest)
	p.Tolerance = -1
	p.Targets = []autoscale.Target{{Signal: "custom:n", Value: 1}}
	return p
}

func equal(t *testing.T, got []int, want ...int) {
	t.Helper()
	for i := range want {
		if len(got) != len(want) || got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestTheMostCarefulWishOfTheHoldCounts(t *testing.T) {
	t.Parallel()
	p := totals(1, 50)
	p.Down.Hold = time.Minute
	got := run(p, &autoscale.State{}, at(0), 20*time.Second, wishes(10, 4, 6, 5, 3, 3, 3, 3, 3))
	// 10 is what there was when the first decision was made.
	equal(t, got, 10, 10, 10, 10, 6, 5, 3, 3)

	p = totals(1, 50)
	p.Up.Hold = time.Minute
	got = run(p, &autoscale.State{}, at(0), 20*time.Second, wishes(3, 9, 8, 9, 9, 9, 2, 9))
	equal(t, got, 3, 3, 3, 3, 8, 2, 2)
}

func TestRatesBoundWhatComesAndGoesInATime(t *testing.T) {
	t.Parallel()
	p := totals(1, 100)
	p.Up.Rates = []autoscale.Rate{{Instances: 4, Percent: 100, Per: 15 * time.Second}}
	equal(t, run(p, &autoscale.State{}, at(0), 5*time.Second, wishes(1, 90, 90, 90, 90, 90, 90, 90)), 5, 5, 5, 10, 10, 10, 20)

	p.Up.Rates = append(p.Up.Rates, autoscale.Rate{Instances: 1, Per: 10 * time.Second})
	p.Up.Careful = true
	equal(t, run(p, &autoscale.State{}, at(0), 5*time.Second, wishes(1, 90, 90, 90, 90, 90)), 2, 2, 3, 3, 4)

	p = totals(1, 100)
	p.Down.Rates = []autoscale.Rate{{Percent: 25, Per: time.Minute}}
	equal(t, run(p, &autoscale.State{}, at(0), 30*time.Second, wishes(16, 1, 1, 1, 1, 1, 1, 1)), 12, 12, 9, 9, 7, 7, 6)
	equal(t, run(p, &autoscale.State{}, at(0), time.Minute, wishes(3, 1, 1, 1)), 2, 1, 1) // always at least one

	p.Down.Never = true
	equal(t, run(p, &autoscale.State{}, at(0), time.Minute, wishes(3, 1, 4, 1)), 3, 4, 4)
}

func TestAfterAChangeThereIsARest(t *testing.T) {
	t.Parallel()
	p := totals(1, 50)
	p.Cooldown = time.Minute
	var s autoscale.State
	equal(t, run(p, &s, at(0), 20*time.Second, wishes(2, 4, 6, 1, 6, 8, 8, 8, 8)), 4, 4, 4, 6, 6, 6, 8, 8)
}

func TestAnOperatorsChangeIsAChangeToo(t *testing.T) {
	t.Parallel()
	p := totals(1, 50)
	p.Cooldown = time.Minute
	first := autoscale.Decide(p, autoscale.State{}, wishes(2, 2)[0], at(0))
	want(t, autoscale.Decide(p, first.Next, wishes(5, 2)[0], at(10*time.Second)), 5, autoscale.ByCooldown)
}

func TestWhenTheFlapBudgetIsUsedUpNothingIsRemoved(t *testing.T) {
	t.Parallel()
	p := totals(1, 50)
	p.ChangesPerHour = 3
	var s autoscale.State
	equal(t, run(p, &s, at(0), time.Minute, wishes(2, 4, 2, 4, 2, 2, 6, 2)), 4, 2, 4, 4, 4, 6, 6)
	d := autoscale.Decide(p, s, wishes(6, 2)[0], at(time.Hour+2*time.Minute))
	want(t, d, 2, autoscale.ByTarget) // the hour is over
}

func TestAStateThatWasLostCostsCautionNotInstances(t *testing.T) {
	t.Parallel()
	p := totals(1, 50)
	p.Down.Hold = 5 * time.Minute
	want(t, decide(p, wishes(8, 2)[0]), 8, autoscale.ByHold)
	want(t, decide(p, wishes(8, 9)[0]), 9, autoscale.ByTarget)
}

func TestBoundsComeLastAndSchedulesMoveThem(t *testing.T) {
	t.Parallel()
	p := totals(2, 10)
	p.Cooldown = time.Hour
	p.Schedules = []autoscale.Schedule{{Name: "day", Min: 5}, {Name: "night", Max: 3}, {Name: "sale", Min: 8, Max: 40}}
	for _, c := range []struct {
		wish, desired, result int
		in                    []string
	}{
		{1, 3, 2, nil},
		{99, 3, 10, nil},
		{1, 3, 5, []string{"day"}},
		{9, 3, 3, []string{"night"}},
		{9, 3, 3, []string{"day", "night"}}, // Max goes before Min
		{99, 3, 10, []string{"sale"}},       // never beyond the policy's own
		{1, 3, 8, []string{"day", "sale"}},
		{1, 3, 2, []string{"unknown"}},
	} {
		s := wishes(c.desired, float64(c.wish))[0]
		s.Schedules = c.in
		d := decide(p, s)
		if d.Result != c.result {
			t.Errorf("wish %d in %v: %d, want %d\n%s", c.wish, c.in, d.Result, c.result, lines(&d))
		}
	}
	var s autoscale.State
	run(p, &s, at(0), time.Second, wishes(10, 10, 10))
	p.Max = 4 // lowered meanwhile: no rest stands against a bound
	want(t, autoscale.Decide(p, s, wishes(10, 10)[0], at(time.Minute)), 4, autoscale.ByBounds)
}
