package exchange

import (
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/retry"
)

// Head reports the head of an attempt's answer. Relay makes it the client's;
// any other step means that the answer is thrown away (the engine closes it)
// and the attempt is over. This is the only place where an answer becomes the
// client's. 1xx heads are not reported, except 101.
func (x *Exchange) Head(attempt int, h Head, now time.Time) Step {
	if !x.running || attempt != int(x.rec.N)-1 {
		return Step{Do: Finished}
	}
	a := &x.rec.Attempts[attempt]
	a.Status, a.Head, a.Long = uint16(h.Status), now.Sub(x.attempt), h.Long
	kind := retry.OK
	if failedStatus(h.Status) {
		kind = retry.Status
	}
	a.Kind = kind
	x.fn.balancer.Observe(a.Instance, balancer.Result{
		Failure: failureOf(kind), Latency: a.Head, Long: h.Long, RetryAfter: h.RetryAfter,
	}, now)
	in := retry.Inputs{Kind: kind, Status: h.Status, RetryAfter: h.RetryAfter, Sent: true, Replayable: h.Replayable}
	if x.mayRetry(a, in, now) {
		x.release(now)
		return x.advance(now)
	}
	return x.relay(a, h, now)
}

func (x *Exchange) relay(a *AttemptRecord, h Head, now time.Time) Step {
	x.relayed, x.long = true, h.Long
	x.rec.Status, x.rec.Head, x.rec.Long = uint16(h.Status), now.Sub(x.rec.Start), h.Long
	if h.Long { // its end says nothing more about the function's health
		x.settle(h.Status, now)
	}
	return Step{Do: Relay, Function: x.fn, Attempt: int(x.rec.N) - 1, Instance: a.Instance, SetCookie: x.keepSession(a.Instance, now)}
}

// Done reports the end of an attempt: without a head, or after the body of a
// relayed answer. Without a head the step says how to go on.
func (x *Exchange) Done(attempt int, o Outcome, now time.Time) Step {
	if !x.running || attempt != int(x.rec.N)-1 {
		return Step{Do: Finished}
	}
	a := &x.rec.Attempts[attempt]
	a.Took = now.Sub(x.attempt)
	if x.relayed {
		return x.bodyDone(a, o, now)
	}
	if o.Kind == retry.Timeout && !now.Before(x.deadline) {
		a.Reason = ReasonExchangeTimeout
	}
	a.Kind, a.Sent = o.Kind, o.Sent
	x.fn.balancer.Observe(a.Instance, balancer.Result{Failure: failureOf(o.Kind), Latency: a.Took}, now)
	in := retry.Inputs{Kind: o.Kind, Sent: o.Sent, Replayable: o.Replayable}
	again := x.mayRetry(a, in, now)
	x.release(now)
	if again {
		return x.advance(now)
	}
	return x.fail(reasonOf(o.Kind), now)
}

func (x *Exchange) bodyDone(a *AttemptRecord, o Outcome, now time.Time) Step {
	x.rec.Bytes = o.Bytes
	switch o.Kind {
	case retry.Reset, retry.Timeout:
		a.Reason, x.rec.Reason = ReasonTruncated, ReasonTruncated
		if !x.long {
			x.fn.balancer.Observe(a.Instance, balancer.Result{Failure: failureOf(o.Kind), Long: true}, now)
		}
	case retry.Canceled:
		a.Reason, x.rec.Reason = ReasonClientGone, ReasonClientGone
	case retry.OK, retry.Status, retry.Unreachable:
	}
	x.release(now)
	x.stage = stageOver
	return Step{Do: Finished}
}

// mayRetry decides whether the attempt that just failed is followed by another
// and notes the decision with its inputs.
func (x *Exchange) mayRetry(a *AttemptRecord, in retry.Inputs, now time.Time) bool {
	in.Try = int(x.rec.N) - 1 - x.joinedAt()
	in.Idempotent = x.idempotent
	in.OtherHost = x.othersLeft(a)
	in.Left = x.deadline.Sub(now)
	in.Draw = x.draw(uint64(2*int(x.rec.N) + 1))
	in.Budget = x.policy.Retry.NeedsBudget(in) && x.budget.Withdraw(now)
	d := x.policy.Retry.Decide(in)
	if d.Retry && int(x.rec.N) >= maxAttempts {
		d = retry.Decision{} // cannot happen: Attempts is at most 10
	}
	a.Retry, a.Decision, a.policy = in, d, x.policy
	if a.Reason == ReasonNone {
		a.Reason = reasonOf(in.Kind)
	}
	if d.Retry {
		x.stage = stagePick
		if d.After > 0 {
			x.stage, x.waitUntil = stageRetryWait, now.Add(d.After)
		}
	}
	return d.Retry
}

// joinedAt is the number of attempts made before the present function.
func (x *Exchange) joinedAt() int { return int(x.rec.Joined) }

// othersLeft says whether an instance is available that was not tried yet.
func (x *Exchange) othersLeft(a *AttemptRecord) bool {
	return a.Pick.Available > int(x.rec.N)-x.joinedAt()
}

// release ends the running attempt.
func (x *Exchange) release(now time.Time) {
	x.running = false
	x.fn.balancer.Release(x.rec.Attempts[x.rec.N-1].Instance, now)
	if x.fn.admission.waiting.Load() > 0 {
		x.fn.admission.changed() // an instance that was full has room
	}
}

