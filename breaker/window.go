package breaker

import "time"

// recorder keeps the calls of a window. The breaker's lock guards it.
type recorder interface {
	// record adds one call and returns what the window holds with it.
	record(seen bits, now time.Time) Tally
	// tally returns what the window holds at now.
	tally(now time.Time) Tally
}

var (
	_ recorder = noWindow{}
	_ recorder = (*countWindow)(nil)
	_ recorder = (*timeWindow)(nil)
)

func newRecorder(w Window) recorder {
	switch w.Kind {
	case WindowCount:
		return &countWindow{ring: make([]bits, w.Calls)}
	case WindowTime:
		return &timeWindow{width: w.Duration / bucketCount}
	case WindowNone:
	}
	return noWindow{}
}

// sameShape reports whether what one window recorded can stay when the other one takes over.
func (w Window) sameShape(other Window) bool {
	return w.Kind == other.Kind && w.Calls == other.Calls && w.Duration == other.Duration
}

type noWindow struct{}

func (noWindow) record(bits, time.Time) Tally { return Tally{} }
func (noWindow) tally(time.Time) Tally        { return Tally{} }

// bits is one call as the windows see it.
type bits uint8

const (
	bitFailed bits = 1 << iota
	bitSlow
)

func (b bits) tally() Tally {
	return Tally{Calls: 1, Failures: int(b & bitFailed), Slow: int(b >> 1)}
}

// countWindow is a ring of the last calls and their sum.
type countWindow struct {
	ring []bits
	next int
	sum  Tally
}

func (w *countWindow) record(seen bits, _ time.Time) Tally {
	if w.sum.Calls == len(w.ring) {
		subtract(&w.sum, w.ring[w.next].tally())
	}
	w.ring[w.next] = seen
	add(&w.sum, seen.tally())
	if w.next++; w.next == len(w.ring) {
		w.next = 0
	}
	return w.sum
}

func (w *countWindow) tally(time.Time) Tally { return w.sum }

const bucketCount = 10

// timeWindow is a ring of equally long buckets and their sum. The bucket at current began at head.
type timeWindow struct {
	width   time.Duration
	started bool
	head    time.Time
	current int
	buckets [bucketCount]Tally
	sum     Tally
}

func (w *timeWindow) record(seen bits, now time.Time) Tally {
	w.advance(now)
	add(&w.buckets[w.current], seen.tally())
	add(&w.sum, seen.tally())
	return w.sum
}

func (w *timeWindow) tally(now time.Time) Tally {
	w.advance(now)
	return w.sum
}

// advance drops the buckets that have left the window. A now before head (callers may report in any order) changes
// nothing: such a call counts in the current bucket.
func (w *timeWindow) advance(now time.Time) {
	if !w.started {
		w.started, w.head = true, now
		return
	}
	elapsed := now.Sub(w.head)
	if elapsed < w.width {
		return
	}
	w.head = now.Add(-(elapsed % w.width)) // stays on the grid of the first call
	for range min(elapsed/w.width, bucketCount) {
		if w.current++; w.current == bucketCount {
			w.current = 0
		}
		subtract(&w.sum, w.buckets[w.current])
		w.buckets[w.current] = Tally{}
	}
}

func add(t *Tally, o Tally) {
	t.Calls += o.Calls
	t.Failures += o.Failures
	t.Slow += o.Slow
}

func subtract(t *Tally, o Tally) {
	t.Calls -= o.Calls
	t.Failures -= o.Failures
	t.Slow -= o.Slow
}
