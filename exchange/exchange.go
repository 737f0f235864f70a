package exchange

import (
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
)

// Exchange is one client request from arrival to answer. The zero value is
// ready for Begin and may be used again after End. One engine drives it, one
// call at a time.
type Exchange struct {
	machine *Machine
	waker   Waker
	route   *Route
	fn      *Function
	rules   *rules // of fn, as they were when the exchange came to it

	deadline time.Time // for the head that the client gets
	until    time.Time // end of the present backoff or queueing, or of the attempt
	hold     time.Time // end of the waits before the next attempt; zero: none yet
	cold     time.Time // since when it waits for an instance to start; zero: it does not
	asked    time.Time // the function, by the breaker's leave
	since    time.Time // the present queueing, or the running attempt

	permit  breaker.Permit
	session uint64 // of affinity; 0: none
	token   token  // that came with the request
	prefer  *balancer.Instance
	tried   [maxAttempts]*balancer.Instance
	rec     Record

	spot spot // in a line of fn; guarded by admission.mu

	stage      stage
	open       bool // between Begin and End
	idempotent bool
	lined      bool // in a line, or was until it got what it waited for
	inside     bool // holds a place of the function
	permitted  bool // holds the breaker's permit
	relayed    bool // a head has become the client's
	chosen     bool // the next attempt's instance is chosen already
	hasToken   bool
}

// stage is the gate an exchange stands before. The zero value is over: before
// Begin and after the end there is nothing to do.
type stage uint8

const (
	stageOver stage = iota
	stageAdmission
	stageQueue // waits for a place
	stageBreaker
	stageBackoff // waits for the next try to be due
	stagePick
	stageRunning  // an attempt is under way
	stageRelaying // its head has become the client's
)

func (x *Exchange) reset(m *Machine, w Waker, now time.Time) {
	if w == nil {
		w = nobody{}
	}
	clear(x.tried[:x.rec.N])
	x.rec.clear()
	x.rec.Start = now
	x.machine, x.waker = m, w
	x.route, x.fn, x.rules = nil, nil, nil
	x.session, x.prefer, x.hasToken = 0, nil, false
	x.stage, x.open, x.relayed, x.chosen = stageOver, true, false, false
}

// nobody is woken when an engine only waits for time to pass.
type nobody struct{}

func (nobody) Wake() {}

// join makes the exchange one of function f.
func (x *Exchange) join(f *Function, now time.Time) {
	x.fn, x.rules = f, f.rules.Load()
	x.hold, x.cold, x.chosen = time.Time{}, time.Time{}, false
	x.stage = stageAdmission
	x.rec.visit(f)
	f.stats.last.Store(now.UnixNano())
	x.rules.budget.Deposit(now)
}

// Function returns the function the exchange belongs to, nil without a route.
func (x *Exchange) Function() *Function { return x.fn }

// Route returns the route that matched, nil when none did.
func (x *Exchange) Route() *Route { return x.route }

// Record returns the record so far; it is valid until the next Begin.
func (x *Exchange) Record() *Record { return &x.rec }

// Idle returns how long the client and a relayed answer may pass no byte.
func (x *Exchange) Idle() time.Duration {
	if x.rules == nil {
		return defaultIdle
	}
	return x.rules.Timeouts.Idle
}

// Next goes on after a wait, early when the engine was woken, else when the
// time is due. Calling it too early is harmless: it asks to wait again.
func (x *Exchange) Next(now time.Time) Step { return x.advance(now) }

// advance takes the exchange through its gates until it must stop.
func (x *Exchange) advance(now time.Time) Step {
	if x.stage < stageRunning && x.stage != stageOver && !now.Before(x.deadline) {
		return x.fail(ReasonExchangeTimeout, now)
	}
	for {
		var step Step
		through := false
		switch x.stage {
		case stageAdmission:
			step, through = x.admit(now)
		case stageQueue:
			step, through = x.queue(now)
		case stageBreaker:
			step, through = x.askBreaker(now)
		case stageBackoff:
			step, through = x.backoff(now)
		case stagePick:
			step = x.pick(now)
		case stageRunning, stageRelaying:
			step = x.wait(ReasonNone, x.until)
		case stageOver:
			step = Step{Do: Finished, Function: x.fn}
		}
		if !through {
			return step
		}
	}
}

func (x *Exchange) wait(r Reason, until time.Time) Step {
	return Step{Do: Wait, Reason: r, Function: x.fn, Until: until}
}

// draw derives independent random bits from the request's.
func (x *Exchange) draw(n uint64) uint64 { return derive(x.rec.Draw, n) }

// derive makes the nth of many independent numbers of one random one.
func derive(draw, n uint64) uint64 { return mix(draw + (n+1)*0x9e3779b97f4a7c15) }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
