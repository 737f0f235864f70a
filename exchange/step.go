package exchange

import (
	"time"

	"holdfast/balancer"
)

// Do is what the engine must do next.
type Do uint8

const (
	// Answer the client with Step.Answer; nothing is asked of an instance.
	Answer Do = iota
	// Attempt sends the request to Step.Instance.
	Attempt
	// Wait until woken or until Step.Until, then call Next.
	Wait
	// Relay the answer whose head was just reported to the client.
	Relay
	// Finished: the exchange needs no more but End.
	Finished
)

var doNames = [...]string{"answer", "attempt", "wait", "relay", "finished"}

func (d Do) String() string { return doNames[d] }

// Step is the machine's answer to the engine.
type Step struct {
	Do       Do
	Reason   Reason // why, where the step is not the plain one
	Function *Function
	// Attempt only.
	Attempt  int // names the attempt in Head and Done
	Instance *balancer.Instance
	Connect  time.Duration // for the connection alone; 0: no limit of its own
	// Until ends a wait; for an attempt the head must be there by then.
	Until time.Time
	// Answer only.
	Answer LocalAnswer
	// Relay only: the affinity cookie to set, or "".
	SetCookie string
}

// LocalAnswer is an answer Holdfast gives itself.
type LocalAnswer struct {
	Status     int
	Fallback   *Fallback     // nil: a plain error page with the reason
	RetryAfter time.Duration // 0: unknown
}

// Reason says why an exchange ended, waited or was answered locally.
type Reason uint8

const (
	// ReasonNone: nothing out of the ordinary.
	ReasonNone Reason = iota
	// ReasonNoRoute: no route matches the request.
	ReasonNoRoute
	// ReasonBreakerOpen: the function's breaker is open.
	ReasonBreakerOpen
	// ReasonHalfOpen: the breaker's probes are all under way.
	ReasonHalfOpen
	// ReasonQueued: max_in_flight is reached, the request waits in the queue.
	ReasonQueued
	// ReasonQueueFull: max_in_flight is reached and the queue is full.
	ReasonQueueFull
	// ReasonQueueTimeout: the place in the queue was not reached in time.
	ReasonQueueTimeout
	// ReasonStarting: no instance takes traffic yet, but one is on its way.
	ReasonStarting
	// ReasonNoInstance: no instance is left to try.
	ReasonNoInstance
	// ReasonInstancesFull: every instance has max_in_flight requests.
	ReasonInstancesFull
	// ReasonUnreachable: the connection to the instance could not be made.
	ReasonUnreachable
	// ReasonAttemptTimeout: the instance gave no head within timeouts.attempt.
	ReasonAttemptTimeout
	// ReasonExchangeTimeout: timeouts.exchange is used up.
	ReasonExchangeTimeout
	// ReasonReset: the instance broke the connection.
	ReasonReset
	// ReasonBadStatus: the instance answered with a failure.
	ReasonBadStatus
	// ReasonTruncated: the answer broke off after its head was relayed.
	ReasonTruncated
	// ReasonClientGone: the client left.
	ReasonClientGone
	// ReasonBackoff: the next try waits for its backoff.
	ReasonBackoff
	// ReasonFallback: the fallback function answers.
	ReasonFallback
	reasonCount
)

var reasonNames = [reasonCount]string{
	"ok", "no route", "breaker open", "breaker half-open, probes under way", "queued", "queue full",
	"queue timeout", "no instance ready yet", "no instance left", "instances full", "instance unreachable",
	"attempt timeout", "exchange timeout", "connection reset by instance", "failure status", "answer truncated",
	"client gone", "backoff", "fallback function",
}

func (r Reason) String() string { return reasonNames[r] }

// Status is the HTTP status that tells a client of the reason.
func (r Reason) Status() int {
	switch r {
	case ReasonNoRoute:
		return 404
	case ReasonUnreachable, ReasonReset, ReasonTruncated:
		return 502
	case ReasonAttemptTimeout, ReasonExchangeTimeout:
		return 504
	case ReasonClientGone:
		return 499 // nginx's number; only seen in logs
	default:
		return 503
	}
}
