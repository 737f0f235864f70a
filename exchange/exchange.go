package exchange

import (
	"sync/atomic"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/retry"
)

// Machine holds what all exchanges share: the routes and the records.
type Machine struct {
	router atomic.Pointer[Router]
	ring   *Ring
	// observe gets the record of each finished exchange; it must copy what it
	// keeps and must not block.
	observe func(*Record)
}

// MachineConfig configures a Machine.
type MachineConfig struct {
	// Records is how many of the last exchanges are kept; 0 takes 10,000. A
	// fifth as many failed and slow ones are kept besides.
	Records int
	// Observe is called at the end of each exchange with its record, which is
	// only valid during the call; it must not block. May be nil.
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

// Exchange is one client request from arrival to answer. The zero value is
// ready for Begin and may be used again after End. One engine drives it; only
// its place in a queue is touched by others.
type Exchange struct {
	machine  *Machine
	fn       *Function
	route    *Route
	policy   *Policy
	breaker  *breaker.Breaker
	budget   *retry.Budget
	permit   breaker.Permit
	waker    Waker
	deadline time.Time
	// waitUntil is the end of the present wait; holdUntil ends all waiting for
	// an instance or a probe together.
	waitUntil time.Time
	holdUntil time.Time
	attempt   time.Time // start of the running attempt
	session   uint64
	prefer    *balancer.Instance
	token     token
	method    string
	tried     [maxAttempts]*balancer.Instance
	rec       Record

	// the place in the function's queue; guarded by admission.mu
	next, prev *Exchange
	waits      waitFor
	granted    atomic.Bool

	stage      stage
	fallbacks  uint8
	idempotent bool
	awaits     bool // joined those who wait for a change
	inside     bool // holds a place of the function
	permitted  bool // holds the breaker's permit
	running    bool // an attempt is under way
	relayed    bool // a head became the client's
	long       bool
	hasToken   bool
	ended      bool
}

// stage is the gate an exchange stands before.
type stage uint8

const (
	stageAdmission stage = iota
	stageQueue           // waits for a place
	stageBreaker
	stageRetryWait // waits out a backoff
	stagePick
	stageRunning
	stageOver
)

// Begin starts an exchange. w wakes the engine when a wait is over; it may be
// nil for engines that only wait until Step.Until.
func (m *Machine) Begin(x *Exchange, r *Request, w Waker, now time.Time) Step {
	x.reset(m, w, now)
	x.rec.note(r)
	x.method = r.Method
	x.idempotent = retry.Idempotent(r.Method, r.Header != nil && r.Header.Get("Idempotency-Key") != "")
	x.route = m.router.Load().Match(r.Host, r.Path, r.Method, r.Header)
	if x.route == nil {
		return x.answer(ReasonNoRoute, now)
	}
	x.rec.Route = x.route
	x.join(x.route.Function, now)
	x.deadline = now.Add(x.policy.Timeouts.Exchange)
	x.holdUntil = now.Add(x.policy.WaitForInstance)
	if x.policy.Affinity.On() {
		x.findSession(r, now)
	}
	x.rec.Key = x.key(r)
	return x.advance(now)
}

func (x *Exchange) reset(m *Machine, w Waker, now time.Time) {
	n := int(x.rec.N)
	clear(x.tried[:min(n, maxAttempts)])
	x.rec.clear()
	if w == nil {
		w = nobody{}
	}
	x.machine, x.waker, x.route, x.fn, x.prefer = m, w, nil, nil, nil
	x.rec.Start = now
	x.stage, x.fallbacks, x.session = stageAdmission, 0, 0
	x.awaits, x.inside, x.permitted, x.running, x.relayed, x.long, x.hasToken, x.ended = false, false, false, false, false, false, false, false
	x.granted.Store(false)
}

// nobody is woken when an engine only waits for time to pass.
type nobody struct{}

func (nobody) Wake() {}

// join makes the exchange one of function f.
func (x *Exchange) join(f *Function, now time.Time) {
	x.fn, x.policy, x.breaker, x.budget = f, f.policy.Load(), f.breaker.Load(), f.budget.Load()
	x.rec.Function, x.rec.policy = f, x.policy
	f.stats.last.Store(now.UnixNano())
	x.budget.Deposit(now)
	x.stage = stageAdmission
}

// Function returns the function the exchange belongs to, nil without a route.
func (x *Exchange) Function() *Function { return x.fn }

// Route returns the route that matched, nil when none did.
func (x *Exchange) Route() *Route { return x.route }

// Record returns the record so far; it is valid until the next Begin.
func (x *Exchange) Record() *Record { return &x.rec }

// Idle returns how long a relayed exchange may pass no byte.
func (x *Exchange) Idle() time.Duration { return x.policy.Timeouts.Idle }

// Next goes on after a wait, early when the engine was woken, and after it a
// due time has passed. Calling it too early is harmless: it asks to wait again.
func (x *Exchange) Next(now time.Time) Step { return x.advance(now) }

// advance takes the exchange through its gates until it must stop.
func (x *Exchange) advance(now time.Time) Step {
	if !now.Before(x.deadline) && x.stage < stageRunning {
		return x.fail(ReasonExchangeTimeout, now)
	}
	for {
		var step Step
		stopped := true
		switch x.stage {
		case stageAdmission:
			step, stopped = x.admit(now)
		case stageQueue:
			step, stopped = x.queueing(now)
		case stageBreaker:
			step, stopped = x.askBreaker(now)
		case stageRetryWait:
			step, stopped = x.backoff(now)
		case stagePick:
			step = x.pick(now)
		case stageRunning:
			step = Step{Do: Wait, Until: x.waitUntil}
		case stageOver:
			step = Step{Do: Finished}
		}
		if stopped {
			return step
		}
	}
}
