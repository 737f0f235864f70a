package exchange

import "time"

// holdForStart gives an exchange that found nobody as long as an instance takes
// to start. The time counts from the first that found nobody: when a start has
// failed, those that come later are not held for a whole one again.
func (x *Exchange) holdForStart(now time.Time) {
	if !x.cold.IsZero() {
		return
	}
	x.cold = now
	x.hold = now.Add(x.rules.WaitForInstance)
	if until := x.fn.wakingSince(now).Add(x.rules.ColdStart); until.After(x.hold) {
		x.hold = until
	}
}

// wake tells who starts instances that an exchange, which is in a line by now,
// waits for one. Only the first is told of.
func (x *Exchange) wake(now time.Time) {
	f := x.fn
	if !x.cold.IsZero() && f.waking.CompareAndSwap(0, now.UnixNano()) && f.wanted != nil {
		f.wanted()
	}
}

// started ends the wait of an exchange that is sent to an instance.
func (x *Exchange) started(now time.Time) {
	if x.cold.IsZero() {
		return
	}
	x.rec.at().Cold += now.Sub(x.cold)
	x.cold = time.Time{}
	x.fn.stats.Held.Add(1)
	x.fn.awake(now)
}

// wakingSince is when the first exchange found nobody; now, if this is the one.
func (f *Function) wakingSince(now time.Time) time.Time {
	if ns := f.waking.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return now
}

// awake ends a cold start: an instance takes traffic.
func (f *Function) awake(now time.Time) {
	if ns := f.waking.Swap(0); ns != 0 {
		f.stats.ColdStarts.Add(max(now.Sub(time.Unix(0, ns)), 0))
	}
}
