package breaker

import "time"

// recorder keeps the calls of a window. The breaker's lock guards it.
type recorder interface {
	// record adds one call and returns what the window holds with it.
	record(call Tally, now time.Time) Tally
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

func (noWindow) record(Tally, time.Time) Tally { return Tally{} }
func (noWindow) tally(time.Time) Tally         { return Tally{} }

// bits packs one call of a count window.
type bits uint8

const (
	bitFailed bits = 1 << iota
	bitSlow
)

func pack(call Tally) bits { return bits(call.Failures) | bits(call.Slow)<<1 }

func (b bits) unpack() Tally {
	return Tally{Calls: 1, Failures: int(b & bitFailed), Slow: int(b&bitSlow) >> 1}
}

// countWindow is a ring of the last calls and their sum.
type countWindow struct {
	ring []bits
	next int
	sum  Tally
}

func (w *countWindow) record(call Tally, _ time.Time) Tally {
	if w.sum.Calls == len(w.ring) {
		w.sum = w.sum.minus(w.ring[w.next].unpack())
	}
	w.ring[w.next] = pack(call)
	w.sum = w.sum.plus(call)
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

func (w *timeWindow) record(call Tally, now time.Time) Tally {
	w.advance(now)
	w.buckets[w.current] = w.buckets[w.current].plus(call)
	w.sum = w.sum.plus(call)
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
		w.sum = w.sum.minus(w.buckets[w.current])
		w.buckets[w.current] = Tally{}
	}
}

func (t Tally) plus(o Tally) Tally {
	return Tally{Calls: t.Calls + o.Calls, Failures: t.Failures + o.Failures, Slow: t.Slow + o.Slow}
}

func (t Tally) minus(o Tally) Tally {
	return Tally{Calls: t.Calls - o.Calls, Failures: t.Failures - o.Failures, Slow: t.Slow - o.Slow}
}
