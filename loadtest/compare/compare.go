package compare

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"holdfast/loadtest/report"
)

// Outcome is what a comparison says of a metric.
type Outcome string

// The outcomes.
const (
	Same         Outcome = "same"
	Better       Outcome = "better"
	Worse        Outcome = "worse"
	Inconclusive Outcome = "inconclusive"
)

// Metric is one compared figure. Before and After are medians of the runs, or of
// all their seconds; changes are parts: 0.1 is 10 % more.
type Metric struct {
	Name      string  `json:"name"`
	Before    float64 `json:"before"`
	After     float64 `json:"after"`
	Change    float64 `json:"change"`
	Low       float64 `json:"low"`  // of the 95 % confidence interval of Change
	High      float64 `json:"high"` // of it
	P         float64 `json:"p"`    // corrected
	Outcome   Outcome `json:"outcome"`
	HigherWin bool    `json:"higher_is_better"`
}

// Comparison is the result.
type Comparison struct {
	Unit      string   `json:"unit"` // what was compared: runs, or stretches of runs
	Threshold float64  `json:"threshold"`
	Metrics   []Metric `json:"metrics"`
	// Notes say what makes the runs less comparable than they should be.
	Notes []string `json:"notes,omitempty"`
}

// Options tune a comparison; a field that is 0 takes its default.
type Options struct {
	Threshold float64 // change that matters: 0.05
	Seed      uint64  // of the resampling
}

const (
	leastRuns    = 5
	leastSeconds = 20 // of a run that is compared by stretches
	block        = 10 // seconds of a stretch
	resamples    = 2000
	significant  = 0.05
)

// ErrTooShort says that there is too little to compare.
var ErrTooShort = fmt.Errorf("a comparison needs %d runs of each side, or runs of %d s and more", leastRuns, leastSeconds)

// figure is a metric of a sample: a run, or seconds of it.
type figure struct {
	name      string
	higherWin bool
	of        func(*sample) float64
}

func figures() []figure {
	quantile := func(q float64) func(*sample) float64 { return func(s *sample) float64 { return s.quantile(q) } }
	return []figure{
		{"good answers/s", true, func(s *sample) float64 { return s.good / s.length }},
		{"failed", false, func(s *sample) float64 { return s.failed / max(s.good+s.failed, 1) }},
		{"p50", false, quantile(0.5)},
		{"p90", false, quantile(0.9)},
		{"p99", false, quantile(0.99)},
	}
}

// Runs compares runs before a change with runs after it.
func Runs(before, after []*report.Document, o Options) (*Comparison, error) {
	if len(before) == 0 || len(after) == 0 {
		return nil, errors.New("a comparison needs a run of each side")
	}
	c := &Comparison{Unit: "runs", Threshold: cmp.Or(o.Threshold, 0.05), Notes: differences(before, after)}
	judge := byRuns
	if len(before) < leastRuns || len(after) < leastRuns {
		c.Unit, judge = fmt.Sprintf("stretches of %d s", block), byStretches
		for _, d := range slices.Concat(before, after) {
			if len(d.Series) < leastSeconds {
				return nil, ErrTooShort
			}
		}
	}
	rows := rowsOf(before, after)
	c.Metrics = judge(rows.runs(before), rows.runs(after), rand.New(rand.NewPCG(o.Seed, 0))) //nolint:gosec // statistics
	holm(c.Metrics)
	for i := range c.Metrics {
		c.Metrics[i].judge(c.Threshold)
	}
	return c, nil
}

// differences between the runs that a comparison must not be silent about.
func differences(before, after []*report.Document) []string {
	var notes []string
	first := before[0]
	note := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !slices.Contains(notes, text) {
			notes = append(notes, text)
		}
	}
	for _, d := range slices.Concat(before[1:], after) {
		if d.Model != first.Model {
			note("one run is of the %s model and another of the %s one: their times mean different things", first.Model, d.Model)
		}
		if math.Abs(d.TargetRate-first.TargetRate) > 0.01*first.TargetRate {
			note("the rates asked for differ: %.4g and %.4g/s", first.TargetRate, d.TargetRate)
		}
		for _, s := range first.Environment {
			for _, t := range d.Environment {
				if s.Name == t.Name && s.Value != t.Value {
					note("%s differs: %s and %s", s.Name, s.Value, t.Value)
				}
			}
		}
	}
	for _, d := range slices.Concat(before, after) {
		if d.Verdict.Generator != "OK" {
			note("the generator of a run is %s", d.Verdict.Generator)
		}
	}
	return notes
}

// judge says what a metric's figures mean.
func (m *Metric) judge(threshold float64) {
	better := m.Change > 0 == m.HigherWin
	switch {
	case m.Low >= -threshold && m.High <= threshold:
		m.Outcome = Same
	case m.P >= significant || math.Abs(m.Change) <= threshold:
		m.Outcome = Inconclusive
	case better:
		m.Outcome = Better
	default:
		m.Outcome = Worse
	}
}

// holm corrects the p-values for their number (Holm, 1979).
func holm(list []Metric) {
	order := make([]*Metric, len(list))
	for i := range list {
		order[i] = &list[i]
	}
	slices.SortFunc(order, func(a, b *Metric) int { return cmp.Compare(a.P, b.P) })
	least := 0.0
	for i, m := range order {
		least = max(least, min(1, m.P*float64(len(order)-i)))
		m.P = least
	}
}

// change is relative; where there was nothing before, what came is all of it.
func change(before, after float64) float64 {
	if before == after {
		return 0
	}
	if before == 0 {
		return 1
	}
	return after/before - 1
}

func median(list []float64) float64 {
	s := slices.Sorted(slices.Values(list))
	n := len(s)
	if n%2 == 1 {
		return s[n/2]
	}
	return (s[n/2-1] + s[n/2]) / 2
}
