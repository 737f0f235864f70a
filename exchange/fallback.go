package exchange

import (
	"errors"
	"fmt"
	"time"

	"holdfast/retry"
)

// Fallback is what a client gets when the function cannot answer: its breaker
// is open or nobody is left. Exactly one of Function, Redirect and a Status of
// its own is set. A function or a redirect is used only while the request may
// still be processed: not once an instance may have done what it asks for and
// doing it twice would do harm.
type Fallback struct {
	Function *Function // this function answers instead, with gates of its own
	Redirect string    // to this URL; the path and query are appended when it ends in "*"
	Status   int       // of the answer; with Redirect a 3xx, 0 is 307
	Body     string
	Header   map[string]string
}

// maxFallbacks bounds a chain of fallback functions.
const maxFallbacks = 3

func (fb *Fallback) validate(f *Function) error {
	switch {
	case fb == nil:
		return nil
	case fb.Function != nil && (fb.Redirect != "" || fb.Status != 0):
		return errors.New("fallback names a function and an answer")
	case fb.Function == f && f != nil:
		return errors.New("fallback is the function itself")
	case fb.Redirect != "" && fb.Status != 0 && fb.Status/100 != 3:
		return fmt.Errorf("fallback redirects with status %d: want 3xx", fb.Status)
	case fb.Function == nil && fb.Redirect == "" && (fb.Status < 200 || fb.Status > 599):
		return fmt.Errorf("fallback status %d: want 200 to 599", fb.Status)
	}
	return nil
}

// status is that of a local fallback.
func (fb *Fallback) status() int {
	if fb.Status == 0 {
		return 307
	}
	return fb.Status
}

// fallbackFunction returns who answers instead, nil for nobody.
func (x *Exchange) fallbackFunction(r Reason) *Function {
	fb := x.rules.Fallback
	if fb == nil || fb.Function == nil || r == ReasonExchangeTimeout ||
		int(x.rec.V) == maxVisits || x.rec.N == maxAttempts || x.mayBeDone() || x.bodyGone() {
		return nil
	}
	return fb.Function
}

// handOver makes the exchange one of another function.
func (x *Exchange) handOver(f *Function, r Reason, now time.Time) Step {
	x.rec.at().Left, x.rec.Fallback = r, r
	x.settle(now)
	x.leave(now)
	x.fn.stats.Fallbacks.Add(1)
	x.fn.stats.end(r, r.Status())
	x.prefer, x.hasToken, x.session = nil, false, 0
	x.join(f, now)
	return x.advance(now)
}

// mayBeDone says whether an instance may have processed the request and a
// second time would do harm.
func (x *Exchange) mayBeDone() bool {
	if x.rec.N == 0 || x.idempotent || x.rules.Retry.NonIdempotent {
		return false
	}
	a := &x.rec.Attempts[x.last()]
	return a.Sent && a.Kind != retry.Unreachable
}

// bodyGone says whether the request can no longer be sent as a whole.
func (x *Exchange) bodyGone() bool {
	if x.rec.N == 0 {
		return false
	}
	a := &x.rec.Attempts[x.last()]
	return a.Retry.Sent && !a.Retry.Replayable
}
