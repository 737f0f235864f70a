package capacity

import (
	"math"
	"time"
)

// Phase is a part of a search.
type Phase uint8

// The phases, in order.
const (
	WarmUp   Phase = iota // until the service is as fast as it gets
	Doubling              // until it breaks
	Bisect                // between good and bad
	Confirm               // both sides of what was found, for longer
	Overload              // twice of it
	Recover               // half of it, until the service is well again
	Done
)

// String is the phase as reports name it.
func (p Phase) String() string {
	return [...]string{"warm-up", "double", "bisect", "confirm", "overload", "recover", "done"}[min(p, Done)]
}

// Step is what a driver is to do next.
type Step struct {
	Phase   Phase
	Rate    float64       // requests per second
	Length  time.Duration // of the load
	Discard time.Duration // its begin, which is not reported: connections and queues settle
}

// SearchConfig bounds a search. A field that is 0 takes its default.
type SearchConfig struct {
	Limits       Limits
	Min, Max     float64       // rates: 10, and a million
	Precision    float64       // how close good and bad are to be, as a part: 0.05
	Window       time.Duration // of one look at a rate: 10 s
	Discard      time.Duration // its begin: 3 s, at most a third of Window
	WarmUp       time.Duration // 10 s
	ConfirmFor   time.Duration // 60 s
	OverloadFor  time.Duration // 20 s
	RecoverFor   time.Duration // how long to wait for it at most: 60 s
	OverloadRate float64       // as a multiple of what was found: 2
}

func (c SearchConfig) withDefaults() SearchConfig {
	rate := func(v *float64, d float64) {
		if *v <= 0 {
			*v = d
		}
	}
	long := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	rate(&c.Min, 10)
	rate(&c.Max, 1e6)
	rate(&c.Precision, 0.05)
	rate(&c.OverloadRate, 2)
	long(&c.Window, 10*time.Second)
	long(&c.Discard, min(3*time.Second, c.Window/3))
	long(&c.WarmUp, 10*time.Second)
	long(&c.ConfirmFor, time.Minute)
	long(&c.OverloadFor, 20*time.Second)
	long(&c.RecoverFor, time.Minute)
	return c
}

// Look is one window of a search and what was made of it.
type Look struct {
	Step
	Window
	Cause Cause
}

// Found is the result of a search.
type Found struct {
	// Sustainable is the largest rate that was good and confirmed; 0: not even
	// the smallest was.
	Sustainable float64
	// Low and High hold the limit between them: Low was good, High was bad. High
	// is 0 when nothing broke the service up to SearchConfig.Max.
	Low, High float64
	// Confirmed says that Low held for SearchConfig.ConfirmFor.
	Confirmed bool
	// Cause is what broke first at High.
	Cause Cause
	// Recovered is how long after the overload the service was well again; negative:
	// it was not within SearchConfig.RecoverFor. Measured says whether it was tried.
	Recovered time.Duration
	Measured  bool
	Looks     []Look // all of them, in order
}

// Search decides which load comes next. It does no input or output and is used
// by one goroutine.
type Search struct {
	config    SearchConfig
	phase     Phase
	rate      float64
	low, high float64 // good, bad; 0: none yet
	goodVotes int     // of the windows at rate
	badVotes  int
	worst     Cause   // of the bad ones
	upper     bool    // confirming the upper side
	held      float64 // the largest rate that was confirmed
	retries   int     // times that a confirmation failed
	steady    time.Duration
	found     Found
}

// NewSearch begins a search.
func NewSearch(c SearchConfig) *Search {
	c = c.withDefaults()
	return &Search{config: c, rate: c.Min}
}

// Next returns what to do now; Done: Result is complete.
func (s *Search) Next() Step {
	c := &s.config
	step := Step{Phase: s.phase, Rate: s.rate, Length: c.Window, Discard: c.Discard}
	switch s.phase {
	case WarmUp:
		step.Length, step.Discard = c.WarmUp, c.WarmUp/2
	case Confirm:
		step.Length = c.ConfirmFor
	case Overload:
		step.Length, step.Discard = c.OverloadFor, 0
	case Recover:
		step.Length, step.Discard = c.RecoverFor, 0
	case Doubling, Bisect:
	case Done:
		return Step{Phase: Done}
	}
	return step
}

// Observe takes what came of the step that Next returned.
func (s *Search) Observe(w Window) {
	step := s.Next()
	cause := s.config.Limits.Judge(&w)
	s.found.Looks = append(s.found.Looks, Look{step, w, cause})
	switch s.phase {
	case WarmUp:
		s.steady = w.P99
		s.phase = Doubling
	case Doubling, Bisect:
		s.vote(cause)
	case Confirm:
		s.confirm(cause)
	case Overload:
		s.phase, s.rate = Recover, s.found.Low/2
	case Recover, Done: // Seconds says how it went
	}
}

