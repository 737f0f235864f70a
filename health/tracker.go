package health

import (
	"slices"
	"time"
)

const (
	keptChanges = 16
	keptResults = 8
)

// Change is one change of a target's verdict.
type Change struct {
	At       time.Time
	From, To State
	Reason   string // of the result that tipped it
}

// Recorded is a result and when it came in. Its Numbers are dropped.
type Recorded struct {
	At     time.Time
	Result Result
}

// History is what a Tracker remembers, oldest first: the last 16 changes and
// the last 8 results.
type History struct {
	Changes []Change
	Results []Recorded
}

// Tracker turns results into a verdict. It is not safe for concurrent use: the
// caller guards it.
type Tracker struct {
	policy  Policy
	state   State
	wasUp   bool // Rise applies only to a target that was up before
	suspect bool // traffic through it failed, or its last check did
	oks     int  // in a row
	fails   int  // in a row
	last    Result
	at      time.Time // of last; zero before the first
	history History
}

// NewTracker returns a tracker with the policy's defaults filled in. initial
// is Unknown, or the state carried over from an earlier tracker, in which case
// the thresholds apply from the first result.
func NewTracker(p Policy, initial State) *Tracker {
	return &Tracker{policy: p.WithDefaults(), state: initial, wasUp: initial != Unknown}
}

// Record takes the result of a check that ended now and says whether the state
// changed.
func (t *Tracker) Record(r Result, now time.Time) bool {
	t.last, t.at = r, now
	t.remember(r, now)
	t.suspect = !r.OK
	if r.OK {
		t.oks, t.fails = t.oks+1, 0
	} else {
		t.oks, t.fails = 0, t.fails+1
	}
	next := t.verdict()
	if next == t.state {
		return false
	}
	t.history.Changes = pushed(t.history.Changes, Change{At: now, From: t.state, To: next, Reason: r.Reason}, keptChanges)
	t.state = next
	t.wasUp = t.wasUp || next == Up
	return true
}

// verdict is the state after the counted results.
func (t *Tracker) verdict() State {
	switch {
	case t.oks > 0 && !t.wasUp:
		return Up
	case t.state == Unknown:
		return Down
	case t.state == Up && t.fails >= t.policy.Fall:
		return Down
	case t.state == Down && t.oks >= t.policy.Rise:
		return Up
	}
	return t.state
}

func (t *Tracker) remember(r Result, now time.Time) {
	r.Numbers = nil // eight maps per target would be the largest part of it
	t.history.Results = pushed(t.history.Results, Recorded{At: now, Result: r}, keptResults)
}

// pushed appends v and drops the oldest beyond limit.
func pushed[T any](s []T, v T, limit int) []T {
	if len(s) < limit {
		return append(s, v)
	}
	copy(s, s[1:])
	s[len(s)-1] = v
	return s
}

// State returns the verdict.
func (t *Tracker) State() State { return t.state }

// Suspect says that traffic through the target failed, so that it is checked
// at SuspectInterval until the next OK result. It never changes the state: the
// one who saw the failures has means of their own to keep traffic away.
func (t *Tracker) Suspect() { t.suspect = true }

// Suspected says whether the target is up but under suspicion.
func (t *Tracker) Suspected() bool { return t.state == Up && t.suspect }

// Next returns how long to wait, from now, before the next check. Intervals
// run from start to start of the checks, so a slow answer does not stretch
// them. It is zero before the first result and never negative. draw is 64
// random bits for the jitter.
func (t *Tracker) Next(now time.Time, draw uint64) time.Duration {
	if t.at.IsZero() {
		return 0
	}
	started := t.at.Add(-max(t.last.Took, 0))
	return max(started.Add(t.policy.jittered(t.interval(), draw)).Sub(now), 0)
}

// interval is the time between two checks in the present state. A target on
// its way down or back up is looked at often.
func (t *Tracker) interval() time.Duration {
	if t.state == Up && !t.suspect {
		return t.policy.Interval
	}
	return t.policy.SuspectInterval
}

// Last returns the last result, with its Numbers, and when it came in; a zero
// time means that there was none yet.
func (t *Tracker) Last() (Result, time.Time) { return t.last, t.at }

// History returns a copy of what is remembered.
func (t *Tracker) History() History {
	return History{Changes: slices.Clone(t.history.Changes), Results: slices.Clone(t.history.Results)}
}
