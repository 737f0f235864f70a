package retry

import (
	"fmt"
	"time"
)

// Kind is how an attempt ended. The zero value is OK.
type Kind uint8

// The kinds.
const (
	OK          Kind = iota // answered, nothing to complain about
	Status                  // answered with a status that may be worth another try
	Unreachable             // no connection: nothing was sent
	Timeout                 // connected, but no answer in time
	Reset                   // the connection broke before the answer was complete
	Canceled                // the client left
)

// String gives the kind in lower case.
func (k Kind) String() string {
	names := [...]string{"ok", "status", "unreachable", "timeout", "reset", "canceled"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Inputs is everything a decision depends on beside the Policy.
type Inputs struct {
	Try        int           // which attempt has just ended, 0 is the first
	Idempotent bool          // processing the request twice does no harm
	Sent       bool          // a byte of the request may have reached the instance
	Replayable bool          // the whole body is still held, or there is none
	Kind       Kind          // how the attempt ended
	Status     int           // the answer's status when Kind is Status
	RetryAfter time.Duration // what the instance asked for, 0: nothing
	OtherHost  bool          // another instance, not tried yet, can take it
	Left       time.Duration // until the exchange's deadline; without one, a very long time
	Budget     bool          // the budget has room, see NeedsBudget
	Draw       uint64        // random bits for the backoff
}

// Decision says whether to try again and after what wait.
type Decision struct {
	Retry  bool
	After  time.Duration
	Reason Reason
}

// Reason names the rule that bound.
type Reason uint8

// The reasons; the first three are those of a retry.
const (
	RetryElsewhere     Reason = iota + 1 // at once, on another instance
	RetryAfterBackoff                    // on the same instance after the backoff
	RetryAfterAsked                      // on the same instance after the time it asked for
	AnswerIsGood                         // nothing failed
	ClientLeft                           // nobody waits for an answer
	StatusIsFinal                        // the policy does not list the status
	NoAttemptsLeft                       // all extra tries are used
	BodyIsGone                           // the request cannot be sent again
	MayHaveBeenDone                      // not idempotent, and the instance may have processed it
	AskedToWaitTooLong                   // Retry-After is beyond MaxRetryAfter
	NoTimeLeft                           // the wait would pass the exchange's deadline
	BudgetIsSpent                        // too many retries of late
)

// String gives a clause that ends a sentence such as "not retried: ...".
func (r Reason) String() string {
	names := [...]string{
		"no reason", "tried again on another instance", "tried again after a backoff",
		"tried again after the time the instance asked for", "the answer is good", "the client left",
		"the status is not one to retry", "no attempts are left", "the request body is no longer held",
		"the request is not idempotent and may have been processed", "the instance asked to wait too long",
		"no time is left before the deadline", "the retry budget is spent",
	}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("Reason(%d)", uint8(r))
}

// Decide applies the rules in the order of the package comment. It is pure and allocates nothing.
func (p *Policy) Decide(in Inputs) Decision {
	if reason := p.refuse(in); reason != 0 {
		return Decision{Reason: reason}
	}
	d := p.schedule(in)
	switch {
	case !d.Retry:
		return d
	case in.Left <= 0 || d.After >= in.Left:
		return Decision{Reason: NoTimeLeft}
	case !in.Budget:
		return Decision{Reason: BudgetIsSpent}
	}
	return d
}

// NeedsBudget reports whether everything but the budget says retry. A caller withdraws from the budget only then, and
// puts the result into Inputs.Budget.
func (p *Policy) NeedsBudget(in Inputs) bool {
	in.Budget = true
	return p.Decide(in).Retry
}

// refuse holds the rules that do not depend on time or load; 0 means that none binds.
func (p *Policy) refuse(in Inputs) Reason {
	mayBeDone := in.Kind == Status || in.Sent && in.Kind != Unreachable
	switch {
	case in.Kind == OK:
		return AnswerIsGood
	case in.Kind == Canceled:
		return ClientLeft
	case in.Kind == Status && !p.retries(in.Status):
		return StatusIsFinal
	case in.Try >= p.Attempts:
		return NoAttemptsLeft
	case in.Sent && !in.Replayable:
		return BodyIsGone
	case mayBeDone && !in.Idempotent && !p.NonIdempotent:
		return MayHaveBeenDone
	}
	return 0
}

// schedule chooses the wait.
func (p *Policy) schedule(in Inputs) Decision {
	switch {
	case in.OtherHost:
		return Decision{Retry: true, Reason: RetryElsewhere}
	case in.RetryAfter > p.maxRetryAfter():
		return Decision{Reason: AskedToWaitTooLong}
	}
	wait := Backoff(p.baseDelay(), p.maxDelay(), in.Try, in.Draw)
	if in.RetryAfter > 0 {
		// The jitter comes on top: all that were told the same time would otherwise come back in the same moment.
		return Decision{Retry: true, After: in.RetryAfter + wait, Reason: RetryAfterAsked}
	}
	return Decision{Retry: true, After: wait, Reason: RetryAfterBackoff}
}
