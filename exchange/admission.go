package exchange

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// admission counts the exchanges inside a function and holds those that wait.
//
// A place is given up and queued for without a common lock on the paths where
// nobody waits. What keeps a place from being lost: who leaves gives up the
// place before looking for a queue, who queues lines up before looking for a
// place, so that one of the two sees the other.
type admission struct {
	present presence     // those inside
	limit   atomic.Int64 // max_in_flight; 0: none
	queued  atomic.Int32 // those in places
	waiting atomic.Int32 // those in probes and instances

	mu        sync.Mutex
	seen      int64 // the latest tick somebody lined up or went at
	size      int   // of the queue
	places    line  // for a place
	probes    line  // for a probe of the half-open breaker
	instances line  // for an instance
}

// maxWaiting bounds the exchanges of a function that wait for an instance or a
// probe, where the queue has no size of its own to bound them.
const maxWaiting = 4096

// Place is what admission looked at.
type Place struct {
	InFlight, Limit   int32
	Queued, QueueSize int32
}

// Verdict is what admission decided.
type Verdict uint8

// The verdicts.
const (
	Entered Verdict = iota
	Queued
	Refused
)

// String gives the verdict in lower case.
func (v Verdict) String() string {
	switch v {
	case Entered:
		return "entered"
	case Queued:
		return "queued"
	case Refused:
		return "refused"
	}
	return "unknown"
}

// Decide is the rule of admission: nobody overtakes those who queue. A Limit
// of 0 is none. It is pure.
func (p Place) Decide() Verdict {
	switch {
	case p.Limit == 0, p.InFlight < p.Limit && p.Queued == 0:
		return Entered
	case p.Queued < p.QueueSize:
		return Queued
	default:
		return Refused
	}
}

// set puts a limit in force and lets in whom it allows.
func (a *admission) set(limit, size int) {
	a.mu.Lock()
	a.limit.Store(int64(limit))
	a.size = size
	tick := a.seen // the configuration has no clock
	a.mu.Unlock()
	a.letIn(tick)
}

// enter takes a place, or a place in the queue, or neither. Who queues may own
// a place right after, see claim.
func (a *admission) enter(x *Exchange, now time.Time) (Place, Verdict) {
	tick := a.present.tick(now)
	if a.limit.Load() == 0 {
		a.present.come(tick)
		return Place{}, Entered
	}
	at, v := a.enterLimited(x, now, tick)
	if v == Queued {
		a.letIn(tick) // a place that was given up between the look and the line
	}
	return at, v
}

func (a *admission) enterLimited(x *Exchange, now time.Time, tick int64) (Place, Verdict) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = max(a.seen, tick)
	at := Place{
		InFlight: clamp(a.present.inside()), Limit: clamp(a.limit.Load()),
		Queued: clamp(int64(a.places.n)), QueueSize: clamp(int64(a.size)),
	}
	v := at.Decide()
	switch v {
	case Entered:
		a.present.come(tick)
	case Queued:
		a.places.push(x, now, tick)
		a.queued.Add(1)
	case Refused:
	}
	return at, v
}

func clamp(n int64) int32 { return int32(min(n, math.MaxInt32)) }

// leave gives a place up.
func (a *admission) leave(now time.Time) {
	tick := a.present.tick(now)
	a.present.leave(tick)
	if a.queued.Load() > 0 {
		a.letIn(tick)
	}
}

// letIn hands the places that are free to the first in the queue.
func (a *admission) letIn(tick int64) {
	for w := a.grant(tick); w != nil; w = a.grant(tick) {
		w.Wake()
	}
}

func (a *admission) grant(tick int64) Waker {
	a.mu.Lock()
	defer a.mu.Unlock()
	x, limit := a.places.first, a.limit.Load()
	if x == nil || limit > 0 && a.present.inside() >= limit {
		return nil
	}
	a.present.come(tick)
	a.places.remove(x, tick)
	a.queued.Add(-1)
	x.spot.granted = true
	return x.waker
}

// claim says whether a place was handed to an exchange in the queue.
func (a *admission) claim(x *Exchange) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	granted := x.spot.granted
	x.spot.granted = false
	return granted
}

// quit takes an exchange out of whatever line it is in. It says whether a place
// was handed to it: the place is its own then. Whoever was woken and goes wakes
// the next, since the chance it was woken for may be there still.
func (a *admission) quit(x *Exchange, now time.Time) (granted bool) {
	tick := a.present.tick(now)
	a.mu.Lock()
	a.seen = max(a.seen, tick)
	granted = x.spot.granted
	x.spot.granted = false
	var next Waker
	switch l := x.spot.in; l {
	case nil:
	case &a.places:
		l.remove(x, tick)
		a.queued.Add(-1)
	default:
		told := x.spot.told
		l.remove(x, tick)
		a.waiting.Add(-1)
		if told {
			next = l.tell()
		}
	}
	a.mu.Unlock()
	if next != nil {
		next.Wake()
	}
	return granted
}

// await lines an exchange up in probes or instances; false: too many wait.
func (a *admission) await(x *Exchange, l *line, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting.Load() >= maxWaiting {
		return false
	}
	l.push(x, now, a.present.tick(now))
	a.waiting.Add(1)
	return true
}

// arm readies an exchange in a line for the next wake-up, before it looks.
func (a *admission) arm(x *Exchange) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if x.spot.in != nil {
		x.spot.in.arm(x)
	}
}

// freed wakes the first in a line: there is a chance for one.
func (a *admission) freed(l *line) {
	if a.waiting.Load() == 0 {
		return
	}
	a.mu.Lock()
	w := l.tell()
	a.mu.Unlock()
	if w != nil {
		w.Wake()
	}
}

// changed wakes all who wait for a probe or an instance.
func (a *admission) changed() {
	if a.waiting.Load() == 0 {
		return
	}
	a.mu.Lock()
	wakers := make([]Waker, 0, a.waiting.Load())
	for _, l := range []*line{&a.probes, &a.instances} {
		for w := l.tell(); w != nil; w = l.tell() {
			wakers = append(wakers, w)
		}
	}
	a.mu.Unlock()
	for _, w := range wakers {
		w.Wake()
	}
}

// look returns how many wait and for how long the first has.
func (a *admission) look(now time.Time) (n int, longest time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range []*line{&a.places, &a.probes, &a.instances} {
		n += l.n
		if l.first != nil {
			longest = max(longest, now.Sub(l.first.spot.since))
		}
	}
	return n, longest
}
