package exchange

import "time"

// Waker wakes the engine of a waiting exchange. Wake must not block. It may be
// called more than once, for nothing, and even after the exchange has ended.
type Waker interface{ Wake() }

// line is who waits for one thing, in the order they came. Guarded by
// admission.mu.
type line struct {
	first, last *Exchange
	n           int
	sum         int64 // times of leaving less times of coming, in ticks: see presence
	told        int   // of them, woken since they last looked
}

// spot is the place of an exchange in a line. Guarded by admission.mu.
type spot struct {
	in         *line // nil: in none
	next, prev *Exchange
	since      time.Time
	told       bool // woken since it last looked
	granted    bool // a place of the function was handed to it
}

// spent is how long all who were or are in the line were there together.
func (l *line) spent(tick int64) int64 { return l.sum + int64(l.n)*tick }

func (l *line) push(x *Exchange, now time.Time, tick int64) {
	x.spot = spot{in: l, prev: l.last, since: now}
	if l.last == nil {
		l.first = x
	} else {
		l.last.spot.next = x
	}
	l.last = x
	l.n++
	l.sum -= tick
}

func (l *line) remove(x *Exchange, tick int64) {
	if x.spot.prev == nil {
		l.first = x.spot.next
	} else {
		x.spot.prev.spot.next = x.spot.next
	}
	if x.spot.next == nil {
		l.last = x.spot.prev
	} else {
		x.spot.next.spot.prev = x.spot.prev
	}
	l.arm(x)
	l.n--
	l.sum += tick
	x.spot = spot{}
}

// arm readies an exchange for the next wake-up, before it looks.
func (l *line) arm(x *Exchange) {
	if x.spot.told {
		x.spot.told = false
		l.told--
	}
}

// tell returns the waker of the first who has not been woken since it looked,
// or nil.
func (l *line) tell() Waker {
	if l.told == l.n {
		return nil
	}
	x := l.first
	for x.spot.told {
		x = x.spot.next
	}
	x.spot.told = true
	l.told++
	return x.waker
}
