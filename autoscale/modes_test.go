package autoscale_test

import (
	"math"
	"testing"
	"time"

	"holdfast/autoscale"
)

func TestModes(t *testing.T) {
	t.Parallel()
	later := at(time.Hour)
	for _, c := range []struct {
		name   string
		mode   autoscale.Mode
		wish   float64
		result int
		target int
	}{
		{"on, up", autoscale.Mode{}, 5, 5, 5},
		{"on, down", autoscale.Mode{}, 2, 2, 2},
		{"up only, up", autoscale.Mode{Kind: autoscale.UpOnly}, 5, 5, 5},
		{"up only, down", autoscale.Mode{Kind: autoscale.UpOnly}, 2, 3, 3},
		{"advisory decides and does nothing", autoscale.Mode{Kind: autoscale.Advisory}, 5, 5, 3},
		{"paused", autoscale.Mode{Kind: autoscale.Paused, Until: later}, 5, 3, 3},
		{"paused until now", autoscale.Mode{Kind: autoscale.Paused, Until: at(0)}, 5, 5, 5},
		{"pinned", autoscale.Mode{Kind: autoscale.Pinned, At: 4}, 2, 4, 4},
		{"pinned beyond the bounds", autoscale.Mode{Kind: autoscale.Pinned, At: 40}, 2, 10, 10},
		{"pinned, over", autoscale.Mode{Kind: autoscale.Pinned, At: 4, Until: at(-time.Second)}, 2, 2, 2},
	} {
		p := totals(1, 10)
		p.Mode = c.mode
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		d := decide(p, wishes(3, c.wish)[0])
		if d.Result != c.result || d.Target() != c.target {
			t.Errorf("%s: %d, to be %d; want %d and %d\n%s", c.name, d.Result, d.Target(), c.result, c.target, lines(&d))
		}
	}
}

func TestAForecastDecidesNothingAndIsWrittenDown(t *testing.T) {
	t.Parallel()
	p := totals(1, 10)
	s := wishes(3, 4)[0]
	s.Forecast = &autoscale.Forecast{Instances: 25, Model: "week", Quantile: 0.95}
	d := decide(p, s)
	want(t, d, 4, autoscale.ByTarget)
	if d.Forecast == nil || d.Forecast.Result != 10 {
		t.Errorf("the forecast would have made it %+v, want 10", d.Forecast)
	}
	without := decide(p, wishes(3, 4)[0])
	if len(without.Constraints) != len(d.Constraints) || without.Next.Lowest != nil {
		t.Error("the forecast left traces in the decision")
	}
}

func TestABudgetHasAStatedBehaviourAtItsCap(t *testing.T) {
	t.Parallel()
	// 20 min of the hour have passed with 3 instances: 1 instance-hour.
	spent := settledState(3)
	spent.Spent = autoscale.Spent{Hour: at(0).Truncate(time.Hour), InHour: 1 - 3*15.0/3600, Month: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	for _, c := range []struct {
		name   string
		budget autoscale.Budget
		wish   float64
		result int
	}{
		{"none", autoscale.Budget{}, 9, 9},
		{"4 instances to the end of the hour", autoscale.Budget{PerHour: 1 + 4*40.0/60}, 9, 4},
		{"with a price", autoscale.Budget{Price: 0.5, PerHour: 0.5 + 2*40.0/60}, 9, 4},
		{"used up: nothing is added", autoscale.Budget{PerHour: 1}, 9, 3},
		{"used up: removing goes on", autoscale.Budget{PerHour: 1}, 2, 2},
		{"used up, shrink", autoscale.Budget{PerHour: 1, AtCap: autoscale.ShrinkAtCap}, 9, 1},
		{"used up, warn", autoscale.Budget{PerHour: 1, AtCap: autoscale.WarnAtCap}, 9, 9},
		// From 17 November 9:20 on the month has 326.67 hours.
		{"the month keeps a minimum back", autoscale.Budget{PerMonth: 325.67 + 6.02}, 9, 6},
		{"the month is used up", autoscale.Budget{PerMonth: 300}, 9, 3},
	} {
		p := totals(1, 10)
		p.Budget = c.budget
		d := autoscale.Decide(p, spent, wishes(3, c.wish)[0], at(0))
		if d.Result != c.result {
			t.Errorf("%s: %d, want %d\n%s", c.name, d.Result, c.result, lines(&d))
		}
	}
}

func TestWhatIsSpentBeginsAnewWithTheHourAndTheMonth(t *testing.T) {
	t.Parallel()
	p := totals(1, 10)
	s := autoscale.State{}
	begin := time.Date(2026, 11, 30, 23, 30, 0, 0, time.UTC)
	for m := 0; m <= 60; m += 5 {
		d := autoscale.Decide(p, s, wishes(4, 4)[0], begin.Add(time.Duration(m)*time.Minute))
		s = d.Next
		if m == 25 && (s.Spent.InHour < 1.66 || s.Spent.InHour > 1.67) {
			t.Errorf("25 minutes of 4 instances are %v hours", s.Spent.InHour)
		}
	}
	if math.Abs(s.Spent.InHour-2) > 1e-9 || math.Abs(s.Spent.InMonth-2) > 1e-9 {
		t.Errorf("half an hour of 4 instances in December: %+v", s.Spent)
	}
}
