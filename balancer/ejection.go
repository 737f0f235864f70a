package balancer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// latencyFloor keeps fast services, where 3x the median is nothing, whole.
	latencyFloor = 50 * time.Millisecond
	// probationAttempts after a return may not contain one failure.
	probationAttempts = 5
	// minRefusalGap bounds how often a refusal is reported.
	minRefusalGap = time.Second
)

// charge is the rule an instance broke.
type charge uint8

const (
	chargeNone charge = iota
	chargeConsecutive
	chargeRate
	chargeLatency
	chargeProbation
)

// evidence is all a judgement looks at.
type evidence struct {
	failure     Failure
	consecutive int
	probation   bool
	total       int // results in the window
	failed      int
	slow        int
	mean        float64 // ns
	slowLimit   float64 // ns; 0: no comparison possible
}

// judge says which rule, if any, the latest result broke. It is pure.
func (e *Ejection) judge(v evidence) charge {
	failed := v.failure != None
	switch {
	case e.Disabled:
		return chargeNone
	case failed && v.probation:
		return chargeProbation
	case failed && e.ConsecutiveFailures > 0 && v.consecutive >= e.ConsecutiveFailures:
		return chargeConsecutive
	case v.total < e.MinRequests:
		return chargeNone
	case failed && e.FailureRatePercent > 0 &&
		100*float64(v.failed) >= e.FailureRatePercent*float64(v.total):
		return chargeRate
	case !failed && v.slowLimit > 0 && v.mean > v.slowLimit && 2*v.slow >= v.total:
		return chargeLatency
	}
	return chargeNone
}

// slowLimit is the latency above which an instance is slow, given the median of
// the others; 0 when latency ejects nobody.
func (e *Ejection) slowLimit(median float64) float64 {
	if e.LatencyFactor < 0 || median <= 0 {
		return 0
	}
	return max(median*e.LatencyFactor, median+float64(latencyFloor))
}

// sentence is the reason people read.
func (c charge) sentence(v evidence) string {
	switch c {
	case chargeConsecutive:
		return fmt.Sprintf("%d failures in a row, the last: %s", v.consecutive, v.failure)
	case chargeRate:
		return fmt.Sprintf("%d of %d attempts failed, the last: %s", v.failed, v.total, v.failure)
	case chargeLatency:
		return fmt.Sprintf("%s on average, the limit by the others is %s",
			short(v.mean), short(v.slowLimit))
	case chargeProbation:
		return fmt.Sprintf("failed on probation: %s", v.failure)
	case chargeNone:
	}
	return ""
}

func short(ns float64) time.Duration { return time.Duration(ns).Round(100 * time.Microsecond) }

// eject takes i out of rotation, unless too many are out already.
func (b *Balancer) eject(i *Instance, c charge, v evidence, now time.Time) {
	b.mu.Lock()
	defer b.unlock()
	t := b.tick(now)
	// What is not in rotation has its reason already, and cannot be missed.
	if i.tier() != tierUsable || b.cfg.Ejection.Disabled || !slices.Contains(b.all, i) {
		return
	}
	reason := c.sentence(v)
	why := b.cap()
	if why != "" && c != chargeLatency && b.makeRoom(t) {
		why = b.cap()
	}
	if why != "" {
		b.refuse(i, reason+"; kept, since "+why, t)
		return
	}
	l := &i.lattice
	l.count(b.cfg.Ejection.BaseTime, t)
	l.ejections++
	l.ejected, l.cause, l.byLatency = true, v.failure, c == chargeLatency
	l.ejectedUntil = t + int64(b.sentenceTime(l.ejections))
	l.reasons[fromEjection-1] = reason
	b.emit(Event{
		At: b.when(t), Kind: Ejected, Instance: i,
		From: i.Status(), To: Failed, Source: fromEjection.String(), Reason: reason,
	})
	b.settle(i, fromEjection, reason, t)
	b.rebuild(t)
}

