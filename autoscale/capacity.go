package autoscale

import (
	"cmp"
	"math"
	"time"
)

// Capacity asks how many instances make waiting rare, for the rate that is
// offered (OfferedRate) and the time one request takes (ServiceTimeMS). It is
// the Erlang C formula: with a busy slots of n, the share of requests that have
// to wait is
//
//	C(n, a) = n B / (n - a (1 - B)),  B the recursion B(0) = 1, B(k) = a B(k-1) / (k + a B(k-1))
//
// and longer than t wait C e^(-(n - a) t / S). The function is taken for one
// queue before all slots, which a balancer that knows who is busy comes near.
//
// At 1 busy slot it asks for 4 slots (25 % busy), at 100 for 119 (84 %).
type Capacity struct {
	// Slots is how many requests an instance works on at once without slowing
	// down. 0 is 1.
	Slots int `json:"slots,omitempty"`
	// Waiting is the share of requests that may wait longer than MaxWait.
	// 0 is 0.05.
	Waiting float64 `json:"waiting,omitempty"`
	// MaxWait is the wait that nobody minds. 0: none.
	MaxWait time.Duration `json:"max_wait,omitempty"`
	// Variation is (Ca² + Cs²) / 2, the squared coefficients of variation of the
	// times between requests and of their duration (Allen and Cunneen): 1 for
	// purely random ones, more for bursts. 0 is 1.
	Variation float64 `json:"variation,omitempty"`
}

const defaultWaiting = 0.05

// maxSlots bounds the work of one decision.
const maxSlots = 1_000_000

func (c Capacity) withDefaults() Capacity {
	c.Slots = max(c.Slots, 1)
	c.Waiting, c.Variation = cmp.Or(c.Waiting, defaultWaiting), cmp.Or(c.Variation, 1)
	return c
}

func (c Capacity) validate(most int, add complain) {
	add(c.Slots < 0 || c.Slots > maxSlots || c.Slots*most > maxSlots, "Capacity.Slots times Max must be at most %d", maxSlots)
	add(!finite(c.Waiting) || c.Waiting < 0 || c.Waiting >= 1, "Capacity.Waiting must be between 0 and 1, is %v", c.Waiting)
	add(c.MaxWait < 0, "Capacity.MaxWait must not be negative, is %s", c.MaxWait)
	add(!finite(c.Variation) || c.Variation < 0, "Capacity.Variation must not be negative, is %v", c.Variation)
}

// Instances returns how many instances a rate of requests that take service
// each needs, and at most limit. Both are to be positive.
func (c Capacity) Instances(rate float64, service time.Duration, limit int) int {
	c = c.withDefaults()
	n := c.slots(rate*service.Seconds(), service, min(limit*c.Slots, maxSlots))
	return (n + c.Slots - 1) / c.Slots
}

// slots is the smallest number at which few enough wait, at most limit.
func (c Capacity) slots(busy float64, service time.Duration, limit int) int {
	if busy <= 0 || service <= 0 {
		return 0
	}
	if busy >= float64(limit) {
		return limit
	}
	b := 1.0
	for k := 1; k < limit; k++ {
		b = busy * b / (float64(k) + busy*b)
		if free := float64(k) - busy; free > 0 {
			waits := float64(k) * b / (float64(k) - busy*(1-b))
			waits *= math.Exp(-free * c.MaxWait.Seconds() / (service.Seconds() * c.Variation))
			// Bursts make those who wait wait longer, so that more of them count.
			if waits*c.burstiness() <= c.Waiting {
				return k
			}
		}
	}
	return limit
}

// burstiness weighs waiting where a mean wait, not an excess, is what grows.
func (c Capacity) burstiness() float64 {
	if c.MaxWait > 0 {
		return 1 // it is in the exponent already
	}
	return c.Variation
}

// byCapacity proposes what the model asks for; less only if it would ask for
// less at a slightly higher rate too, so that a rate on the edge between two
// numbers does not change them all the time. What is slight shrinks with size
// as chance does: Tolerance where 4 slots are busy, half of it where 16 are.
func (d *deciding) byCapacity() {
	if d.Capacity == nil {
		return
	}
	rate, ok := d.in.Values[OfferedRate]
	if !ok {
		d.missed(ByCapacity, OfferedRate)
		return
	}
	ms, _, ok := d.in.value(ServiceTimeMS)
	if rate > 0 && (!ok || ms <= 0) {
		d.missed(ByCapacity, ServiceTimeMS)
		return
	}
	service := time.Duration(min(ms, float64(hour/time.Millisecond)) * float64(time.Millisecond))
	need := d.Capacity.Instances(rate, service, d.high)
	if need > 0 {
		d.work = OfferedRate
	}
	if need < d.current {
		slight := d.tolerance() * 2 / math.Sqrt(max(rate*service.Seconds(), 1))
		need = min(d.current, d.Capacity.Instances(rate*(1+slight), service, d.high))
	}
	d.add(Proposal{Rule: ByCapacity, Signal: OfferedRate, Instances: need, Value: rate, Limit: ms},
		"%.4g requests/s of %.4g ms each, %.2g %% of which may wait", rate, ms, 100*d.Capacity.Waiting)
}
