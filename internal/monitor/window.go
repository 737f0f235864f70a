package monitor

import (
	"time"

	"holdfast/exchange"
)

const (
	// tick is how often everything is measured.
	tick = 10 * time.Second
	// windowTicks make the window of rates and errors, a minute.
	windowTicks = 6
)

// counts are what a function's or instance's counters said at one moment.
type counts struct {
	at          time.Time
	all, failed uint64
}

// window keeps the counts of the last minute. The zero value is empty. There is
// one for each instance, so it is small.
type window struct {
	ring [windowTicks + 1]kept
	n    int // that were ever put in
}

// kept is counts with the time in nanoseconds since 1970.
type kept struct {
	at          int64
	all, failed uint64
}

// put notes what the counters say now and returns what was added since the
// oldest that is kept, and over which time.
func (w *window) put(c counts) (all, failed uint64, over time.Duration) {
	w.ring[w.n%len(w.ring)] = kept{c.at.UnixNano(), c.all, c.failed}
	w.n++
	oldest := w.ring[0]
	if w.n > len(w.ring) {
		oldest = w.ring[w.n%len(w.ring)]
	}
	if c.all < oldest.all || c.failed < oldest.failed { // counted anew
		*w = window{}
		return w.put(c)
	}
	return c.all - oldest.all, c.failed - oldest.failed, time.Duration(c.at.UnixNano() - oldest.at)
}

// latencies keep a function's histogram as it was one to two minutes ago.
type latencies struct {
	before, since exchange.HistogramSnapshot
	turned        time.Time
}

// put returns what was counted in the last one to two minutes.
func (l *latencies) put(now time.Time, s exchange.HistogramSnapshot) exchange.HistogramSnapshot {
	switch {
	case l.turned.IsZero():
		l.before, l.since, l.turned = s, s, now
	case now.Sub(l.turned) >= windowTicks*tick:
		l.before, l.since, l.turned = l.since, s, now
	}
	return s.Sub(l.before)
}
