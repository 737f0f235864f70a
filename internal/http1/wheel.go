package http1

import "time"

const (
	wheelTick  = 16 * time.Millisecond
	wheelSlots = 512 // what is later than 8 s is looked at again then
)

// timer is an entry of a wheel, embedded in what it wakes. The zero value is
// stopped.
type timer struct {
	next, prev *timer
	due        int64 // tick of its slot
	deadline   time.Duration
	fire       func() // set once
}

// wheel fires timers late by at most two ticks. Moving a deadline on, which is
// what every read and write does, costs one store: the timer stays in its slot
// and is looked at when that comes. One goroutine uses it.
type wheel struct {
	slots [wheelSlots]timer // heads of rings
	tick  int64             // the last that was looked at
	count int
}

func newWheel() *wheel {
	w := &wheel{}
	for i := range w.slots {
		w.slots[i].next, w.slots[i].prev = &w.slots[i], &w.slots[i]
	}
	return w
}

// set makes t fire at a time since the wheel's start.
func (w *wheel) set(t *timer, at time.Duration) {
	t.deadline = at
	due := max(int64(at/wheelTick)+1, w.tick+1)
	due = min(due, w.tick+wheelSlots-1)
	switch {
	case t.next == nil:
		w.count++
	case t.due <= due:
		return
	default:
		t.prev.next, t.next.prev = t.next, t.prev
	}
	w.link(t, due)
}

func (w *wheel) link(t *timer, due int64) {
	ring := &w.slots[due%wheelSlots]
	t.due, t.next, t.prev = due, ring.next, ring
	ring.next.prev = t
	ring.next = t
}

// stop keeps t from firing.
func (w *wheel) stop(t *timer) {
	if t.next == nil {
		return
	}
	t.prev.next, t.next.prev = t.next, t.prev
	t.next, t.prev = nil, nil
	w.count--
}

// advance fires what is due at now.
func (w *wheel) advance(now time.Duration) {
	last := int64(now / wheelTick)
	w.tick = max(w.tick, last-wheelSlots) // one round meets them all
	for w.tick < last {
		w.tick++
		w.look(&w.slots[w.tick%wheelSlots], now)
	}
}

// look empties a slot into a ring of its own first: a timer that fires may set
// or stop any other.
func (w *wheel) look(ring *timer, now time.Duration) {
	if ring.next == ring {
		return
	}
	var mine timer
	mine.next, mine.prev = ring.next, ring.prev
	mine.next.prev, mine.prev.next = &mine, &mine
	ring.next, ring.prev = ring, ring
	for mine.next != &mine {
		t := mine.next
		w.stop(t)
		if t.deadline > now {
			w.set(t, t.deadline)
		} else {
			t.fire()
		}
	}
}

// wait returns how long nothing can be due; negative: for ever.
func (w *wheel) wait(now time.Duration) time.Duration {
	if w.count == 0 {
		return -1
	}
	for k := range int64(wheelSlots) {
		if ring := &w.slots[(w.tick+1+k)%wheelSlots]; ring.next != ring {
			return max(0, time.Duration(w.tick+1+k)*wheelTick-now)
		}
	}
	return 0
}
