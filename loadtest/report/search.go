package report

import (
	"cmp"
	"fmt"
	"slices"
)

// Search is what a search for the most that a service carries has found.
type Search struct {
	Sustainable float64  `json:"sustainable_rate"`
	Low         float64  `json:"low"`  // good
	High        float64  `json:"high"` // bad; 0: nothing broke it
	Confirmed   bool     `json:"confirmed"`
	Cause       string   `json:"broke_first"`
	Knee        float64  `json:"knee_heuristic,omitempty"`
	Recovered   *float64 `json:"recovered_after_seconds,omitempty"` // negative: not in time
	Steps       []Step   `json:"steps"`
}

// Step is a window of a search. Times are in milliseconds.
type Step struct {
	Phase  string  `json:"phase"`
	Rate   float64 `json:"rate"`
	Good   float64 `json:"good_rate"`
	Failed int64   `json:"failed"`
	P50    float64 `json:"p50"`
	P99    float64 `json:"p99"`
	Broke  string  `json:"broke"`
}

// Law is a fit of the Universal Scalability Law: X(N) = lambda N / (1 + sigma (N-1) + kappa N (N-1)).
type Law struct {
	Lambda Range     `json:"lambda"`
	Sigma  Range     `json:"sigma"`
	Kappa  Range     `json:"kappa"`
	Peak   *Range    `json:"peak_users,omitempty"` // missing: beyond what was tested
	Most   *Range    `json:"peak_rate,omitempty"`
	R2     float64   `json:"r2"`
	Tested float64   `json:"tested_users"`
	Points []AtUsers `json:"points"`
}

// Quota is a limit that a target was found to enforce, as a token bucket.
type Quota struct {
	Rate  float64 `json:"rate"`  // per second, in the long run
	Burst float64 `json:"burst"` // at once after a rest
	Error float64 `json:"error"` // part of the answers that such a bucket would have given otherwise
	Known bool    `json:"known"` // requests were refused often enough to say so
}

// Range is a value with its 95 % interval.
type Range struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// AtUsers is the throughput of some users.
type AtUsers struct {
	Users float64 `json:"users"`
	Rate  float64 `json:"rate"`
}

// At is the throughput that the law has for n users.
func (l *Law) At(n float64) float64 {
	return l.Lambda.Value * n / (1 + l.Sigma.Value*(n-1) + l.Kappa.Value*n*(n-1))
}

// Fact is a line of the table of what was found.
type Fact struct{ Name, Value string }

// Found says what a search or a fit has found, in a few words each.
func (d *Document) Found() (list []Fact) {
	add := func(name, format string, args ...any) { list = append(list, Fact{name, fmt.Sprintf(format, args...)}) }
	if s := d.Search; s != nil {
		switch {
		case s.Sustainable > 0:
			add("sustainable", "%.4g/s", s.Sustainable)
		case s.Low > 0:
			add("sustainable", "not confirmed; good at %.4g/s for a moment", s.Low)
		default:
			add("sustainable", "none of the rates tried")
		}
		if s.High > 0 {
			add("broke at", "%.4g/s, first by: %s", s.High, s.Cause)
		}
		if s.Knee > 0 {
			add("knee", "about %.4g/s, where goodput bends: a heuristic", s.Knee)
		}
		switch {
		case s.Recovered == nil:
		case *s.Recovered < 0:
			add("recovery", "not well again in time after the overload")
		default:
			add("recovery", "%.0f s after the overload", *s.Recovered)
		}
	}
	if q := d.Quota; q != nil {
		if q.Known {
			add("the target's limit", "%.4g/s, and %.3g at once after a rest", q.Rate, q.Burst)
			add("how well that fits", "%.3g %% of the answers would have been others", 100*q.Error)
		} else {
			add("the target's limit", "not found: too few requests were refused")
		}
	}
	if l := d.Law; l != nil {
		interval := func(r Range, scale float64, unit string) string {
			return fmt.Sprintf("%.3g%s (95 %%: %.3g to %.3g)", scale*r.Value, unit, scale*r.Low, scale*r.High)
		}
		add("one user", "%s", interval(l.Lambda, 1, "/s"))
		add("work that waits for other work", "%s", interval(l.Sigma, 100, " %"))
		add("agreeing, per pair of users", "%s", interval(l.Kappa, 100, " %"))
		add("fit", "R2 %.3f", l.R2)
		if l.Peak == nil {
			add("peak", "beyond the %.0f users tested; nothing is said about what lies there", l.Tested)
		} else {
			add("peak", "at %s, %s", interval(*l.Peak, 1, " users"), interval(*l.Most, 1, "/s"))
		}
	}
	return list
}

