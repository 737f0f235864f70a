package exchange

import (
	"sync/atomic"
	"time"

	"holdfast/retry"
)

// Machine holds what all exchanges share: the routes and the records. Safe for
// concurrent use.
type Machine struct {
	router  atomic.Pointer[Router]
	ring    *Ring
	observe func(*Record)
	tracing atomic.Pointer[Tracing] // nil: there is none
}

// MachineConfig configures a Machine.
type MachineConfig struct {
	// Records is how many of the last exchanges are kept, and besides them as many
	// of the last that failed, were slow or took more than one attempt; 0 or less is
	// 10,000. Those are 12 MiB each once they are full, the second 6 MiB more for
	// each further attempt a record has on average.
	Records int
	// Observe is called at the end of each exchange with its record, which is
	// only valid during the call; a copy may be kept. It must not block. May be
	// nil.
	Observe func(*Record)
}

// NewMachine makes a machine without routes.
func NewMachine(c MachineConfig) *Machine {
	return &Machine{ring: newRing(c.Records), observe: c.Observe}
}

// SetRouter swaps the routes; exchanges under way keep theirs.
func (m *Machine) SetRouter(r *Router) { m.router.Store(r) }

// Router returns the routes in force; nil when there are none.
func (m *Machine) Router() *Router { return m.router.Load() }

// Records returns the kept records.
func (m *Machine) Records() *Ring { return m.ring }

// Begin starts an exchange. w wakes the engine when a wait may be over; it may
// be nil for engines that only wait until Step.Until. End must follow, whatever
// the steps were.
func (m *Machine) Begin(x *Exchange, r *Request, w Waker, now time.Time) Step {
	x.End(now) // an engine that forgot must not leave a place taken for ever
	header := r.Header
	if header == nil {
		header = noHeader{}
	}
	x.reset(m, w, now)
	x.rec.note(r)
	if t := m.tracing.Load(); t != nil {
		x.rec.Trace = t.place(r, header)
	}
	x.idempotent = retry.Idempotent(r.Method, false) || header.Get("Idempotency-Key") != ""
	x.route = m.router.Load().Match(r.Host, r.Path, r.Method, header)
	if x.route == nil {
		return x.answer(ReasonNoRoute, now)
	}
	x.rec.Route = x.route
	x.join(x.route.Function, now)
	x.deadline = now.Add(x.rules.Timeouts.Exchange)
	x.findSession(r, header, now)
	if x.rules.hashes {
		x.rec.Key = x.key(r, header)
	}
	return x.advance(now)
}
