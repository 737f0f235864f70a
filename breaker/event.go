package breaker

import (
	"slices"
	"sync"
	"time"
)

// Event is one change of state, with what is needed to explain and to replay it.
type Event struct {
	At           time.Time
	From, To     State
	Rule         Rule
	Reason       string    // one sentence
	FailureCount int       // consecutive failures when the breaker opened
	NextAttempt  time.Time // when an open breaker lets the next call try; zero when not open, or forced open
	// Inputs reproduce the decision: Config.Decide(Inputs) gives To and Rule, Config.OpenFor(Openings, Draw) the time
	// open. They say nothing when the Rule is RuleForced or RuleReset.
	Inputs   Inputs
	Openings int
	Draw     float64
}

const maxPending = 256

// outbox hands events to a callback in order, one at a time, without a goroutine of its own: whoever finds it idle
// delivers for everybody. Its lock is taken inside the breaker's, never the other way round.
type outbox struct {
	mu      sync.Mutex
	pending []Event
	busy    bool
	dropped uint64
}

func (o *outbox) push(e Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.pending) == maxPending {
		o.pending = slices.Delete(o.pending, 0, 1)
		o.dropped++
	}
	o.pending = append(o.pending, e)
}

func (o *outbox) deliver(to func(Event)) {
	for {
		e, ok := o.take()
		if !ok {
			return
		}
		o.hand(e, to)
	}
}

// take removes the oldest event, unless another goroutine is delivering: that one will see it.
func (o *outbox) take() (Event, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.busy || len(o.pending) == 0 {
		return Event{}, false
	}
	e := o.pending[0]
	o.pending = slices.Delete(o.pending, 0, 1)
	o.busy = true
	return e, true
}

// hand calls back. A callback that panics must not silence the events after it.
func (o *outbox) hand(e Event, to func(Event)) {
	defer func() {
		o.mu.Lock()
		o.busy = false
		o.mu.Unlock()
	}()
	if to != nil {
		to(e)
	}
}

func (o *outbox) droppedCount() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dropped
}
