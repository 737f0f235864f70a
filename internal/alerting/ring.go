package alerting

import "time"

// ring counts requests in steps of some minutes. It holds sums since the
// beginning, so that a window costs two looks.
type ring struct {
	step        int64 // minutes
	sums        []sum // at the end of each step; the place is the step modulo the length
	first, last int64 // steps since 1970; 0: nothing was counted yet
}

type sum struct{ all, bad uint64 }

func newRing(step, minutes int64) ring { return ring{step: step, sums: make([]sum, minutes/step+1)} }

func (r *ring) length() time.Duration {
	return time.Duration(r.step*int64(len(r.sums)-1)) * time.Minute
}

func (r *ring) place(step int64) *sum { return &r.sums[step%int64(len(r.sums))] }

// add counts what came in a minute. One before the latest step, which a clock
// that was set back makes, counts for the latest.
func (r *ring) add(m Minute) {
	r.advance(m.At / r.step)
	at := r.place(r.last)
	at.all, at.bad = at.all+m.All, at.bad+m.Bad
}

// advance begins steps with the sums of the one before.
func (r *ring) advance(step int64) {
	if r.last == 0 {
		r.first, r.last = step, step
		return
	}
	sums := *r.place(r.last)
	for s := max(r.last, step-int64(len(r.sums))) + 1; s <= step; s++ {
		*r.place(s) = sums
	}
	r.last = max(r.last, step)
}

// within returns what was counted in the window that ends with the latest step,
// and what part of it is known.
func (r *ring) within(window time.Duration) (all, bad uint64, known float64) {
	if r.last == 0 {
		return 0, 0, 0
	}
	n := int64(window/time.Minute) / r.step
	end := r.place(r.last)
	if from := r.last - n; from >= r.first {
		start := r.place(from)
		return end.all - start.all, end.bad - start.bad, 1
	}
	return end.all, end.bad, float64(r.last-r.first+1) / float64(n)
}
