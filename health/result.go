package health

import (
	"context"
	"time"
)

// Result is the outcome of one check.
type Result struct {
	// OK says that the target answered as expected.
	OK bool
	// Reason is one short sentence without secrets, for OK results too.
	Reason string
	// Took is how long the check lasted, connecting included.
	Took time.Duration
	// Status is the HTTP status, the gRPC serving status or the exit code; 0
	// when there was none.
	Status int
	// Numbers holds the top-level numbers of a JSON answer (cpu_percent,
	// connections, event_loop_lag_ms ...), at most 64 of them, and those of
	// HTTPConfig.Numbers. It is nil when there are none, and must not be changed.
	Numbers map[string]float64
}

// Checker makes one check.
//
// Check returns when the context ends at the latest and is safe for concurrent
// use. A Checker that keeps a connection also implements [io.Closer].
type Checker interface {
	Check(ctx context.Context) Result
}

// Func is a function used as a Checker.
type Func func(ctx context.Context) Result

var _ Checker = Func(nil)

// Check calls f.
func (f Func) Check(ctx context.Context) Result { return f(ctx) }

// State is the verdict on a target.
type State uint8

// The states. Unknown, the zero value, lasts until the first result.
const (
	Unknown State = iota
	Up
	Down
)

// String returns unknown, up or down.
func (s State) String() string {
	switch s {
	case Up:
		return "up"
	case Down:
		return "down"
	case Unknown:
	}
	return "unknown"
}

// defaultTimeout bounds a check when neither its context nor its configuration
// says how long it may last.
const defaultTimeout = 2 * time.Second

// deadlineOf returns when a check that starts now must have ended: the earlier
// of the context's deadline and the configured timeout.
func deadlineOf(ctx context.Context, timeout time.Duration, now time.Time) time.Time {
	limit, ok := ctx.Deadline()
	switch {
	case timeout <= 0 && ok:
		return limit
	case timeout <= 0:
		return now.Add(defaultTimeout)
	case ok && limit.Before(now.Add(timeout)):
		return limit
	}
	return now.Add(timeout)
}

// timed fills in how long the check took.
func timed(r Result, start time.Time) Result {
	r.Took = time.Since(start)
	return r
}
