package drill

import (
	"slices"
	"strings"
)

// Score says in one number from 0 to 100 how well it went, and how it comes
// about. It is 0 when a request was processed twice or an acknowledged one is
// gone. Parts that were not measured count neither way; Measured says how much
// of the whole was.
type Score struct {
	Total    float64 `json:"total"`
	Measured float64 `json:"measured_percent"`
	Parts    []Part  `json:"parts"`
	Zero     string  `json:"zero,omitempty"` // why Total is 0 in spite of its parts
}

// Part is what one figure adds.
type Part struct {
	Figure string  `json:"figure"`
	Weight float64 `json:"weight"`
	Points float64 `json:"points"`
	Not    string  `json:"not_measured,omitempty"`
}

// target is when a figure has all its points, and when none.
type target struct {
	figure     string
	weight     float64
	full, none float64
}

// targets are those of the score. An expectation of the experiment takes the
// place of full: twice as long, or twice as many failures, gets nothing.
func targets() []target {
	return []target{
		{"availability", 40, 1, 0.9},
		{"failover", 20, 1, 10},
		{"recover", 15, 1, 15},
		{"inflation", 10, 2, 20},
		{"amplification", 10, 1.2, 3},
		{"residue", 2, 30, 300},
		{"files", 1, 30, 300},
		{"memory", 1, 64, 512},
		{"leftover", 1, 0, 1},
	}
}

func score(r *Result, e *Experiment) *Score {
	s := &Score{}
	points, weights := 0.0, 0.0
	servable := slices.ContainsFunc(e.Expect, func(x Expectation) bool { return x.Figure == "availability" })
	for _, t := range targets() {
		t = t.by(e)
		v, ok := r.Figures[t.figure]
		p := Part{Figure: t.figure, Weight: t.weight}
		switch {
		case !servable && (t.figure == "availability" || t.figure == "failover" || t.figure == "inflation"):
			p.Not = "nobody is left who could serve"
		case ok:
			p.Points = t.weight * min(max((t.none-v)/(t.none-t.full), 0), 1)
			weights += t.weight
		case t.figure == "failover" || t.figure == "recover": // it did not come back
			weights += t.weight
		default:
			p.Not = "not measured"
		}
		points += p.Points
		s.Parts = append(s.Parts, p)
	}
	s.Measured = weights
	if weights > 0 {
		s.Total = 100 * points / weights
	}
	var bad []string
	if r.Figures["duplicates"] > 0 {
		bad = append(bad, "requests were processed twice")
	}
	if r.Figures["lost"] > 0 {
		bad = append(bad, "acknowledged requests are lost")
	}
	if s.Zero = strings.Join(bad, ", "); s.Zero != "" {
		s.Total = 0
	}
	return s
}

func (t target) by(e *Experiment) target {
	for _, x := range e.Expect {
		if x.Figure != t.figure {
			continue
		}
		t.full = x.Limit
		if t.figure == "availability" {
			t.none = min(max(1-2*(1-x.Limit), 0), 0.99)
			t.none = min(t.none, x.Limit-0.01)
		} else {
			t.none = max(2*x.Limit, x.Limit+1)
		}
	}
	return t
}
