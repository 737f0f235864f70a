package breaker

import (
	"fmt"
	"time"
)

// Snapshot is a breaker at one moment, for people and for a store.
type Snapshot struct {
	State        State
	Since        time.Time // when the state began; zero for a breaker that never changed
	FailureCount int       // consecutive failures: now when closed, else those that opened it
	LastFailure  time.Time // zero: none yet
	// NextAttempt is when an open breaker lets a call try. It is zero when the breaker is not open, or forced open.
	NextAttempt       time.Time
	HalfOpenCalls     int // probes running
	HalfOpenSuccesses int // probes that succeeded since the breaker became half-open
	Openings          int // since it was last closed; the time open grows with it
	Forced            bool
	Rule              Rule   // that led to the state; RuleNone for a breaker that never changed
	Reason            string // the same for people
	Window            Tally  // zero without a window
	EventsDropped     uint64 // because OnEvent was too slow
}

// Snapshot returns the state at now. It changes no state: a breaker whose NextAttempt is past is open until somebody asks.
func (b *Breaker) Snapshot(now time.Time) Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := word(b.word.Load())
	s := Snapshot{
		State: w.state(), Since: b.since, FailureCount: b.failures, LastFailure: b.lastFail,
		HalfOpenCalls: b.runningProbes(b.cfg.Load(), now), HalfOpenSuccesses: b.successes, Openings: b.openings, Forced: b.forced,
		Rule: b.rule, Reason: b.reason, Window: b.window.tally(now), EventsDropped: b.outbox.droppedCount(),
	}
	if s.State == Closed {
		s.FailureCount = w.failures()
	}
	if until := b.until.Load(); until != nil && s.State == Open {
		s.NextAttempt = *until
	}
	return s
}

// State returns the state without a lock.
func (b *Breaker) State() State { return word(b.word.Load()).state() }

// NextAttempt returns when an open breaker lets a call try, without a lock; zero when it is not open, or forced open.
func (b *Breaker) NextAttempt() time.Time {
	if until := b.until.Load(); until != nil && b.State() == Open {
		return *until
	}
	return time.Time{}
}

// Restore takes over a state saved before a restart, without an event. An open breaker stays open until its
// NextAttempt, or is due at once when that is zero. Probes that ran are lost with the process that made them, so a
// half-open breaker starts its probes again. Rates start from nothing. Because the saved times come from a clock that may
// have jumped, a NextAttempt farther away than the longest opening possible is cut to that.
func (b *Breaker) Restore(s Snapshot, now time.Time) error {
	if s.State > HalfOpen {
		return fmt.Errorf("restore breaker: state %d: %w", uint8(s.State), ErrUnknownState)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	cfg := b.cfg.Load()
	failures := min(max(s.FailureCount, 0), maxFailures)
	b.since, b.lastFail, b.rule, b.reason = s.Since, s.LastFailure, s.Rule, s.Reason
	b.failures, b.openings, b.forced = failures, max(s.Openings, 0), s.Forced && s.State == Open
	b.successes, b.probes = 0, b.probes[:0]
	b.window = newRecorder(cfg.Window)
	b.until.Store(cfg.restoredUntil(s, now))
	if s.State != Closed {
		b.openings, failures = max(b.openings, 1), 0
	}
	b.word.Store(uint64(makeWord(word(b.word.Load()).generation()+1, s.State, failures)))
	return nil
}

func (c *Config) restoredUntil(s Snapshot, now time.Time) *time.Time {
	if s.State != Open || s.Forced {
		return nil
	}
	next := s.NextAttempt
	if longest := now.Add(c.OpenFor(1<<30, 1)); next.After(longest) {
		next = longest
	}
	return &next
}
