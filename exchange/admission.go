package exchange

import (
	"sync"
	"sync/atomic"
	"time"
)

// Waker wakes the engine of a waiting exchange. Wake must not block and may be
// called more than once.
type Waker interface{ Wake() }

// admission holds the exchanges of a function that are inside and those that
// wait, in the order they came. An exchange waits for one thing: a place
// (max_in_flight), or a change (an instance becoming ready, a probe of the
// breaker ending). A freed place is handed to the first who waits for one, so
// that nobody can overtake; a change wakes all who wait for it.
type admission struct {
	inFlight atomic.Int64

	// waiting lets the hot path see without the lock that nobody waits.
	waiting atomic.Int32

	mu     sync.Mutex
	queued int // of them, for a place
	first  *Exchange
	last   *Exchange
}

// waitFor says what an exchange waits for.
type waitFor uint8

const (
	waitNothing waitFor = iota
	waitPlace
	waitChange
)

// place is what admission looked at; the choice is a pure function of it.
type place struct {
	InFlight, Limit, Queued, QueueSize int
}

type verdict uint8

const (
	enter verdict = iota
	queue
	refuse
)

func (p place) decide() verdict {
	switch {
	case p.Limit == 0, p.InFlight < p.Limit && p.Queued == 0:
		return enter
	case p.Queued < p.QueueSize:
		return queue
	default:
		return refuse
	}
}

// enter takes a place, or a place in the queue, or neither.
func (a *admission) enter(x *Exchange, p *Policy) (place, verdict) {
	if p.MaxInFlight == 0 {
		a.inFlight.Add(1)
		return place{}, enter
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	at := place{int(a.inFlight.Load()), p.MaxInFlight, a.queued, p.QueueSize}
	v := at.decide()
	switch v {
	case enter:
		a.inFlight.Add(1)
	case queue:
		a.push(x, waitPlace)
	case refuse:
	}
	return at, v
}

// leave gives the place to the first who waits for one, or frees it.
func (a *admission) leave(limit int) {
	if limit == 0 {
		a.inFlight.Add(-1)
		return
	}
	a.mu.Lock()
	if limit > 0 && int(a.inFlight.Load()) > limit { // the limit was lowered
		a.inFlight.Add(-1)
		a.mu.Unlock()
		return
	}
	x := a.firstFor(waitPlace)
	if x == nil {
		a.inFlight.Add(-1)
		a.mu.Unlock()
		return
	}
	a.remove(x)
	x.granted.Store(true)
	w := x.waker
	a.mu.Unlock()
	w.Wake()
}

// await queues an exchange until something changes; false: too many wait.
func (a *admission) await(x *Exchange) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting.Load() >= maxWaiting {
		return false
	}
	a.push(x, waitChange)
	return true
}

// changed wakes all who wait for a change. They are taken out first: one that
// waits again at once is not woken twice by the same change.
func (a *admission) changed() {
	if a.waiting.Load() == 0 {
		return
	}
	var wakers []Waker
	a.mu.Lock()
	for x := a.firstFor(waitChange); x != nil; x = a.firstFor(waitChange) {
		a.remove(x)
		wakers = append(wakers, x.waker)
	}
	a.mu.Unlock()
	for _, w := range wakers {
		w.Wake()
	}
}

// open lets the queue in as far as a new limit allows.
func (a *admission) open(limit int) {
	for {
		a.mu.Lock()
		x := a.firstFor(waitPlace)
		if x == nil || limit > 0 && int(a.inFlight.Load()) >= limit {
			a.mu.Unlock()
			return
		}
		a.inFlight.Add(1)
		a.remove(x)
		x.granted.Store(true)
		w := x.waker
		a.mu.Unlock()
		w.Wake()
	}
}

// forget takes an exchange out of the queue, if it is still in it.
func (a *admission) forget(x *Exchange) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if x.waits != waitNothing {
		a.remove(x)
	}
}

func (a *admission) firstFor(what waitFor) *Exchange {
	for x := a.first; x != nil; x = x.next {
		if x.waits == what {
			return x
		}
	}
	return nil
}

func (a *admission) push(x *Exchange, what waitFor) {
	x.waits, x.prev, x.next = what, a.last, nil
	if a.last == nil {
		a.first = x
	} else {
		a.last.next = x
	}
	a.last = x
	a.waiting.Add(1)
	if what == waitPlace {
		a.queued++
	}
}

func (a *admission) remove(x *Exchange) {
	if x.prev == nil {
		a.first = x.next
	} else {
		x.prev.next = x.next
	}
	if x.next == nil {
		a.last = x.prev
	} else {
		x.next.prev = x.prev
	}
	if x.waits == waitPlace {
		a.queued--
	}
	a.waiting.Add(-1)
	x.waits, x.prev, x.next = waitNothing, nil, nil
}

// look returns how many wait and how long the first has.
func (a *admission) look(now time.Time) (n int, oldest time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.first != nil {
		oldest = now.Sub(a.first.rec.Start)
	}
	return int(a.waiting.Load()), oldest
}
