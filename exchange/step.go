package exchange

import (
	"fmt"
	"time"

	"holdfast/balancer"
)

// Do is what the engine must do next.
type Do uint8

// The steps.
const (
	Answer   Do = iota // answer the client with Step.Answer; nothing is asked of an instance
	Attempt            // send the request to Step.Instance
	Wait               // wait until woken or until Step.Until, then call Next
	Relay              // make the answer whose head was just reported the client's
	Finished           // nothing but End; also what a report on an attempt that is over gets
)

var doNames = [...]string{"answer", "attempt", "wait", "relay", "finished"}

// String gives the step in lower case.
func (d Do) String() string {
	if int(d) < len(doNames) {
		return doNames[d]
	}
	return fmt.Sprintf("Do(%d)", uint8(d))
}

// Step is the machine's answer to the engine.
type Step struct {
	Do       Do
	Reason   Reason // why, where the step is not the plain one
	Function *Function
	// Attempt and Relay only.
	Attempt  int // names the attempt in Head and Done
	Instance *balancer.Instance
	// Attempt only.
	Connect time.Duration // for the connection alone
	// Until ends a wait; for an attempt the head must be there by then.
	Until time.Time
	// Answer only.
	Answer LocalAnswer
	// Relay only: the affinity cookie to set, or "".
	SetCookie string
	// Relay only: how long the request was held until an instance had started; 0:
	// it was not.
	Cold time.Duration
}

// LocalAnswer is an answer Holdfast gives itself.
type LocalAnswer struct {
	Status     int
	Fallback   *Fallback     // nil: a plain error page with the reason
	RetryAfter time.Duration // 0: unknown
}