// searched draws the windows of a search by their rate.
func (d *Document) searched() []figure {
	if d.Search == nil || len(d.Search.Steps) < 2 {
		return nil
	}
	steps := slices.Clone(d.Search.Steps)
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(a.Rate, b.Rate) })
	good, offered := line{name: "good answers", class: "c2"}, line{name: "asked for", class: "c1"}
	p99, p50 := line{name: "p99", class: "c3"}, line{name: "p50", class: "c1"}
	for _, s := range steps {
		good.x, good.y = append(good.x, s.Rate), append(good.y, s.Good)
		offered.y = append(offered.y, s.Rate)
		p99.y, p50.y = append(p99.y, s.P99), append(p50.y, s.P50)
	}
	offered.x, p99.x, p50.x = good.x, good.x, good.x
	x := linear(largest(good.x))
	rates, times := linear(largest(good.y, offered.y)), linear(largest(p99.y))
	times.text = millis
	marks := []line{{name: "sustainable", class: "c5", x: at(d.Search.Sustainable)}, {name: "knee", class: "c4", x: at(d.Search.Knee)}}
	return []figure{
		figureOf("Good answers by rate", "Below the straight line the service does not carry what it is asked for.", byX("good answers by rate", x, rates, marks, good, offered)),
		figureOf("Response time by rate", "Where p99 leaves the ground, requests begin to wait for each other.", byX("response time by rate", x, times, marks, p99, p50)),
	}
}

// scaled draws the fit of the law beside what was measured.
func (d *Document) scaled() []figure {
	if d.Law == nil || len(d.Law.Points) < 2 {
		return nil
	}
	measured, fit := line{name: "measured", class: "c2"}, line{name: "the law", class: "c1"}
	for _, p := range d.Law.Points {
		measured.x, measured.y = append(measured.x, p.Users), append(measured.y, p.Rate)
	}
	const drawn = 100
	for i := range drawn {
		n := 1 + (d.Law.Tested-1)*float64(i)/(drawn-1)
		fit.x, fit.y = append(fit.x, n), append(fit.y, d.Law.At(n))
	}
	var marks []line
	if d.Law.Peak != nil {
		marks = append(marks, line{name: "peak", class: "c5", x: at(d.Law.Peak.Value)})
	}
	return []figure{figureOf("Throughput by users", "Good answers per second of users who wait for each answer. The law is drawn as far as was tested.",
		byX("throughput by users", linear(d.Law.Tested), linear(largest(measured.y, fit.y)), marks, measured, fit))}
}

// at is where a mark stands; 0: nowhere.
func at(v float64) []float64 {
	if v <= 0 {
		return nil
	}
	return []float64{v, v}
}

// byX draws lines over something that is no time, with marks from top to bottom.
func byX(about string, x, y axis, marks []line, lines ...line) string {
	c := newCanvas(x, y, about)
	for i := range lines {
		c.draw(&lines[i])
	}
	for i := range marks {
		if m := &marks[i]; len(m.x) > 0 && m.x[0] <= x.to {
			m.y = []float64{0, y.to}
			c.draw(m)
			lines = append(lines, *m)
		}
	}
	return c.end() + legend(lines)
}
