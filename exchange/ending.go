package exchange

import (
	"time"

	"holdfast/breaker"
	"holdfast/retry"
)

// fail ends the function's part without an instance's answer: the fallback or
// an error page is the client's.
func (x *Exchange) fail(r Reason, now time.Time) Step {
	x.unline(now)
	if f := x.fallbackFunction(r); f != nil {
		return x.handOver(f, r, now)
	}
	return x.answer(r, now)
}

// answer ends the exchange with an answer of Holdfast's own.
func (x *Exchange) answer(r Reason, now time.Time) Step {
	x.stage = stageOver
	a := LocalAnswer{Status: r.Status()}
	if x.fn != nil {
		x.localFallback(&a)
		if next := x.nextAttempt(r); next.After(now) {
			a.RetryAfter = next.Sub(now)
		}
		if !x.cold.IsZero() { // nobody knows when one starts, but how long one takes
			a.RetryAfter = x.rules.ColdStart
		}
	}
	x.rec.Reason, x.rec.Local = r, true
	x.rec.Status, x.rec.Head = uint16(a.Status), now.Sub(x.rec.Start)
	return Step{Do: Answer, Reason: r, Function: x.fn, Answer: a}
}

func (x *Exchange) localFallback(a *LocalAnswer) {
	fb := x.rules.Fallback
	if fb == nil || fb.Function != nil || fb.Redirect != "" && x.mayBeDone() {
		return
	}
	a.Status, a.Fallback = fb.status(), fb
	x.fn.stats.Fallbacks.Add(1)
}

// nextAttempt is when an open breaker lets somebody through, zero if unknown.
func (x *Exchange) nextAttempt(r Reason) time.Time {
	if r != ReasonBreakerOpen {
		return time.Time{}
	}
	return x.rules.breaker.NextAttempt()
}

// settle tells the breaker how the exchange went with its function, once.
func (x *Exchange) settle(now time.Time) {
	if !x.permitted {
		return
	}
	x.permitted = false
	x.rules.breaker.Done(x.permit, x.verdict(), x.took(now), now)
	if x.permit.Probe() {
		x.fn.admission.freed(&x.fn.admission.probes)
	}
}

// verdict is what an exchange says about its function. What the client did, or
// what happened before an instance was asked, says nothing.
func (x *Exchange) verdict() breaker.Outcome {
	if x.rec.N == x.rec.at().First || x.rec.Reason.byClient() {
		return breaker.Ignored
	}
	if a := &x.rec.Attempts[x.last()]; a.Kind != retry.OK {
		return breaker.Failure
	}
	return breaker.Success
}

// took is the time to the head, which is what the function is responsible for;
// bodies, those of requests too, are as slow as their clients. Long answers are
// never slow calls.
func (x *Exchange) took(now time.Time) time.Duration {
	switch {
	case x.rec.Long:
		return 0
	case x.relayed:
		now = x.rec.Start.Add(x.rec.Head)
	}
	return now.Sub(x.asked) - x.rec.uploading(x.rec.at().First)
}

// uploading is how long the attempts from first on waited for the client.
func (r *Record) uploading(first uint8) (d time.Duration) {
	for n := first; n < r.N; n++ {
		d += r.Attempts[n].Upload
	}
	return d
}

// Latency is the time to the head less the waits for the client's body, and
// whether Stats.Latency of the function has it.
func (r *Record) Latency() (d time.Duration, counts bool) {
	counts = r.V > 0 && !r.Long && !r.Reason.byClient() && r.N > r.at().First
	return r.Head - r.uploading(0), counts
}

// leave gives the place back.
func (x *Exchange) leave(now time.Time) {
	if x.inside {
		x.inside = false
		x.fn.admission.leave(now)
	}
}

// Abort gives the exchange up because the client is gone: while it waits, while
// an attempt runs, while its answer is relayed. End still follows.
func (x *Exchange) Abort(now time.Time) { x.abort(ReasonClientGone, now) }

// AbortSlow is Abort for a client that was cut off because it was too slow.
func (x *Exchange) AbortSlow(now time.Time) { x.abort(ReasonClientSlow, now) }

func (x *Exchange) abort(r Reason, now time.Time) {
	if x.stage == stageOver {
		return
	}
	x.unline(now)
	if x.stage >= stageRunning {
		a := &x.rec.Attempts[x.last()]
		a.Reason = r
		if x.stage == stageRunning {
			a.Kind = retry.Canceled
		}
		x.endAttempt(a, now)
	}
	x.giveUp(r)
}

// Withdraw takes back an exchange of which no instance has heard, before its
// first attempt or while that is still without a connection: another engine is
// to begin it anew. It leaves no record and no verdict and counts as no exchange;
// what it held is free, and End does nothing. False: it is too late, and nothing
// happened.
func (x *Exchange) Withdraw(now time.Time) bool {
	if !x.open || x.stage == stageOver || x.stage == stageRelaying || x.rec.N > 1 || x.rec.N == 1 && x.stage != stageRunning {
		return false
	}
	x.Abort(now)
	x.open = false
	if x.fn != nil {
		x.settle(now)
		x.leave(now)
	}
	return true
}

// giveUp marks the exchange as one whose client left.
func (x *Exchange) giveUp(r Reason) {
	x.stage = stageOver
	x.rec.Reason = r
	if x.rec.Status == 0 {
		x.rec.Status = uint16(r.Status())
	}
}

// End closes the books: the breaker hears of the exchange, its place is free,
// its record is kept. The exchange may be used again afterwards. A second End
// does nothing.
func (x *Exchange) End(now time.Time) {
	if !x.open {
		return
	}
	x.Abort(now)
	x.open = false
	x.rec.Took = now.Sub(x.rec.Start)
	if x.fn != nil {
		x.settle(now)
		x.leave(now)
		x.count()
	}
	x.machine.ring.keep(&x.rec)
	if x.machine.observe != nil {
		x.machine.observe(&x.rec)
	}
}

// count adds the exchange to the statistics of the function that ended it.
func (x *Exchange) count() {
	r := &x.rec
	latency, counts := r.Latency()
	r.slow = !r.Long && latency >= x.rules.Slow
	status := int(r.Status)
	if r.Local { // whatever a static fallback told the client
		status = r.Reason.Status()
	}
	s := &x.fn.stats
	s.end(r.Reason, status)
	s.Bytes.Add(uint64(max(r.Bytes, 0)))
	if counts {
		s.Latency.Add(latency)
	}
}
