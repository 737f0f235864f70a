package monitor

import (
	"math"
	"time"
)

// Rule names what is out of the ordinary.
type Rule string

// The rules.
const (
	Memory  Rule = "memory"
	LoopLag Rule = "loop_lag"
	Errors  Rule = "errors"
	Latency Rule = "latency"
)

// Limits are where the rules begin; a field that is 0 takes its default.
type Limits struct {
	MemoryPercent float64 // of what an instance, or Holdfast, may use: 90
	LoopLagMS     float64 // 100
	ErrorPercent  float64 // of the requests of a minute: 10
	LatencyFactor float64 // p95 by that of last week: 1.5
}

func (l Limits) withDefaults() Limits {
	set := func(v *float64, d float64) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.MemoryPercent, 90)
	set(&l.LoopLagMS, 100)
	set(&l.ErrorPercent, 10)
	set(&l.LatencyFactor, 1.5)
	return l
}

// Subject is what a rule is about: an instance, a function, or, when both are
// empty, Holdfast itself.
type Subject struct {
	Function string
	Instance string
}

// Anomaly is something out of the ordinary, from its beginning to its end.
type Anomaly struct {
	Rule Rule
	Subject
	Since   time.Time          // when the value passed the limit
	Ended   time.Time          // zero: it lasts
	Window  time.Duration      // of the measurement
	Value   float64            // the latest, in the rule's unit
	Worst   float64            // the largest so far
	Limit   float64            // what it passed
	Numbers map[string]float64 // what the value was made of; not changed after it was handed out
	Text    string             // one sentence with the numbers
}

// finding is what a rule looks at.
type finding struct {
	value  float64 // NaN: unknown
	limit  float64
	clear  float64 // at or below it the anomaly ends
	hold   time.Duration
	window time.Duration
	// tell makes the numbers and the sentence; it is called for anomalies only.
	tell func() (numbers map[string]float64, text string)
}

const (
	// rest is how long a value has to be well again before its anomaly ends.
	rest = time.Minute
	// forgotten is how long an anomaly outlives its last measurement.
	forgotten = 10 * time.Minute
)

// watch follows one rule about one subject. The zero value has seen nothing.
type watch struct {
	over    time.Time // since when the value is over the limit; zero: it is not
	well    time.Time // since when it is at or below clear; zero: it is not
	seen    time.Time // when it was last known
	current *Anomaly  // nil: all is ordinary
}

// look takes a measurement and returns a copy of the anomaly that began or
// ended with it.
func (w *watch) look(rule Rule, s Subject, f *finding, now time.Time) (change *Anomaly) {
	if math.IsNaN(f.value) {
		return w.blind(now)
	}
	w.seen = now
	w.time(f, now)
	switch a := w.current; {
	case a == nil && !w.over.IsZero() && now.Sub(w.over) >= f.hold:
		w.current = &Anomaly{Rule: rule, Subject: s, Since: w.over}
		w.current.update(f)
	case a == nil:
		return nil
	case !w.well.IsZero() && now.Sub(w.well) >= rest:
		a.update(f)
		return w.end(now)
	default:
		a.update(f)
		if !w.well.IsZero() { // or the sentence tells of trouble with a figure that is fine
			a.Text += "; it eases, and is over when that lasts " + seconds(rest)
		}
		return nil
	}
	return w.copied()
}

// time notes since when the value is over the limit or well below it.
func (w *watch) time(f *finding, now time.Time) {
	mark := func(t *time.Time, is bool) {
		switch {
		case !is:
			*t = time.Time{}
		case t.IsZero():
			*t = now
		}
	}
	mark(&w.over, f.value > f.limit)
	mark(&w.well, f.value <= f.clear)
}

func (w *watch) blind(now time.Time) *Anomaly {
	w.over, w.well = time.Time{}, time.Time{}
	if w.current == nil || now.Sub(w.seen) < forgotten {
		return nil
	}
	w.current.Text = "not measured any more"
	return w.end(now)
}

func (w *watch) end(now time.Time) *Anomaly {
	w.current.Ended = now
	a := w.copied()
	*w = watch{seen: w.seen}
	return a
}

func (w *watch) copied() *Anomaly {
	a := *w.current
	return &a
}

func (a *Anomaly) update(f *finding) {
	a.Value, a.Limit, a.Window = f.value, f.limit, f.window
	a.Numbers, a.Text = f.tell()
	a.Worst = max(a.Worst, f.value)
}
