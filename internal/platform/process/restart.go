package process

import (
	"slices"
	"time"
)

// failures remembers how an instance failed and decides when it starts again.
// It has no clock of its own.
type failures struct {
	backoff Backoff
	loop    CrashLoop

	inRow   int         // failures since it last ran well
	recent  []time.Time // at most loop.Failures, oldest first
	looping bool
}

// add takes in one failure after the child was ready for ran (0: it never
// was) and says how long to wait. jitter in [0,1) shortens the wait by up to a
// tenth, so that children which fail together do not come back together.
func (f *failures) add(now time.Time, ran time.Duration, jitter float64) time.Duration {
	if ran >= f.backoff.ResetAfter {
		f.inRow, f.recent, f.looping = 0, nil, false
	}
	f.inRow++
	f.recent = append(f.recent, now)
	f.recent = slices.DeleteFunc(f.recent, func(t time.Time) bool { return now.Sub(t) > f.loop.Within })
	if len(f.recent) >= f.loop.Failures {
		f.looping = true
		f.recent = f.recent[len(f.recent)-f.loop.Failures:]
	}
	return time.Duration(float64(f.wait()) * (1 - jitter/10))
}

// wait is the undisturbed wait: once looping it stays the longest until the
// instance has run well, although failures are then too rare to count as many.
func (f *failures) wait() time.Duration {
	if f.looping {
		return f.backoff.Max
	}
	d := f.backoff.Base
	for range f.inRow - 1 {
		if d *= 2; d >= f.backoff.Max {
			return f.backoff.Max
		}
	}
	return d
}
