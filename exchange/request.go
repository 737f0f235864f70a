package exchange

import (
	"net/netip"
	"time"

	"holdfast/balancer"
	"holdfast/retry"
)

// Header gives the values of a request's header fields. http.Header is one.
type Header interface {
	// Get returns the first value of the field, or "".
	Get(name string) string
}

type noHeader struct{}

func (noHeader) Get(string) string { return "" }

// Request is what the rules may look at. The machine borrows it until Begin
// returns and copies what it keeps.
type Request struct {
	ID     string // up to 63 bytes; found again with Ring.Find
	Method string
	Host   string     // without port, lower case
	Path   string     // as CleanPath returns it: what is matched is what is forwarded
	Header Header     // nil: no fields
	Client netip.Addr // zero: unknown
	// Trusted says that the client may speak for others: a proxy of ours.
	Trusted bool
	Secure  bool   // the client used https
	Draw    uint64 // random bits; every random choice of the exchange comes from them
}

// Head is the head of an instance's answer as an engine saw it.
type Head struct {
	Status     int
	RetryAfter time.Duration // 0: none given
	Replayable bool          // the whole request body is still held, or there is none
	// Upload is how much of the attempt the engine spent waiting for the client
	// to send more of the request's body, whatever the instance did meanwhile.
	// It is not the instance's latency.
	Upload time.Duration
	// Long marks answers that last as long as somebody listens (upgrades,
	// event streams, gRPC streams): they count as in flight, not in latencies.
	Long bool
}

// Outcome is how an attempt ended without a head, or after its body.
type Outcome struct {
	// Kind is OK, Reset, Timeout or Canceled after a body; without a head it is
	// Unreachable, Reset, Timeout or Canceled, and anything else counts as Reset.
	Kind       retry.Kind
	Sent       bool  // a byte of the request may have reached the instance
	Replayable bool  // the whole request body is still held, or there is none
	Bytes      int64 // of the answer's body
	// Upload is as in Head, for an attempt that ends without one.
	Upload time.Duration
}

// failureOf translates the end of an attempt into what the balancer counts.
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

// failedStatus says whether a status speaks against the instance: 501 and 505
// are about the request, the other 5xx about the server.
func failedStatus(status int) bool {
	return status >= 500 && status != 501 && status != 505
}
