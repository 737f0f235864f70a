package alerting

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/formula"
)

// Formula is a condition somebody wrote, over the figures of a function. While
// Wrong is not 0 something is wrong, while Well is not 0 it is well; in between
// what fires goes on. Without Well it is well when it is not wrong.
type Formula struct {
	Wrong, Well *formula.Formula
	Text        string // the condition as it was written
	Summary     string // a sentence of its own; empty: one with the numbers
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
	wrong, well, ok := r.Formula.verdict(f.Figure)
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
	switch {
	case wrong:
		return append(list, r.Formula.finding(r, f))
	case !well:
		return append(list, Finding{Rule: r.Name, Function: f.Name, Between: true})
	}
	return list
}

// verdict is not ok where figures are unknown.
func (x *Formula) verdict(of func(string) (float64, bool)) (wrong, well, ok bool) {
	v, ok := x.Wrong.Value(of)
	if !ok || v != 0 || x.Well == nil {
		return v != 0, v == 0, ok
	}
	w, ok := x.Well.Value(of)
	return false, w != 0, ok
}

func (x *Formula) finding(r *Rule, f *Function) Finding {
	out := Finding{
		Rule: r.Name, Function: f.Name, Numbers: map[string]float64{}, Summary: x.Summary,
		Cause: "the condition of the rule holds: " + x.Text, Next: "holdfast requests " + f.Name + " shows requests that failed or were slow",
	}
	var parts []string
	for _, name := range x.Wrong.Names() {
		if n, ok := f.Figure(name); ok {
			out.Numbers[name] = n
			parts = append(parts, name+" is "+short(n))
		}
	}
	if x.Summary == "" {
		out.Summary = fmt.Sprintf("%s: %s (%s)", r.Name, strings.Join(parts, ", "), x.Text)
	}
	out.Summary = f.Name + ": " + out.Summary
	return out
}

func short(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
