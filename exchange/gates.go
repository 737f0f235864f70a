package exchange

import (
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
)

// lookAgain is how often a waiting exchange looks without being woken: an
// ejection that ends or a lost probe make no noise.
const lookAgain = 250 * time.Millisecond

// admit takes a place in the function, or one in its queue.
func (x *Exchange) admit(now time.Time) (step Step, through bool) {
	v := x.rec.at()
	v.Place, v.Verdict = x.fn.admission.enter(x, now)
	switch v.Verdict {
	case Entered:
		x.inside, x.stage = true, stageBreaker
		return Step{}, true
	case Queued:
		x.lined, x.stage = true, stageQueue
		x.since, x.until = now, earlier(now.Add(x.rules.QueueTimeout), x.deadline)
		return Step{}, true
	case Refused:
	}
	return x.fail(ReasonQueueFull, now), false
}

// queue goes on once a place was handed over; nobody else can take it.
func (x *Exchange) queue(now time.Time) (step Step, through bool) {
	over := !now.Before(x.until)
	switch {
	case x.fn.admission.claim(x):
		x.inside = true
	case over:
		x.unline(now) // which finds a place that came just now
	}
	waited := now.Sub(x.since)
	switch {
	case x.inside:
		x.lined, x.stage = false, stageBreaker
		x.noteQueued(waited)
		return Step{}, true
	case over:
		x.noteQueued(waited)
		return x.fail(ReasonQueueTimeout, now), false
	}
	return x.wait(ReasonQueued, x.until), false
}

func (x *Exchange) noteQueued(d time.Duration) {
	x.rec.at().Queued = d
	x.rec.Queued += d
}

// askBreaker takes a permit. While the probes of a half-open breaker are under
// way the others wait: the fate of the probes is known in a moment.
func (x *Exchange) askBreaker(now time.Time) (step Step, through bool) {
	br := x.rules.breaker
	if br == nil {
		x.stage, x.asked = stagePick, now
		return Step{}, true
	}
	armed := x.arm()
	allowed := x.allow(br, now)
	if !allowed && !armed && x.worthProbing(br, now) && x.lineUp(&x.fn.admission.probes, now) {
		allowed = x.allow(br, now) // a probe may have ended between the look and the line
	}
	if allowed {
		x.unline(now)
		x.stage, x.asked = stagePick, now
		return Step{}, true
	}
	if x.lined && x.worthProbing(br, now) {
		return x.waitInLine(ReasonHalfOpen, now), false
	}
	return x.fail(ReasonBreakerOpen, now), false
}

// worthProbing: the breaker is half-open, or was until just now.
func (x *Exchange) worthProbing(br *breaker.Breaker, now time.Time) bool {
	return br.State() != breaker.Open && x.mayHold(now)
}

func (x *Exchange) allow(br *breaker.Breaker, now time.Time) bool {
	x.permit, x.permitted = br.Allow(now)
	v := x.rec.at()
	v.BreakerAsked, v.BreakerAllowed = true, x.permitted
	return x.permitted
}

// backoff waits until the next try is due.
func (x *Exchange) backoff(now time.Time) (step Step, through bool) {
	if now.Before(x.until) {
		return x.wait(ReasonBackoff, x.until), false
	}
	x.stage = stagePick
	return Step{}, true
}

// pick chooses an instance; when none takes traffic yet but one is on its way,
// or all are full, the exchange waits.
func (x *Exchange) pick(now time.Time) Step {
	if x.chosen {
		return x.send(now)
	}
	if x.rec.N == maxAttempts {
		return x.fail(ReasonNoInstance, now)
	}
	armed := x.arm()
	nobody := x.choose(now)
	if nobody != balancer.Somebody && nobody != balancer.AllFull && x.rules.ColdStart > 0 {
		x.holdForStart(now)
	}
	if nobody != balancer.Somebody && !armed && x.worthWaiting(nobody, now) && x.lineUp(&x.fn.admission.instances, now) {
		nobody = x.choose(now) // one may have come between the look and the line
	}
	switch {
	case nobody == balancer.Somebody:
		x.unline(now)
		return x.send(now)
	case x.lined && x.worthWaiting(nobody, now):
		x.wake(now)
		return x.waitInLine(whyNobody(nobody), now)
	}
	return x.fail(whyNobody(nobody), now)
}

