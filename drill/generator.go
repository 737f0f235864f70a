package drill

import (
	"fmt"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/selfcheck"
)

// Generator says how far the load itself is to be trusted with the figures of a drill.
//
//	OK       what was planned was sent, and when it was due
//	SUSPECT  it was sent, but the generator was so late or so busy that the figures may be its own doing
//	INVALID  part of the load was not offered, or a second late, and seconds are what is judged: the figures say nothing
//
// It is milder than loadtest, which measures milliseconds: the lag that counts is that of the shortest time the experiment
// asks about.
type Generator struct {
	Verdict string   `json:"verdict"`
	Reasons []string `json:"reasons,omitempty"`
	// Offered is the share of the planned requests that were sent, in the window where it is least.
	Offered float64 `json:"offered"`
	// Lag is the p99 of how late requests left by the generator's fault, in the window where it is most; Tolerated is
	// how much does not matter. Both are in seconds.
	Lag       float64 `json:"lag_p99_seconds"`
	Tolerated float64 `json:"lag_tolerated_seconds"`
}

const (
	leastOffered  = 0.98
	toleratedPart = 10 // of the shortest time that is asked about
	judgedSecond  = 1.0
)

// doubt judges the generator of a drill.
func (e *Experiment) doubt(l *loadtest.Result) Generator {
	shortest := e.Load.Slow.Seconds()
	for _, list := range [][]Expectation{e.Steady, e.Expect} {
		for _, x := range list {
			if units()[x.Figure] == seconds && x.Limit > 0 {
				shortest = min(shortest, x.Limit)
			}
		}
	}
	g := Generator{Offered: 1, Tolerated: shortest / toleratedPart}
	for i := range l.Stages {
		s := l.Stages[i].Summary
		if n := s.Planned(); n > 0 {
			unsent := s.Counts[loadtest.NotSent] + s.Counts[loadtest.OutOfPorts] + s.Counts[loadtest.OutOfFiles]
			g.Offered = min(g.Offered, 1-float64(unsent)/float64(n))
		}
		if s.TimerLag != nil && s.TimerLag.Count() > 0 {
			g.Lag = max(g.Lag, s.TimerLag.Quantile(0.99).Seconds())
		}
	}
	verdict := selfcheck.OK
	say := func(v selfcheck.Verdict, format string, args ...any) {
		verdict = max(verdict, v)
		g.Reasons = append(g.Reasons, fmt.Sprintf(format, args...))
	}
	lag := func(v float64) time.Duration {
		return time.Duration(v * float64(time.Second)).Round(100 * time.Microsecond)
	}
	if g.Offered < leastOffered {
		say(selfcheck.Invalid, "only %s of the planned requests were sent; give this machine more time for it, or lower load.rate", share.format(g.Offered))
	}
	switch {
	case g.Lag >= judgedSecond:
		say(selfcheck.Invalid, "requests left up to %v late (p99), and seconds are what is judged: the machine is busy with something else", lag(g.Lag))
	case g.Lag >= g.Tolerated:
		say(selfcheck.Suspect, "requests left up to %v late (p99), and more than %v may matter: the machine is busy with something else", lag(g.Lag), lag(g.Tolerated))
	}
	if p := &l.Self.Peak; l.Self.CPU >= busyCPU {
		say(selfcheck.Suspect, "the generator used %.0f %% of its CPU, up to %.0f %%", 100*l.Self.CPU, 100*p.CPU)
	}
	g.Verdict = verdict.String()
	return g
}

// busyCPU is the share of its CPU at which a generator, on average, may be the limit itself.
const busyCPU = 0.8

// invalid says that the figures say nothing.
func (g *Generator) invalid() bool { return g.Verdict == selfcheck.Invalid.String() }
