package capacity

import "time"

// Cause is what broke first.
type Cause uint8

// The causes. Where several hold in one window, the one that explains the
// others comes first: a generator at its limit proves nothing about the
// target, a target that refuses is not slow.
const (
	Nothing   Cause = iota
	Generator       // this machine, not the target
	Limited         // the target answered 429, or 503 with Retry-After
	Resets          // connections were refused, reset or cut
	Errors          // answers failed
	Queue           // requests in flight grew without end, or too few were done
	Latency         // p99 is over the limit
)

// String is the cause as reports name it.
func (c Cause) String() string {
	switch c {
	case Nothing:
		return "nothing"
	case Generator:
		return "generator"
	case Limited:
		return "429"
	case Resets:
		return "resets"
	case Errors:
		return "errors"
	case Queue:
		return "queue"
	case Latency:
		return "latency"
	}
	return "unknown"
}

// Window is what came of a load.
type Window struct {
	Rate     float64       // requests per second that were due
	Length   time.Duration // over which the rest was measured
	Good     int64         // requests with a good answer
	Failed   int64         // all others, also those that could not be sent
	Limited  int64         // of the failed: 429, or 503 with Retry-After
	Resets   int64         // of the failed: no connection, or one that broke
	P50, P99 time.Duration // response times
	InFlight []int64       // at the end of each second
	Invalid  bool          // the generator was the limit
}

// Limits are what a good window keeps. A field that is 0 takes its default.
type Limits struct {
	P99      time.Duration // 500 ms
	Errors   float64       // largest part of the requests that may fail: 0.01
	Achieved float64       // smallest part of the due requests that must be done well: 0.98
}

func (l Limits) withDefaults() Limits {
	if l.P99 <= 0 {
		l.P99 = 500 * time.Millisecond
	}
	if l.Errors <= 0 {
		l.Errors = 0.01
	}
	if l.Achieved <= 0 {
		l.Achieved = 0.98
	}
	return l
}

// Judge says what broke in a window; Nothing: it is good.
func (l Limits) Judge(w *Window) Cause {
	l = l.withDefaults()
	all := w.Good + w.Failed
	share := func(n int64) float64 { return float64(n) / float64(max(all, 1)) }
	due := w.Rate * w.Length.Seconds()
	switch {
	case w.Invalid:
		return Generator
	case share(w.Limited) > l.Errors:
		return Limited
	case share(w.Resets) > l.Errors:
		return Resets
	case share(w.Failed) > l.Errors:
		return Errors
	case grows(w.InFlight, w.Rate), due > 0 && float64(w.Good) < l.Achieved*due-1: // one may be under way
		return Queue
	case w.P99 > l.P99:
		return Latency
	}
	return Nothing
}

// grows says whether requests in flight grew all through a window, by more than
// a hundredth of the rate each second: the earliest sign that work comes faster
// than it is done (Little's law). The trend is a least-squares line; that it
// holds, and is no single step, shows in all thirds of the window.
func grows(inFlight []int64, rate float64) bool {
	n := len(inFlight)
	if n < 6 {
		return false
	}
	third := n / 3
	first, second, last := mean(inFlight[:third]), mean(inFlight[third:n-third]), mean(inFlight[n-third:])
	return slope(inFlight) > max(rate/100, 0.5) && first < second && second < last
}

func mean(list []int64) float64 {
	var sum int64
	for _, v := range list {
		sum += v
	}
	return float64(sum) / float64(len(list))
}

// slope is that of the least-squares line, per element.
func slope(list []int64) float64 {
	middle, average := float64(len(list)-1)/2, mean(list)
	var above, below float64
	for i, v := range list {
		x := float64(i) - middle
		above += x * (float64(v) - average)
		below += x * x
	}
	return above / below
}