// vote counts a window; two of at most three decide about a rate.
func (s *Search) vote(cause Cause) {
	if cause == Nothing {
		s.goodVotes++
	} else {
		s.badVotes++
		if s.worst == Nothing {
			s.worst = cause
		}
	}
	if s.phase == Doubling && s.badVotes == 0 || s.goodVotes == 2 {
		s.good()
	} else if s.badVotes == 2 {
		s.bad()
	}
}

func (s *Search) good() {
	s.low = s.rate
	s.forget()
	s.choose()
}

func (s *Search) bad() {
	s.high, s.found.Cause = s.rate, s.worst
	s.forget()
	s.choose()
}

func (s *Search) forget() { s.goodVotes, s.badVotes, s.worst = 0, 0, Nothing }

// choose picks the next rate from what is known to be good and bad.
func (s *Search) choose() {
	switch {
	case s.high == 0 && s.rate >= s.config.Max:
		s.startConfirm()
	case s.high == 0:
		s.rate = min(2*s.rate, s.config.Max)
	case s.low == 0 && s.high <= s.config.Min/16: // it carries nothing
		s.phase = Done
	case s.low == 0:
		s.phase, s.rate = Bisect, s.high/2
	case s.high <= s.low*(1+s.config.Precision):
		s.startConfirm()
	default:
		s.phase, s.rate = Bisect, math.Sqrt(s.low*s.high) // the middle of what differs by a factor
	}
}

func (s *Search) startConfirm() { s.phase, s.rate, s.upper = Confirm, s.low, false }

// maxRetries bounds the confirmations: a service that is good and bad at the
// same rate has no sharper limit.
const maxRetries = 3

// confirm holds the lower side, then tries a little above the upper one.
func (s *Search) confirm(cause Cause) {
	good := cause == Nothing
	switch {
	case !s.upper && good:
		s.found.Confirmed, s.held = true, s.low
		if s.high == 0 {
			s.overload()
			return
		}
		s.upper, s.rate = true, s.high
	case !s.upper: // ten seconds went well, a minute does not
		s.high, s.found.Cause = s.low, cause
		s.low = 0
		s.again()
	case good && s.retries < maxRetries: // it carries more than was thought
		s.retries++
		s.low, s.high, s.found.Confirmed = s.high, 0, false
		s.phase, s.rate = Doubling, s.low*(1+2*s.config.Precision)
	default:
		if !good {
			s.found.Cause = cause
		}
		s.overload()
	}
}

// again looks below a rate that was not confirmed.
func (s *Search) again() {
	s.found.Confirmed = false
	if s.retries++; s.retries > maxRetries {
		s.phase = Done
		return
	}
	s.phase, s.rate = Bisect, s.high/(1+2*s.config.Precision)
}

func (s *Search) overload() {
	s.found.Low, s.found.High, s.found.Sustainable = s.low, s.high, s.low
	s.phase, s.rate = Overload, s.config.OverloadRate*s.low
}

// Second is how one second of the Recover step went.
type Second struct {
	Good, Failed int64
	P99          time.Duration
}

// wellFor is how many good seconds in a row make a service well again.
const wellFor = 3

// Seconds takes those of the Recover step so far. It returns true when the
// driver may end it: the service is well, or the time is over.
func (s *Search) Seconds(list []Second) (over bool) {
	if s.phase != Recover {
		return true
	}
	limit := max(s.steady*6/5, s.steady+5*time.Millisecond) // 1.2 times, and more than timers are off
	in := 0
	for i := range list {
		v := &list[i]
		if v.Good == 0 || float64(v.Failed) > s.config.Limits.withDefaults().Errors*float64(v.Good+v.Failed) || v.P99 > limit {
			in = 0
			continue
		}
		if in++; in == wellFor {
			s.recovered(time.Duration(i+1-wellFor) * time.Second)
			return true
		}
	}
	if time.Duration(len(list))*time.Second >= s.config.RecoverFor {
		s.recovered(-1)
		return true
	}
	return false
}

func (s *Search) recovered(after time.Duration) {
	s.found.Recovered, s.found.Measured, s.phase = after, true, Done
}

// Result is what is known so far; complete once Next says Done.
func (s *Search) Result() Found {
	f := s.found
	f.Low, f.High = s.low, s.high
	if f.Sustainable == 0 && s.held > 0 { // it ends before what is above was confirmed
		f.Sustainable, f.Low, f.Confirmed = s.held, s.held, true
	}
	return f
}
