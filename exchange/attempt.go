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
	x.noteUpload(a, h.Upload, now)
	if failedStatus(h.Status) {
		a.Kind, a.Reason = retry.Status, ReasonBadStatus
	}
	if !a.pending() {
		x.observe(a, balancer.Result{Latency: a.Head - a.Upload, Long: h.Long, RetryAfter: h.RetryAfter}, now)
	}
	if h.Status < 400 || !x.retries(a, retry.Inputs{
		Kind: retry.Status, Status: h.Status, RetryAfter: h.RetryAfter, Sent: true, Replayable: h.Replayable,
	}, now) {
		return x.relay(a, now)
	}
	if a.pending() { // a status that is tried again, and yet no failure: 429
		x.observe(a, balancer.Result{Latency: a.Head - a.Upload}, now)
	}
	a.Kind, a.Reason = retry.Status, ReasonBadStatus
	x.endAttempt(a, now)
	x.goOn(a, now)
	return x.advance(now)
}

// noteUpload notes how long an attempt waited for the client, which is not the
// function's time: its deadline moves.
func (x *Exchange) noteUpload(a *AttemptRecord, d time.Duration, now time.Time) {
	a.Upload = min(max(d, 0), now.Sub(x.since))
	x.deadline = x.deadline.Add(a.Upload)
}

// pending says whether only the end of its body will show what became of an
// attempt whose head came: the balancer hears of each attempt once, when that
// is known. The end of a long answer says nothing, and a failure stays one.
func (a *AttemptRecord) pending() bool { return a.Kind == retry.OK && !a.Long }

func (x *Exchange) relay(a *AttemptRecord, now time.Time) Step {
	x.stage, x.relayed = stageRelaying, true
	x.rec.Status, x.rec.Head, x.rec.Long = a.Status, now.Sub(x.rec.Start), a.Long
	if a.Long { // its end says nothing more about the function's health
		x.settle(now)
	}
	step := Step{Do: Relay, Function: x.fn, Attempt: x.last(), Instance: a.Instance, Cold: x.rec.at().Cold}
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
	x.noteUpload(a, o.Upload, now)
	x.observe(a, balancer.Result{Latency: now.Sub(x.since) - a.Upload}, now)
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
		x.giveUp(ReasonClientGone)
		return Step{Do: Finished, Function: x.fn}
	}
	return x.fail(a.Reason, now)
}

func (x *Exchange) bodyDone(a *AttemptRecord, o Outcome, now time.Time) Step {
	x.rec.Bytes = o.Bytes
	pending := a.pending() && o.Kind != retry.Canceled
	switch o.Kind {
	case retry.Reset, retry.Timeout:
		a.Kind, a.Reason, x.rec.Reason = o.Kind, ReasonTruncated, ReasonTruncated
	case retry.Canceled:
		a.Reason, x.rec.Reason = ReasonClientGone, ReasonClientGone
	case retry.OK, retry.Status, retry.Unreachable:
	}
	if pending {
		x.observe(a, balancer.Result{Latency: a.Head - a.Upload}, now)
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
	if a.Reason == ReasonTruncated {
		r.Failure = balancer.Truncated
	}
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
