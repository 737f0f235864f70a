package schedule

import (
	"math"
	"time"
)

// Above is the first moment, from t on, at which the rate is more than level. ok is false when it never is. The moment of a
// rate that rises through level is right behind it, by a nanosecond.
func (c Curve) Above(level float64, t time.Duration) (at time.Duration, ok bool) {
	now := t.Seconds()
	for i := range c.segments {
		g := &c.segments[i]
		if now >= g.end {
			continue
		}
		from := max(now-g.begin, 0)
		if u, found := g.above(level, from); found && u < g.end-g.begin {
			return max(t, seconds(g.begin+u)+time.Duration(min(1, math.Ceil(u-from)))), true
		}
	}
	return 0, false
}

// above is the first u, from that many seconds after the segment's begin on, behind which the rate is more than level.
func (g *segment) above(level, from float64) (u float64, ok bool) {
	if g.rate(from) > level {
		return from, true
	}
	if g.omega == 0 {
		if g.to <= level {
			return 0, false
		}
		return max(from, (level-g.from)/(g.to-g.from)*(g.end-g.begin)), true
	}
	if g.amplitude == 0 || g.from+g.amplitude <= level {
		return 0, false
	}
	// The wave rises through level at the same phase of each period.
	phase := math.Asin(max((level-g.from)/g.amplitude, -1)) / g.omega
	period := 2 * math.Pi / g.omega
	return phase + period*math.Max(0, math.Ceil((from-phase)/period)), true
}
