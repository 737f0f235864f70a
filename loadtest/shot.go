package loadtest

import (
	"context"
	"fmt"
	"time"
)

// Class is how a request ended.
type Class uint8

// The classes. All but OK and Interrupted are failures.
const (
	OK           Class  = iota
	NotSent             // nobody was free to send it in time
	Interrupted         // the run was stopped while it was under way
	NoAddress           // the name of the target was not resolved
	Refused             // the target took no connection
	Unreachable         // there is no way to the target, or it did not take the connection in time
	OutOfPorts          // this machine has no port left to connect from
	OutOfFiles          // this process may open no more files
	BadTLS              // the TLS handshake failed
	Reset               // the connection was reset
	Truncated           // the connection ended before the answer did
	Timeout             // no whole answer within Config.Timeout
	Malformed           // the answer breaks the protocol
	BadStatus           // the answer is a failure by its status
	RateLimited         // the answer is 429, or 503 with Retry-After
	CheckFailed         // the answer is not what a check wants
	OtherFailure        // anything else
	NumClasses   = iota // how many there are
)

var classNames = [...]string{
	OK: "ok", NotSent: "not_sent", Interrupted: "interrupted", NoAddress: "no_address", Refused: "refused",
	Unreachable: "unreachable", OutOfPorts: "client_port_exhausted", OutOfFiles: "client_file_exhausted", BadTLS: "tls",
	Reset: "reset", Truncated: "truncated", Timeout: "timeout", Malformed: "malformed", BadStatus: "status",
	RateLimited: "rate_limited", CheckFailed: "check", OtherFailure: "other",
}

// String is the name of the class in reports.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("Class(%d)", c)
}

// Failure says whether requests of the class count as failed.
func (c Class) Failure() bool { return c != OK && c != Interrupted }

// Own says that the class is this machine's fault and says nothing about the target.
func (c Class) Own() bool { return c == OutOfPorts || c == OutOfFiles }

// unconnected says that no connection came to be.
func (c Class) unconnected() bool { return c >= NoAddress && c <= BadTLS }

// Shot is one request. The runner fills the first part, the User the second. Moments are durations since the begin of the
// run; 0 means that it did not come to that.
type Shot struct {
	Seq        int64 // from 0, in the order planned
	Endpoint   int   // index into Config.Endpoints
	User       int   // who sends it
	Planned    time.Duration
	Dispatched time.Duration

	Connected  time.Duration // a connection was opened for it
	Written    time.Duration // before its first byte went out
	Done       time.Duration // its last byte is here; the runner sets it when the User does not
	Class      Class
	Err        error // what a failure was; the first of each class is kept
	Status     int
	RetryAfter time.Duration // what the answer asks for; 0: nothing
	BytesIn    int64
	BytesOut   int64
	Reconnects int // it met a connection the target had closed and was sent again on another

	origin time.Time
	seed   uint64
	phase  int           // 0: warm-up; otherwise 1 + the stage
	wait   time.Duration // part of the send lag that the target caused
}

// Now is the moment for the fields above.
func (s *Shot) Now() time.Duration { return time.Since(s.origin) }

// Random is a number that looks like chance and depends on Seq and Config.Seed only.
func (s *Shot) Random() uint64 { return mix(mix(s.seed) ^ uint64(s.Seq)) } //nolint:gosec // not negative

// Response is the response time.
func (s *Shot) Response() time.Duration { return s.Done - s.Planned }

// Service is the service time; ok is false when nothing was written.
func (s *Shot) Service() (d time.Duration, ok bool) { return s.Done - s.Written, s.Written > 0 }

// Client makes users. It is called from one goroutine at a time.
type Client interface {
	// NewUser makes user n, counted from 0. It does no input or output.
	NewUser(n int) (User, error)
}

// User sends requests, one at a time, as one client with a connection and a state of its own would.
type User interface {
	// Do sends the request and fills in how it ended. It takes no notice of Config.Timeout: the runner does and
	// interrupts. ctx ends with the run.
	Do(ctx context.Context, s *Shot)
	// Interrupt makes a Do that is under way return at once, as a failure; it is called from another goroutine, once per
	// Do at most, and never when none is under way. The next Do starts afresh.
	Interrupt()
	// Close gives up what the user holds. No Do is under way or follows.
	Close()
}

// Sender is a User whose goroutine can wait for an answer while another one sends the request. Open runs make use of it.
// StandBy and Send agree on who of them came first: a Send that returned true makes StandBy return true, and one that
// returned false makes it return false.
type Sender interface {
	User
	// StandBy waits until the answer of what Send sent begins, or its connection ends, and returns true: Do follows, with
	// the Shot that Send had, and finishes it. It returns false when there is nothing to wait for, such as no connection,
	// or no longer: then Do follows for a request that nobody has sent. It is called between two Do.
	StandBy() bool
	// Send sends the request without waiting and says whether it did. It is called from another goroutine, at most once
	// between two Do, whether a StandBy is under way or not. It sets Written. Interrupt may come from then on.
	Send(s *Shot) bool
	// Dismiss makes StandBy return false, now and ever after. No Send follows.
	Dismiss()
}
