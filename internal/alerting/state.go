package alerting

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"math"
	"slices"
	"time"

	"holdfast/internal/alerting/channel"
)

// Flapping: what fires for the third time within a quarter of an hour is told
// once and has to be well for ten minutes.
const (
	flapCount  = 3
	flapWithin = 15 * time.Minute
	flapRest   = 10 * time.Minute
)

// state is one alert, from the first finding to its end. It is kept on disk.
type state struct {
	channel.Alert

	Part string `json:"part,omitempty"`
	// Pending: it has not lasted long enough. Alert.Began is when it fired.
	Pending bool      `json:"pending,omitempty"`
	Since   time.Time `json:"since"`          // when it began to be wrong
	Well    time.Time `json:"well,omitzero"`  // since when it is well; zero: it is not
	Until   time.Time `json:"until,omitzero"` // of what merely happened
	// Flapping: it comes and goes.
	Flapping bool `json:"flapping,omitempty"`
	// Heard: at some moment nothing stood against telling it. Told and ToldAs:
	// its group was told that it fires, and how bad it was then.
	Heard  bool             `json:"heard,omitempty"`
	Told   bool             `json:"told,omitempty"`
	ToldAs channel.Severity `json:"told_as,omitempty"`

	// Closed: its end was told, or is of no interest to anybody.
	Closed bool `json:"closed,omitempty"`

	muted Muting // as of the last look
}

// Muting says why nobody is told of something that fires; the zero value: it is
// told.
type Muting struct {
	Cause       string `json:"inhibited_by,omitempty" doc:"rule of an alert that explains this one"`
	Silence     string `json:"silenced_by,omitempty" doc:"id of a silence"`
	Maintenance string `json:"maintenance,omitempty" doc:"name of a maintenance window"`
}

func (m Muting) none() bool { return m == Muting{} }

// change is what a look made of one alert.
type change uint8

const (
	nothing change = iota
	fired
	resolved
	dropped // it was pending and is well
)

// fingerprint stands for rule and subject, whenever.
func fingerprint(rule, function, instance, part string) string {
	sum := sha256.Sum256([]byte(rule + "\x00" + function + "\x00" + instance + "\x00" + part))
	return hex.EncodeToString(sum[:8])
}

func (f *Finding) fingerprint() string { return fingerprint(f.Rule, f.Function, f.Instance, f.Part) }

// begin makes a state of the first finding. It is pending until look has seen it.
func begin(f *Finding, r *Rule, id string, now time.Time) *state {
	s := &state{Part: f.Part, Pending: true, Since: earlier(f.Since, now)}
	s.ID, s.Fingerprint, s.Rule, s.Function, s.Instance = id, id, r.Name, f.Function, f.Instance
	s.Labels = maps.Clone(r.Labels)
	return s
}

func earlier(at, now time.Time) time.Time {
	if at.IsZero() || at.After(now) {
		return now
	}
	return at
}

// look takes what a rule found now; nil: all is well. Ends are the last times
// the same thing ended. Settling: too little is known yet to call it well.
func (s *state) look(f *Finding, r *Rule, ends []time.Time, settling bool, now time.Time) change {
	wrong := f != nil && !f.Between
	if wrong {
		s.describe(f, r)
	}
	switch {
	case s.Pending && wrong:
		if now.Sub(s.Since) < r.For && !f.Now {
			return nothing
		}
		s.fire(ends, now)
		return fired
	case s.Pending:
		return dropped
	case f != nil || settling || now.Before(s.Until):
		s.Well = time.Time{}
		return nothing
	}
	if s.Well.IsZero() {
		s.Well = now
	}
	if now.Sub(s.Well) < s.keep(r) {
		return nothing
	}
	s.Ended = now
	return resolved
}

func (s *state) fire(ends []time.Time, now time.Time) {
	s.Pending, s.Began = false, s.Since
	s.ID = s.Fingerprint + "-" + now.UTC().Format("20060102T150405.000")
	recent := 0
	for _, e := range ends {
		if now.Sub(e) <= flapWithin {
			recent++
		}
	}
	s.Flapping = recent >= flapCount-1
}

func (s *state) keep(r *Rule) time.Duration {
	if s.Flapping {
		return max(r.Keep, flapRest)
	}
	return r.Keep
}

// describe takes the latest figures; numbers of an alert move while it fires.
func (s *state) describe(f *Finding, r *Rule) {
	s.Summary, s.Numbers, s.Until = f.Summary, finite(f.Numbers), f.Until
	s.Cause, s.Next = or(r.SaidCause, or(f.Cause, r.Cause)), or(r.SaidNext, or(f.Next, r.Next))
	s.Severity = or(f.Severity, r.Severity)
	if s.Flapping {
		s.Summary += " (it comes and goes; told once)"
	}
}

// finite leaves out what is no number: nothing that has one could be kept, or sent.
func finite(numbers map[string]float64) map[string]float64 {
	for _, x := range numbers {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			numbers = maps.Clone(numbers)
			maps.DeleteFunc(numbers, func(_ string, x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
			break
		}
	}
	return numbers
}

func or[S ~string](a, b S) S {
	if a != "" {
		return a
	}
	return b
}

// worse sorts the worst first, of the same kind the oldest.
func worse(a, b *state) int {
	if d := rank(a.Severity) - rank(b.Severity); d != 0 {
		return d
	}
	if d := a.Began.Compare(b.Began); d != 0 {
		return d
	}
	return slices.Compare([]byte(a.Fingerprint), []byte(b.Fingerprint))
}