// makeRoom readmits an instance that was ejected for being slow only, so that
// one that fails can take its place: a late answer is better than none.
// Requires b.mu.
func (b *Balancer) makeRoom(t int64) bool {
	for _, i := range b.all {
		if i.lattice.ejected && i.lattice.byLatency && i.lattice.counts() {
			b.readmit(i, "it is only slow, and makes room for one that fails", t)
			b.settle(i, fromEjection, "back early, on probation: another one fails", t)
			b.rebuild(t)
			return true
		}
	}
	return false
}

// sentenceTime grows with the number of recent ejections.
func (b *Balancer) sentenceTime(nth int) time.Duration {
	e := b.cfg.Ejection
	d := e.MaxTime
	if nth < int(e.MaxTime/e.BaseTime)+1 {
		d = min(e.BaseTime*time.Duration(nth), e.MaxTime)
	}
	return d + time.Duration(float64(d)*e.JitterPercent/100*rand.Float64())
}

// count forgets one ejection for every base time spent in rotation.
func (l *lattice) count(base time.Duration, t int64) {
	if l.ejections == 0 || l.ejected {
		return
	}
	served := max((t-l.returnedAt)/int64(base), 0)
	l.ejections -= int(min(served, int64(l.ejections)))
	l.returnedAt += served * int64(base)
}

// cap says why nobody more may be ejected; "" if one may. Requires b.mu.
func (b *Balancer) cap() string {
	e := b.cfg.Ejection
	total, available, out := 0, 0, 0
	for _, i := range b.all {
		if !i.lattice.counts() {
			continue
		}
		total++
		available += int(share(i.tier() == tierUsable))
		out += int(share(i.lattice.ejected))
	}
	most := max(1, int(e.MaxPercent*float64(total)/100))
	switch {
	case out+1 > most:
		return fmt.Sprintf("%d of %d instances are ejected and at most %d may be", out, total, most)
	case 100*float64(available-1) < e.MinHealthyPercent*float64(total):
		return fmt.Sprintf("%g %% of %d instances must stay available", e.MinHealthyPercent, total)
	}
	return ""
}

// refuse makes an ejection that did not happen visible, once in a while.
func (b *Balancer) refuse(i *Instance, reason string, t int64) {
	l := &i.lattice
	gap := max(int64(b.cfg.Ejection.BaseTime), int64(minRefusalGap))
	if l.refusals > 0 && t-l.refusedAt < gap {
		return
	}
	l.refusals++
	l.refusedAt = t
	b.emit(Event{
		At: b.when(t), Kind: EjectionRefused, Instance: i,
		From: i.Status(), To: i.Status(), Source: fromEjection.String(), Reason: reason,
	})
}

// readmit ends an ejection; the instance is on probation. It does not settle.
// Requires b.mu.
func (b *Balancer) readmit(i *Instance, reason string, t int64) {
	l := &i.lattice
	l.ejected, l.ejectedUntil, l.returnedAt = false, 0, t
	l.reasons[fromEjection-1] = ""
	i.results.mu.Lock()
	i.results.probation = probationAttempts
	i.results.mu.Unlock()
	to, _ := l.derive()
	b.emit(Event{
		At: b.when(t), Kind: Returned, Instance: i,
		From: i.Status(), To: to, Source: fromEjection.String(), Reason: reason,
	})
}

// pardonable: a check speaks against having been unreachable, and against
// nothing else.
func (l *lattice) pardonable() bool {
	return !l.byLatency && (l.cause == Unreachable || l.cause == Timeout || l.cause == Reset)
}

// endEjections readmits those whose time is over. Requires b.mu.
func (b *Balancer) endEjections(t int64) {
	for _, i := range b.all {
		if i.lattice.ejected && t >= i.lattice.ejectedUntil {
			b.readmit(i, "its time is over", t)
			b.settle(i, fromEjection, "ejection is over, on probation", t)
		}
	}
}

// pardonAll readmits everybody, without probation. Requires b.mu.
func (b *Balancer) pardonAll() {
	for _, i := range b.all {
		if i.lattice.ejected {
			b.readmit(i, "ejection was turned off", b.last)
			b.settle(i, fromEjection, "ejection was turned off", b.last)
		}
	}
}
