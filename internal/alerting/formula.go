package alerting

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"holdfast/internal/formula"
)

// Figures are the names formulas may use, with what they mean.
func Figures() map[string]string {
	return map[string]string{
		"requests_per_second": "of the last minute", "error_percent": "of the requests of the last minute that failed",
		"p50_ms": "of the last minute", "p95_ms": "of the last minute", "p99_ms": "of the last minute",
		"in_flight": "requests now", "waiting": "requests that wait for an instance or a place now",
		"cpu_percent": "of one core, the highest of the instances", "memory_percent": "of what an instance may use, the highest",
		"event_loop_lag_ms": "the longest of the instances",
		"instances":         "all", "available": "instances that take traffic", "failed": "instances that failed",
		"breaker_open": "1 while it is open, else 0",
	}
}

// Formula is a rule somebody wrote. Wrong is a value Above one limit or Below
// another; between Clear and the limit what fires goes on.
type Formula struct {
	Value *formula.Formula
	// Above and Below are limits; NaN: there is none.
	Above, Below float64
	// Clear is where it is well again; NaN: at the limit.
	Clear float64
	// Summary is a sentence of its own; empty: one with the numbers.
	Summary string
}

// forgotten is how long an alert outlives the last time its figures were known.
const forgotten = 10 * time.Minute

// formulas applies rules that are formulas. It remembers when each was known
// last.
type formulas struct {
	known map[string]time.Time
}

func (x *formulas) judge(v *View, rules []*Rule) []Finding {
	var list []Finding
	seen := map[string]time.Time{}
	for _, r := range rules {
		if r.Formula == nil || r.Off {
			continue
		}
		for i := range v.Functions {
			if f := &v.Functions[i]; f.Figure != nil && !f.Stopped && r.concerns(f.Name) {
				list = x.look(r, f, v.At, seen, list)
			}
		}
	}
	x.known = seen
	return list
}

func (x *formulas) look(r *Rule, f *Function, now time.Time, seen map[string]time.Time, list []Finding) []Finding {
	key := r.Name + "\x00" + f.Name
	value, ok := r.Formula.Value.Value(f.Figure)
	if !ok {
		last := x.known[key]
		if last.IsZero() {
			last = now // it may have been known before a restart
		}
		seen[key] = last
		if now.Sub(last) < forgotten {
			return append(list, Finding{Rule: r.Name, Function: f.Name, Between: true})
		}
		return list
	}
	seen[key] = now
	wrong, well := r.Formula.verdict(value)
	switch {
	case wrong:
		return append(list, r.Formula.finding(r, f, value))
	case !well:
		return append(list, Finding{Rule: r.Name, Function: f.Name, Between: true})
	}
	return list
}

func (x *Formula) verdict(v float64) (wrong, well bool) {
	switch {
	case v > x.Above:
		return true, false
	case v < x.Below:
		return true, false
	case math.IsNaN(x.Clear):
		return false, true
	case !math.IsNaN(x.Above):
		return false, v <= x.Clear
	}
	return false, v >= x.Clear
}

func (x *Formula) finding(r *Rule, f *Function, v float64) Finding {
	out := Finding{Rule: r.Name, Function: f.Name, Numbers: map[string]float64{"value": v}, Summary: x.Summary}
	for _, name := range x.Value.Names() {
		if n, ok := f.Figure(name); ok {
			out.Numbers[name] = n
		}
	}
	limit, way := x.Above, "above"
	if math.IsNaN(limit) {
		limit, way = x.Below, "below"
	}
	out.Numbers["limit"] = limit
	if x.Summary == "" {
		out.Summary = fmt.Sprintf("%s is %s, %s %s", x.Value, short(v), way, short(limit))
	}
	out.Summary = f.Name + ": " + out.Summary
	return out
}

func short(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
