package exchange

import (
	"fmt"

	"holdfast/retry"
)

// Reason says why an exchange ended, waited or was answered locally.
type Reason uint8

// The reasons.
const (
	ReasonNone            Reason = iota // nothing out of the ordinary
	ReasonNoRoute                       // no route matches the request
	ReasonBreakerOpen                   // the function's breaker is open
	ReasonHalfOpen                      // the breaker's probes are all under way
	ReasonQueued                        // max_in_flight is reached, the request waits in the queue
	ReasonQueueFull                     // max_in_flight is reached and the queue is full
	ReasonQueueTimeout                  // the place in the queue was not reached in time
	ReasonStarting                      // no instance takes traffic yet, but one is on its way
	ReasonNoInstance                    // no instance is left to try
	ReasonInstancesFull                 // every instance has max_in_flight requests
	ReasonUnreachable                   // the connection to the instance could not be made
	ReasonAttemptTimeout                // the instance gave no head within timeouts.attempt
	ReasonExchangeTimeout               // timeouts.exchange is used up
	ReasonReset                         // the instance broke the connection
	ReasonBadStatus                     // the instance answered with a failure
	ReasonTruncated                     // the answer broke off after its head was relayed
	ReasonClientGone                    // the client left
	ReasonBackoff                       // the next try waits for its backoff
	ReasonFallback                      // the fallback function answers
	ReasonClientSlow                    // the client took its answer too slowly
	reasonCount
)

var reasonNames = [reasonCount]string{
	"ok", "no route", "breaker open", "breaker half-open, probes under way", "queued", "queue full",
	"queue timeout", "no instance ready yet", "no instance left", "instances full", "instance unreachable",
	"attempt timeout", "exchange timeout", "connection reset by instance", "failure status", "answer truncated",
	"client gone", "backoff", "fallback function",
	"client too slow",
}

// String returns a short phrase for people.
func (r Reason) String() string {
	if r < reasonCount {
		return reasonNames[r]
	}
	return fmt.Sprintf("Reason(%d)", uint8(r))
}

// Status is the HTTP status that tells a client of the reason.
func (r Reason) Status() int {
	switch r {
	case ReasonNoRoute:
		return 404
	case ReasonUnreachable, ReasonReset, ReasonTruncated:
		return 502
	case ReasonAttemptTimeout, ReasonExchangeTimeout:
		return 504
	case ReasonClientGone, ReasonClientSlow:
		return 499 // nginx's number; only seen in logs
	case ReasonNone, ReasonBreakerOpen, ReasonHalfOpen, ReasonQueued, ReasonQueueFull, ReasonQueueTimeout, ReasonStarting,
		ReasonNoInstance, ReasonInstancesFull, ReasonBadStatus, ReasonBackoff, ReasonFallback, reasonCount:
	}
	return 503
}

// byClient says whether the client ended the exchange.
func (r Reason) byClient() bool { return r == ReasonClientGone || r == ReasonClientSlow }

// reasonOf is the reason an attempt that ended this way failed.
func reasonOf(k retry.Kind) Reason {
	switch k {
	case retry.OK:
		return ReasonNone
	case retry.Status:
		return ReasonBadStatus
	case retry.Unreachable:
		return ReasonUnreachable
	case retry.Timeout:
		return ReasonAttemptTimeout
	case retry.Reset:
		return ReasonReset
	case retry.Canceled:
		return ReasonClientGone
	}
	return ReasonNone
}
