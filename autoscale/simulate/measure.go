package simulate

import (
	"math"

	"holdfast/autoscale"
)

// flow is what happened in a piece of time.
type flow struct {
	amounts

	responses responses
}

type amounts struct {
	offered, served, late, lost float64
	inside, queued              float64 // times seconds
	seconds, slots              float64 // slots: ready ones times seconds
	last                        float64 // when the last request came
	age                         float64 // of the queue, at the end
}

// begin empties a flow.
func (f *flow) begin(last float64) {
	f.amounts = amounts{last: last}
	f.responses.clear()
}

func (f *amounts) lose(n float64) { f.lost += n }

func (f *flow) add(o *flow) {
	f.offered += o.offered
	f.served += o.served
	f.late += o.late
	f.lost += o.lost
	f.inside += o.inside
	f.queued += o.queued
	f.seconds += o.seconds
	f.slots += o.slots
	f.last, f.age = max(f.last, o.last), o.age
	f.responses.merge(&o.responses)
}

// responses counts response times, eight classes to each doubling.
type responses struct {
	counts [classes]float32
	low    int // classes in use: low <= class < high
	high   int
}

const (
	classes   = 192
	perDouble = 8
	shortest  = 1e-4 // seconds
)

func (r *responses) add(seconds, n float64) {
	class := classOf(seconds)
	if r.high == 0 {
		r.low, r.high = class, class+1
	}
	r.low, r.high = min(r.low, class), max(r.high, class+1)
	r.counts[class] += float32(n)
}

// classOf is perDouble times the logarithm of base 2 without calculating one:
// it is asked for every request.
func classOf(seconds float64) int {
	if seconds <= shortest {
		return 0
	}
	part, doubles := math.Frexp(seconds / shortest) // 0.5 <= part < 1
	class := perDouble * (doubles - 1)
	for _, limit := range [...]float64{ // 2^(k/8)/2
		0.5452538663326288, 0.5946035575013605, 0.6484197773255048, 0.7071067811865476,
		0.7711054127039704, 0.8408964152537145, 0.9170040432046712,
	} {
		if part < limit {
			break
		}
		class++
	}
	return min(class, classes-1)
}

func (r *responses) clear() {
	clear(r.counts[r.low:r.high])
	r.low, r.high = 0, 0
}

func (r *responses) merge(o *responses) {
	if o.high == 0 {
		return
	}
	if r.high == 0 {
		r.low, r.high = o.low, o.high
	}
	r.low, r.high = min(r.low, o.low), max(r.high, o.high)
	for i := o.low; i < o.high; i++ {
		r.counts[i] += o.counts[i]
	}
}

// quantile is in seconds; 0: there was none.
func (r *responses) quantile(share float64) float64 {
	var all, sum float64
	for i := r.low; i < r.high; i++ {
		all += float64(r.counts[i])
	}
	for i := r.low; i < r.high; i++ {
		if sum += float64(r.counts[i]); sum >= share*all && all > 0 {
			return shortest * math.Exp2((float64(i)+0.5)/perDouble)
		}
	}
	return 0
}

// meter remembers the last ticks.
type meter struct {
	ring   []flow
	n      int // that were ever put in
	window int // ticks
	lag    int
}

func newMeter(w *World) *meter {
	window, lag := int(w.Window/w.Tick), int((w.Lag+w.Tick-1)/w.Tick)
	return &meter{ring: make([]flow, window+lag), window: window, lag: lag}
}

func (m *meter) add(f *flow) {
	m.ring[m.n%len(m.ring)] = *f
	m.n++
}

// recent sums up ticks before the lag; false: there were none yet.
func (m *meter) recent(ticks int) (sum flow, ok bool) {
	for i := range ticks {
		at := m.n - 1 - m.lag - i
		if at < 0 {
			break
		}
		if f := &m.ring[at%len(m.ring)]; ok {
			age := sum.age
			sum.add(f)
			sum.age = age // that of the newest
		} else {
			sum, ok = *f, true
		}
	}
	return sum, ok
}

// memory is the use of memory that nobody simulates, in percent: below every
// threshold, so that it neither adds nor keeps instances.
const memory = 20

// values writes the signals of a flow into v, which Decide copies.
func (f *flow) values(v map[autoscale.Signal]float64, w *World, now float64, ready int) {
	clear(v)
	v[autoscale.OfferedRate], v[autoscale.ServedRate] = f.offered/f.seconds, f.served/f.seconds
	v[autoscale.InFlight], v[autoscale.QueueLength], v[autoscale.QueueAgeMS] = f.inside/f.seconds, f.queued/f.seconds, f.age*1000
	v[autoscale.ActiveConnections] = (f.inside + f.queued) / f.seconds / float64(max(ready, 1))
	v[autoscale.IdleSeconds], v[autoscale.MemoryPercent] = max(now-f.last, 0), memory
	v[autoscale.ServiceTimeMS] = w.Service.Seconds() * 1000
	if f.slots > 0 {
		v[autoscale.CPUPercent] = min(100*f.inside/f.slots, 100)
	}
	if f.served > 0 {
		v[autoscale.ResponseTimeMS] = 1000 * f.responses.quantile(0.95)
	}
	if f.served+f.lost > 0 {
		v[autoscale.ErrorRatePercent] = 100 * f.lost / (f.served + f.lost)
	}
}
