package exchange

import (
	"time"

	"holdfast/balancer"
	"holdfast/retry"
)

// Head is the head of an instance's answer as an engine saw it.
type Head struct {
	Status     int
	RetryAfter time.Duration // 0: none given
	Replayable bool          // the whole request body is still held
	// Long marks answers that last as long as somebody listens (upgrades,
	// event streams, gRPC streams): they count as in flight, not in latencies.
	Long bool
}

// Outcome is how an attempt ended without a head, or after its body.
type Outcome struct {
	Kind       retry.Kind
	Sent       bool // a byte of the request may have reached the instance
	Replayable bool // the whole request body is still held
	Bytes      int64
}

// failureOf translates an outcome into what the balancer counts.
func failureOf(k retry.Kind) balancer.Failure {
	switch k {
	case retry.OK:
		return balancer.None
	case retry.Status:
		return balancer.BadStatus
	case retry.Unreachable:
		return balancer.Unreachable
	case retry.Timeout:
		return balancer.Timeout
	case retry.Reset:
		return balancer.Reset
	case retry.Canceled:
		return balancer.Canceled
	}
	return balancer.None
}

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

// failedStatus says whether a status speaks against the instance: 501 and 505
// are about the request, the other 5xx about the server.
func failedStatus(status int) bool {
	return status >= 500 && status != 501 && status != 505
}