// fail ends the exchange without an instance's answer: the fallback or an
// error page is the client's.
func (x *Exchange) fail(r Reason, now time.Time) Step {
	if r == ReasonUnreachable || r == ReasonReset || r == ReasonAttemptTimeout {
		if !now.Before(x.deadline) {
			r = ReasonExchangeTimeout
		}
	}
	fb := x.policy.Fallback
	if fb != nil && fb.Function != nil && x.fallbacks < maxFallbacks && r != ReasonExchangeTimeout {
		return x.fallBack(fb.Function, r, now)
	}
	return x.answer(r, now)
}

// fallBack hands the exchange to another function.
func (x *Exchange) fallBack(f *Function, r Reason, now time.Time) Step {
	x.fn.stats.Fallbacks.Add(1)
	x.fn.stats.Reasons[r].Add(1)
	x.settle(r.Status(), now)
	x.leave()
	x.fallbacks++
	x.rec.Fallback, x.rec.Joined = r, x.rec.N
	x.prefer, x.hasToken, x.session = nil, false, 0
	x.join(f, now)
	return x.advance(now)
}

// answer ends the exchange with an answer of Holdfast's own.
func (x *Exchange) answer(r Reason, now time.Time) Step {
	x.unwait()
	x.stage = stageOver
	x.rec.Reason, x.rec.Local = r, true
	x.rec.Status, x.rec.Head = uint16(r.Status()), now.Sub(x.rec.Start)
	step := Step{Do: Answer, Reason: r, Function: x.fn, Answer: LocalAnswer{Status: r.Status()}}
	if x.fn == nil {
		return step
	}
	if fb := x.policy.Fallback; fb != nil && fb.Function == nil {
		x.fn.stats.Fallbacks.Add(1)
		step.Answer.Fallback = fb
		if fb.Redirect != "" {
			step.Answer.Status = 307
		} else {
			step.Answer.Status = fb.Status
		}
		x.rec.Status = uint16(step.Answer.Status)
	}
	if r == ReasonBreakerOpen {
		if wait := x.breaker.Snapshot(now).NextAttempt.Sub(now); wait > 0 {
			step.Answer.RetryAfter = wait
		}
	}
	return step
}

// settle tells the breaker how the exchange went, once.
func (x *Exchange) settle(status int, now time.Time) {
	if !x.permitted {
		return
	}
	x.permitted = false
	x.breaker.Done(x.permit, x.verdict(status), now.Sub(x.rec.Start)-x.rec.Queued, now)
}

// verdict is what an exchange says about its function. What the client did, or
// what happened before an instance was asked for, says nothing.
func (x *Exchange) verdict(status int) breaker.Outcome {
	switch {
	case x.rec.Reason == ReasonClientGone, x.rec.Reason == ReasonInstancesFull:
		return breaker.Ignored
	case x.rec.Reason == ReasonTruncated, x.rec.Local, failedStatus(status):
		return breaker.Failure
	default:
		return breaker.Success
	}
}

// leave gives the place back.
func (x *Exchange) leave() {
	if x.inside {
		x.inside = false
		x.fn.admission.leave(x.policy.MaxInFlight)
	}
}

// Abort gives the exchange up because the client is gone: while it waits, while
// an attempt runs, while its answer is relayed. End still follows.
func (x *Exchange) Abort(now time.Time) {
	if x.fn == nil || x.stage == stageOver {
		return
	}
	x.unwait()
	if x.stage == stageQueue {
		x.fn.admission.forget(x)
		x.inside = x.granted.Swap(false) || x.inside
	}
	if x.running {
		a := &x.rec.Attempts[x.rec.N-1]
		a.Took, a.Reason, a.Kind = now.Sub(x.attempt), ReasonClientGone, retry.Canceled
		x.fn.balancer.Observe(a.Instance, balancer.Result{Failure: balancer.Canceled, Latency: a.Took}, now)
		x.release(now)
	}
	x.rec.Reason = ReasonClientGone
	if !x.relayed {
		x.rec.Status = uint16(ReasonClientGone.Status())
	}
	x.stage = stageOver
}

// End closes the books: the breaker hears of the exchange, its place is free,
// its record is kept. The exchange may be used again afterwards.
func (x *Exchange) End(now time.Time) {
	if x.ended {
		return
	}
	if x.stage != stageOver {
		x.Abort(now)
	}
	x.ended = true
	x.rec.Took = now.Sub(x.rec.Start)
	if x.fn != nil {
		x.settle(int(x.rec.Status), now)
		x.leave()
		x.count()
	}
	x.machine.ring.keep(&x.rec)
	if x.machine.observe != nil {
		x.machine.observe(&x.rec)
	}
}

func (x *Exchange) count() {
	s := &x.fn.stats
	class := int(x.rec.Status) / 100
	if x.rec.Reason == ReasonClientGone || class > 5 {
		class = 0
	}
	s.Exchanges[class].Add(1)
	s.Reasons[x.rec.Reason].Add(1)
	s.Bytes.Add(uint64(max(x.rec.Bytes, 0)))
	if !x.long && class != 0 {
		s.Latency.Add(x.rec.Head)
	}
}
