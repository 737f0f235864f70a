package autoscale

import (
	"cmp"
	"math"
	"time"
)

// AtCap says what happens when the budget does not allow what is wanted.
type AtCap string

// What may happen.
const (
	// HoldAtCap adds nothing more and keeps what there is: the default.
	HoldAtCap AtCap = "hold"
	// ShrinkAtCap also removes what the budget does not allow, down to Min.
	ShrinkAtCap AtCap = "shrink"
	// WarnAtCap only says so.
	WarnAtCap AtCap = "warn"
)

// Budget caps what instances cost in a calendar hour and month, UTC. Of the
// month as much stays back as Min costs until its end; the bounds go before the
// budget.
type Budget struct {
	// Price is what an instance costs in an hour. 0 is 1: the caps are
	// instance-hours then.
	Price float64 `json:"price,omitempty"`
	// PerHour and PerMonth are the caps; 0: none.
	PerHour  float64 `json:"per_hour,omitempty"`
	PerMonth float64 `json:"per_month,omitempty"`
	AtCap    AtCap   `json:"at_cap,omitempty"`
}

func (b Budget) withDefaults() Budget {
	b.Price, b.AtCap = cmp.Or(b.Price, 1), cmp.Or(b.AtCap, HoldAtCap)
	return b
}

func (b Budget) validate(add complain) {
	for name, v := range map[string]float64{"Price": b.Price, "PerHour": b.PerHour, "PerMonth": b.PerMonth} {
		add(!finite(v) || v < 0, "Budget.%s must not be negative, is %v", name, v)
	}
	add(b.AtCap != "" && b.AtCap != HoldAtCap && b.AtCap != ShrinkAtCap && b.AtCap != WarnAtCap, "Budget.AtCap must be hold, shrink or warn, is %q", b.AtCap)
}

// Spent is what was used so far, in instance-hours.
type Spent struct {
	Hour  time.Time `json:"hour,omitzero"` // when the hour and the month began
	Month time.Time `json:"month,omitzero"`

	InHour  float64 `json:"in_hour"`
	InMonth float64 `json:"in_month"`
}

func (s *Spent) normal() { s.Hour, s.Month = plain(s.Hour), plain(s.Month) }

// longestGap is how much time without a decision counts as used: nobody knows
// what ran meanwhile.
const longestGap = time.Hour

// add counts what ran since the last decision. A piece that crosses into a new
// hour or month counts in the new one only as far as it is in it.
func (s *Spent) add(before *State, now time.Time) {
	h, m := now.Truncate(time.Hour), time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	if !s.Hour.Equal(h) {
		s.Hour, s.InHour = h, 0
	}
	if !s.Month.Equal(m) {
		s.Month, s.InMonth = m, 0
	}
	if before.At.IsZero() || !now.After(before.At) {
		return
	}
	from := now.Add(-min(now.Sub(before.At), longestGap))
	since := func(begin time.Time) float64 {
		if from.After(begin) {
			begin = from
		}
		return float64(before.Desired) * now.Sub(begin).Hours()
	}
	s.InHour += since(h)
	s.InMonth += since(m)
}

// afforded keeps to the budget.
func (d *deciding) afforded(want int) int {
	n := d.affordable()
	switch {
	case want <= n:
		return want
	case d.Budget.AtCap == WarnAtCap:
		d.constraints = append(d.constraints, Constraint{ByBudget, want, want, "the budget is exceeded, and only said so"})
		return want
	case d.Budget.AtCap == ShrinkAtCap:
		return d.constrain(ByBudget, want, max(n, d.low), "the budget allows %d instances", n)
	}
	return d.constrain(ByBudget, want, max(min(want, d.current), n), "the budget allows %d instances", n)
}

// affordable is how many instances may run until the end of the hour, and for
// the next hour with Min running to the end of the month.
func (d *deciding) affordable() int {
	b, spent := &d.Budget, &d.next.Spent
	n := math.Inf(1)
	if b.PerHour > 0 {
		left := spent.Hour.Add(time.Hour).Sub(d.now).Hours()
		n = min(n, (b.PerHour/b.Price-spent.InHour)/left)
	}
	if b.PerMonth > 0 {
		left := spent.Month.AddDate(0, 1, 0).Sub(d.now).Hours()
		next := min(left, 1)
		n = min(n, (b.PerMonth/b.Price-spent.InMonth-float64(d.low)*(left-next))/next)
	}
	return int(min(max(n, 0), 10*maxInstances) + crumb)
}
