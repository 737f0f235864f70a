package exchange

import (
	"time"

	"holdfast/balancer"
	"holdfast/retry"
)

// Head reports the head of an attempt's answer. Relay makes it the client's;
// any other step means that the answer is thrown away (the engine closes it)
// and the attempt is over. This is the only place where an answer becomes the
// client's. 1xx heads are not reported, except 101.
func (x *Exchange) Head(attempt int, h Head, now time.Time) Step {
	if x.stage != stageRunning || attempt != x.last() {
		return Step{Do: Finished, Function: x.fn}
	}
	a := &x.rec.Attempts[attempt]
	a.Status, a.Head, a.Long, a.Sent = uint16(h.Status), now.Sub(x.since), h.Long, true
	if failedStatus(h.Status) {
		a.Kind, a.Reason = retry.Status, ReasonBadStatus
	}
	x.observe(a, balancer.Result{Latency: a.Head, Long: h.Long, RetryAfter: h.RetryAfter}, now)
	if h.Status < 400 || !x.retries(a, retry.Inputs{
		Kind: retry.Status, Status: h.Status, RetryAfter: h.RetryAfter, Sent: true, Replayable: h.Replayable,
	}, now) {
		return x.relay(a, now)
	}
	a.Kind, a.Reason = retry.Status, ReasonBadStatus
	x.endAttempt(a, now)
	x.goOn(a, now)
	return x.advance(now)
}

func (x *Exchange) relay(a *AttemptRecord, now time.Time) Step {
	x.stage, x.relayed = stageRelaying, true
	x.rec.Status, x.rec.Head, x.rec.Long = a.Status, now.Sub(x.rec.Start), a.Long
	if a.Long { // its end says nothing more about the function's health
		x.settle(now)
	}
	step := Step{Do: Relay, Function: x.fn, Attempt: x.last(), Instance: a.Instance}
	if a.Kind == retry.OK { // nobody is pinned to a failure
		step.SetCookie = x.keepSession(a.Instance, now)
	}
	return step
}

// Done reports the end of an attempt: without a head, or after the body of a
// relayed answer. Without a head the step says how to go on.
func (x *Exchange) Done(attempt int, o Outcome, now time.Time) Step {
	if x.stage < stageRunning || attempt != x.last() {
		return Step{Do: Finished, Function: x.fn}
	}
	a := &x.rec.Attempts[attempt]
	if x.stage == stageRelaying {
		return x.bodyDone(a, o, now)
	}
	if o.Kind == retry.OK || o.Kind == retry.Status {
		o.Kind = retry.Reset // there was no head
	}
	a.Kind, a.Sent, a.Reason = o.Kind, o.Sent, reasonOf(o.Kind)
	x.observe(a, balancer.Result{Latency: now.Sub(x.since)}, now)
	again := x.retries(a, retry.Inputs{Kind: o.Kind, Sent: o.Sent, Replayable: o.Replayable}, now)
	if late := !now.Before(x.deadline); late && (o.Kind == retry.Timeout || o.Kind == retry.Unreachable) {
		a.Reason = ReasonExchangeTimeout
	}
	x.endAttempt(a, now)
	switch {
	case again:
		x.goOn(a, now)
		return x.advance(now)
	case o.Kind == retry.Canceled:
		x.giveUp()
		return Step{Do: Finished, Function: x.fn}
	}
	return x.fail(a.Reason, now)
}

func (x *Exchange) bodyDone(a *AttemptRecord, o Outcome, now time.Time) Step {
	x.rec.Bytes = o.Bytes
	switch o.Kind {
	case retry.Reset, retry.Timeout:
		a.Kind, a.Reason, x.rec.Reason = o.Kind, ReasonTruncated, ReasonTruncated
		if !a.Long { // streams end by breaking off more often than not
			x.observe(a, balancer.Result{Long: true}, now)
		}
	case retry.Canceled:
		a.Reason, x.rec.Reason = ReasonClientGone, ReasonClientGone
	case retry.OK, retry.Status, retry.Unreachable:
	}
	x.endAttempt(a, now)
	x.stage = stageOver
	return Step{Do: Finished, Function: x.fn}
}

// last is the number of the attempt made last.
func (x *Exchange) last() int { return int(x.rec.N) - 1 }

// observe tells the balancer how an attempt went.
func (x *Exchange) observe(a *AttemptRecord, r balancer.Result, now time.Time) {
	r.Failure = failureOf(a.Kind)
	x.fn.balancer.Observe(a.Instance, r, now)
}

// retries decides whether the attempt that just ended is followed by another,
// and notes the decision with its inputs. The other instance is chosen before
// the rule is asked, so that the rule knows whether there is one.
func (x *Exchange) retries(a *AttemptRecord, in retry.Inputs, now time.Time) bool {
	policy := &x.rules.Retry
	in.Try = x.last() - int(x.rec.at().First)
	if !x.room() {
		in.Try = retry.MaxAttempts
	}
	in.Idempotent, in.Left = x.idempotent, x.deadline.Sub(now)
	in.Draw = x.draw(uint64(2*x.last() + 1))
	in.OtherHost = true
	in.OtherHost = policy.NeedsBudget(in) && x.ask(x.tried[x.rec.at().First:x.rec.N], now)
	in.Budget = policy.NeedsBudget(in) && x.rules.budget.Withdraw(now)
	a.Retry, a.Decision, a.policy = in, policy.Decide(in), policy
	x.chosen = a.Decision.Retry && in.OtherHost
	return a.Decision.Retry
}

// room says whether there is space for a retry: the last space is kept for the
// first attempt of a fallback function.
func (x *Exchange) room() bool {
	left := maxAttempts - int(x.rec.N)
	if fb := x.rules.Fallback; fb != nil && fb.Function != nil {
		left--
	}
	return left > 0
}

// goOn takes the exchange to where its decided retry begins.
func (x *Exchange) goOn(a *AttemptRecord, now time.Time) {
	x.stage = stagePick
	if a.Decision.After > 0 {
		x.stage, x.until = stageBackoff, now.Add(a.Decision.After)
	}
}

// endAttempt gives the instance free.
func (x *Exchange) endAttempt(a *AttemptRecord, now time.Time) {
	a.Took = now.Sub(x.since)
	x.fn.balancer.Release(a.Instance, now)
	x.fn.admission.freed(&x.fn.admission.instances) // it may have been full
}
