package balancer

import (
	"math"
	"time"
)

// rampSteps is how many times a ramp's weight is brought up to date.
const rampSteps = 20

// startRamp begins slow start where it helps: for an instance that joins others
// already serving, or comes back from failure.
func (l *lattice) startRamp(window time.Duration, t int64) {
	l.ramping = window > 0 && (l.newcomer || l.wasFailed)
	l.rampFrom = t
	l.newcomer = false
	l.everUsable = true
}

// at is the part of its weight an instance has at this age (Envoy's formula).
func (s SlowStart) at(age time.Duration) float64 {
	if age >= s.Window {
		return 1
	}
	ramp := math.Pow(max(age.Seconds(), 0)/s.Window.Seconds(), 1/s.Aggression)
	return min(max(ramp, s.MinWeightPercent/100), 1)
}

// rampOf is the factor of the instance's weight now.
func (l *lattice) rampOf(s SlowStart, t int64) float64 {
	if !l.ramping {
		return 1
	}
	return s.at(time.Duration(t - l.rampFrom))
}

// endRamps makes those active whose time is over. Requires b.mu.
func (b *Balancer) endRamps(t int64) {
	window := int64(b.cfg.SlowStart.Window)
	for _, i := range b.all {
		if i.lattice.ramping && t-i.lattice.rampFrom >= window {
			i.lattice.ramping = false
			b.settle(i, fromSlowStart, "slow start is over", t)
		}
	}
}

// rampDue is the next tick a ramp changes. Steps are counted from the start of
// the ramp, so that they do not drift with the calls that notice them.
func (b *Balancer) rampDue(l *lattice, t int64) int64 {
	step := max(int64(b.cfg.SlowStart.Window)/rampSteps, int64(10*time.Millisecond))
	done := max(t-l.rampFrom, 0) / step
	return min(l.rampFrom+(done+1)*step, l.rampFrom+int64(b.cfg.SlowStart.Window))
}
