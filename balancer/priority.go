package balancer

// level is one step of preference: a priority, and within it a locality.
type level struct {
	group     *group
	total     int     // instances that should be available
	available int     // those that are
	failed    int     // those panic could use besides
	load      float64 // share of the picks, 0 to 1
	panicking bool
	pool      *pool // who is picked from
	last      *pool // panic only: unchecked instances, when the pool has nobody left
}

// counts: instances on purpose out of rotation, or not ready for the first
// time, are not missed; otherwise a scale-up would look like an outage.
func (l *lattice) counts() bool {
	switch l.tier() {
	case tierUsable, tierPanic:
		return true
	case tierNever:
		return l.life == Gone && !l.draining
	case tierStarting, tierUnknown:
	}
	return false
}

func (b *Balancer) levelOf(g *group) level {
	l := level{group: g}
	for _, i := range g.members {
		l.total += int(share(i.lattice.counts()))
		l.available += int(share(i.tier() == tierUsable))
		l.failed += int(share(i.tier() == tierPanic))
	}
	return l
}

// healthy is the available share of a level.
func (l *level) healthy() float64 {
	if l.total == 0 {
		return 0
	}
	return float64(l.available) / float64(l.total)
}

// shareOut gives each level its load by Envoy's formula, as real numbers where
// Envoy rounds to whole percents, and decides on panic.
func (v *view) shareOut() {
	sum := 0.0
	for k := range v.levels {
		l := &v.levels[k]
		l.load = min(1, v.cfg.OverprovisioningFactor*l.healthy())
		sum += l.load
	}
	if sum == 0 {
		v.panicAll()
		return
	}
	left, norm := 1.0, min(1, sum)
	for k := range v.levels {
		l := &v.levels[k]
		l.load = min(left, l.load/norm)
		left -= l.load
		l.panicking = sum < 1 && l.failed > 0 && l.healthy() < v.cfg.PanicThreshold
		v.panicking = v.panicking || l.panicking
	}
}

// panicAll: nobody is available, so whoever has failed is tried, best level
// first. Where nobody has failed there is nothing to ignore: one waits.
func (v *view) panicAll() {
	for k := range v.levels {
		l := &v.levels[k]
		l.panicking = l.failed > 0
		if l.panicking && !v.panicking {
			l.load = 1
			v.panicking = true
		}
	}
}

// choose draws a level by load; u is in [0, 1). -1 when there is none.
func (v *view) choose(u float64) int {
	last := -1
	for k := range v.levels {
		l := &v.levels[k]
		if l.load > 0 {
			last = k
		}
		if u -= l.load; u < 0 {
			return k
		}
	}
	return last // rounding left a crumb
}