// choose asks the balancer for the next attempt's instance. One that was tried
// is asked again only when nobody else is there to be asked.
func (x *Exchange) choose(now time.Time) balancer.Nobody {
	tried := x.tried[x.rec.at().First:x.rec.N]
	if x.ask(tried, now) || len(tried) > 0 && x.ask(nil, now) {
		return balancer.Somebody
	}
	return x.rec.Attempts[x.rec.N].Pick.None
}

func (x *Exchange) ask(tried []*balancer.Instance, now time.Time) bool {
	n := x.rec.N
	p := &x.rec.Attempts[n].Pick
	x.rec.used = n + 1
	p.Key, p.Draw, p.Tried, p.Prefer = x.rec.Key, x.draw(uint64(2*n)), tried, nil
	if n == x.rec.at().First {
		p.Prefer = x.prefer // affinity yields to a retry
	}
	found := x.fn.balancer.Pick(p, now)
	p.Tried = nil // a record holds no memory of the exchange
	return found
}

func whyNobody(n balancer.Nobody) Reason {
	switch n {
	case balancer.NoneReady, balancer.NoneConfigured:
		return ReasonStarting
	case balancer.AllFull:
		return ReasonInstancesFull
	case balancer.NoneLeft, balancer.Somebody:
	}
	return ReasonNoInstance
}

// worthWaiting: somebody is on the way, or will have room. What has failed comes
// back only where a platform looks after it.
func (x *Exchange) worthWaiting(n balancer.Nobody, now time.Time) bool {
	return (n != balancer.NoneLeft || x.rules.Managed) && x.mayHold(now)
}

// mayHold says whether the exchange may wait on for a probe or an instance. The
// time it has begins with the first wait before an attempt.
func (x *Exchange) mayHold(now time.Time) bool {
	if x.hold.IsZero() {
		x.hold = now.Add(x.rules.WaitForInstance)
	}
	return now.Before(x.hold)
}

// arm readies an exchange that is in a line for the next wake-up: what changes
// after its look must wake it. False: it is in none.
func (x *Exchange) arm() bool {
	if x.lined {
		x.fn.admission.arm(x)
	}
	return x.lined
}

// lineUp joins a line; false: it is full.
func (x *Exchange) lineUp(l *line, now time.Time) bool {
	x.lined = x.fn.admission.await(x, l, now)
	return x.lined
}

// unline leaves whatever line the exchange is in.
func (x *Exchange) unline(now time.Time) {
	if x.lined {
		x.lined = false
		x.inside = x.fn.admission.quit(x, now) || x.inside
	}
}

func (x *Exchange) waitInLine(r Reason, now time.Time) Step {
	x.rec.at().Waited = r
	return x.wait(r, earlier(now.Add(lookAgain), earlier(x.hold, x.deadline)))
}

// send starts an attempt on the chosen instance.
func (x *Exchange) send(now time.Time) Step {
	n := x.rec.N
	a := &x.rec.Attempts[n]
	a.Instance, a.Start = a.Pick.Instance, now.Sub(x.rec.Start)
	x.started(now)
	x.tried[n] = a.Instance
	x.rec.N++
	x.stage, x.since, x.chosen, x.hold = stageRunning, now, false, time.Time{}
	x.until = earlier(now.Add(x.rules.Timeouts.Attempt), x.deadline)
	x.fn.balancer.Begin(a.Instance, now)
	x.fn.stats.Attempts.Add(1)
	if n > x.rec.at().First {
		x.fn.stats.Retries.Add(1)
	}
	return Step{
		Do: Attempt, Function: x.fn, Attempt: int(n), Instance: a.Instance,
		Connect: x.rules.Timeouts.Connect, Until: x.until,
	}
}
