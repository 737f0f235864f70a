package exchange

import (
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
)

// admit takes a place in the function, or one in its queue.
func (x *Exchange) admit(now time.Time) (Step, bool) {
	at, v := x.fn.admission.enter(x, x.policy)
	x.rec.Place, x.rec.Verdict = at, v
	switch v {
	case enter:
		x.inside, x.stage = true, stageBreaker
		return Step{}, false
	case queue:
		x.stage = stageQueue
		x.waitUntil = earlier(now.Add(x.policy.QueueTimeout), x.deadline)
		return x.wait(ReasonQueued), true
	default:
		return x.fail(ReasonQueueFull, now), true
	}
}

// queueing goes on once a place was granted; nobody else can take it.
func (x *Exchange) queueing(now time.Time) (Step, bool) {
	if !x.granted.Load() {
		if now.Before(x.waitUntil) {
			return x.wait(ReasonQueued), true
		}
		x.fn.admission.forget(x)
	}
	if x.granted.Swap(false) { // also when it came while we gave up
		x.rec.Queued = now.Sub(x.rec.Start)
		x.inside, x.stage = true, stageBreaker
		return Step{}, false
	}
	return x.fail(ReasonQueueTimeout, now), true
}

// askBreaker takes a permit. While the probes of a half-open breaker are under
// way the others wait: their fate is known in a moment.
func (x *Exchange) askBreaker(now time.Time) (Step, bool) {
	x.unwait()
	if x.breaker == nil || x.allow(now) {
		x.stage = stagePick
		return Step{}, false
	}
	if x.breaker.State() != breaker.HalfOpen || !now.Before(x.holdUntil) {
		return x.fail(ReasonBreakerOpen, now), true
	}
	if !x.await() {
		return x.fail(ReasonBreakerOpen, now), true
	}
	if x.allow(now) { // the probe ended between the two looks
		x.unwait()
		x.stage = stagePick
		return Step{}, false
	}
	x.waitUntil = earlier(x.holdUntil, x.deadline)
	return x.wait(ReasonHalfOpen), true
}

func (x *Exchange) allow(now time.Time) bool {
	var ok bool
	x.permit, ok = x.breaker.Allow(now)
	x.permitted = ok
	x.rec.BreakerAsked, x.rec.BreakerAllowed = true, ok
	return ok
}

// backoff waits until the next try is due.
func (x *Exchange) backoff(now time.Time) (Step, bool) {
	if now.Before(x.waitUntil) {
		return x.wait(ReasonBackoff), true
	}
	x.stage = stagePick
	return Step{}, false
}

// pick chooses an instance; when none takes traffic yet but one is on its way,
// the exchange waits for it.
func (x *Exchange) pick(now time.Time) Step {
	x.unwait()
	if int(x.rec.N) >= maxAttempts {
		return x.fail(ReasonNoInstance, now)
	}
	p := x.pickInto(now)
	if p.Instance != nil {
		return x.send(p, now)
	}
	reason := x.whyNobody(p)
	if !x.worthWaiting(reason) || !now.Before(x.holdUntil) || !x.await() {
		return x.fail(reason, now)
	}
	if p = x.pickInto(now); p.Instance != nil { // it came between the two looks
		x.unwait()
		return x.send(p, now)
	}
	x.waitUntil = earlier(x.holdUntil, x.deadline)
	return x.wait(reason)
}

// pickInto asks the balancer. An instance is asked twice only when no other is
// there to be asked.
func (x *Exchange) pickInto(now time.Time) *balancer.Pick {
	n := int(x.rec.N)
	p := &x.rec.Attempts[n].Pick
	*p = balancer.Pick{Key: x.rec.Key, Draw: x.draw(uint64(2 * n)), Tried: x.tried[:n], Prefer: x.prefer}
	if n > 0 {
		p.Prefer = nil // affinity yields to a retry
	}
	if !x.fn.balancer.Pick(p, now) && n > 0 {
		again := balancer.Pick{Key: x.rec.Key, Draw: p.Draw}
		x.fn.balancer.Pick(&again, now)
		*p = again
	}
	return p
}

func (x *Exchange) whyNobody(p *balancer.Pick) Reason {
	switch p.None {
	case balancer.NoneReady, balancer.NoneConfigured:
		return ReasonStarting
	case balancer.AllFull:
		return ReasonInstancesFull
	default:
		return ReasonNoInstance
	}
}

func (x *Exchange) worthWaiting(r Reason) bool {
	return r == ReasonStarting || r == ReasonInstancesFull || x.policy.Managed
}

// send starts an attempt on the picked instance.
func (x *Exchange) send(p *balancer.Pick, now time.Time) Step {
	n := int(x.rec.N)
	a := &x.rec.Attempts[n]
	a.Start = now.Sub(x.rec.Start)
	a.Instance = p.Instance
	x.tried[n] = p.Instance
	x.rec.N++
	x.attempt, x.running, x.stage = now, true, stageRunning
	x.fn.balancer.Begin(p.Instance, now)
	x.fn.stats.Attempts.Add(1)
	if n > 0 {
		x.fn.stats.Retries.Add(1)
	}
	x.waitUntil = earlier(now.Add(x.policy.Timeouts.Attempt), x.deadline)
	return Step{
		Do: Attempt, Function: x.fn, Attempt: n, Instance: p.Instance,
		Connect: x.policy.Timeouts.Connect, Until: x.waitUntil,
	}
}

func (x *Exchange) wait(r Reason) Step {
	x.rec.Waited = r
	return Step{Do: Wait, Reason: r, Function: x.fn, Until: x.waitUntil}
}

// await joins those who wait for a change; false: too many do.
func (x *Exchange) await() bool {
	x.awaits = x.fn.admission.await(x)
	return x.awaits
}

// unwait leaves whatever queue the exchange is in.
func (x *Exchange) unwait() {
	if x.awaits {
		x.fn.admission.forget(x)
		x.awaits = false
	}
}

// draw derives independent random bits from the request's.
func (x *Exchange) draw(n uint64) uint64 { return mix(x.rec.Draw + (n+1)*0x9e3779b97f4a7c15) }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
