package child

import (
	"slices"
	"time"
)

// Backoff is the wait before a restart: Base after the first failure, doubled
// by each further one up to Max. ResetAfter of running well makes the next
// failure a first one again.
type Backoff struct{ Base, Max, ResetAfter time.Duration }

// CrashLoop is when failures are called a crash loop: Failures within Within.
// Restarts then wait Backoff.Max.
type CrashLoop struct {
	Failures int
	Within   time.Duration
}

// Failures remembers how a child failed and decides when it starts again. It
// has no clock of its own and is not safe for concurrent use.
type Failures struct {
	Backoff   Backoff
	CrashLoop CrashLoop

	inRow   int         // failures since it last ran well
	recent  []time.Time // at most CrashLoop.Failures, oldest first
	looping bool
}

// InRow is how many failures there were since the child last ran well.
func (f *Failures) InRow() int { return f.inRow }

// Looping says whether the failures are a crash loop.
func (f *Failures) Looping() bool { return f.looping }

// Add takes in one failure after the child was ready for ran (0: it never
// was) and says how long to wait. jitter in [0,1) shortens the wait by up to a
// tenth, so that children which fail together do not come back together.
func (f *Failures) Add(now time.Time, ran time.Duration, jitter float64) time.Duration {
	if ran >= f.Backoff.ResetAfter {
		f.inRow, f.recent, f.looping = 0, nil, false
	}
	f.inRow++
	f.recent = append(f.recent, now)
	f.recent = slices.DeleteFunc(f.recent, func(t time.Time) bool { return now.Sub(t) > f.CrashLoop.Within })
	if len(f.recent) >= f.CrashLoop.Failures {
		f.looping = true
		f.recent = f.recent[len(f.recent)-f.CrashLoop.Failures:]
	}
	return time.Duration(float64(f.wait()) * (1 - jitter/10))
}

// wait is the undisturbed wait: once looping it stays the longest until the
// instance has run well, although failures are then too rare to count as many.
func (f *Failures) wait() time.Duration {
	if f.looping {
		return f.Backoff.Max
	}
	d := f.Backoff.Base
	for range f.inRow - 1 {
		if d *= 2; d >= f.Backoff.Max {
			return f.Backoff.Max
		}
	}
	return d
}
