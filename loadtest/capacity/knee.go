package capacity

import "slices"

// XY is a point of a curve.
type XY struct{ X, Y float64 }

// Knee returns where a rising curve bends most: downwards (concave, as goodput
// over offered load does) or upwards (as latency does). false: it does not bend,
// or has fewer than five points. It is the Kneedle rule (Satopää and others,
// 2011) without smoothing: both axes scaled to 1, the point farthest from the
// diagonal, if that is more than a tenth away. Being relative to the axes it is
// a heuristic, and reports call it one.
func Knee(points []XY, upwards bool) (x float64, ok bool) {
	if len(points) < 5 {
		return 0, false
	}
	list := slices.Clone(points)
	slices.SortFunc(list, func(a, b XY) int {
		if a.X < b.X {
			return -1
		}
		return 1
	})
	low, high := list[0], list[len(list)-1]
	for _, p := range list {
		low.Y, high.Y = min(low.Y, p.Y), max(high.Y, p.Y)
	}
	if high.X == low.X || high.Y == low.Y {
		return 0, false
	}
	far := 0.1
	for _, p := range list {
		d := (p.Y-low.Y)/(high.Y-low.Y) - (p.X-low.X)/(high.X-low.X)
		if upwards {
			d = -d
		}
		if d > far {
			far, x, ok = d, p.X, true
		}
	}
	return x, ok
}
