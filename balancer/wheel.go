package balancer

import "math/bits"

// wheel is a smooth weighted round robin without state but a cursor. The
// weights lie end to end on a circle of sum(weights) places; each turn steps on
// by the golden ratio of the circle, made coprime to its size. So a full circle
// visits each place once, which makes shares exact, and an instance's places
// are spread evenly over the circle.
type wheel struct {
	ends   []uint64 // where the places of each member end
	guide  []uint32 // member at each nth of the circle: where the search starts
	places uint64
	stride uint64
}

func newWheel(weights []uint64) *wheel {
	w := &wheel{ends: make([]uint64, len(weights))}
	divisor := uint64(0)
	for _, k := range weights {
		divisor = gcd(divisor, k)
	}
	for at, k := range weights {
		w.places += k / divisor
		w.ends[at] = w.places
	}
	w.stride = uint64(float64(w.places) * 0.6180339887498949)
	for w.stride = max(w.stride, 1); gcd(w.stride, w.places) != 1; {
		w.stride++
	}
	w.fillGuide()
	return w
}

func (w *wheel) fillGuide() {
	n := uint64(len(w.ends))
	w.guide = make([]uint32, n)
	at := uint32(0)
	for k := range n {
		high, low := bits.Mul64(k, w.places)
		first, _ := bits.Div64(high, low, n)
		for w.ends[at] <= first {
			at++
		}
		w.guide[k] = at
	}
}

// at is the member whose turn it is.
func (w *wheel) at(turn uint64) int {
	high, low := bits.Mul64(turn%w.places, w.stride)
	place := bits.Rem64(high, low, w.places)
	high, low = bits.Mul64(place, uint64(len(w.ends)))
	section, _ := bits.Div64(high, low, w.places)
	at := w.guide[section]
	for w.ends[at] <= place {
		at++
	}
	return int(at)
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
