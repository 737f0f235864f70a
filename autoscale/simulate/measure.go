package simulate

import (
	"math"

	"holdfast/autoscale"
)

// flow is what happened in a piece of time.
type flow struct {
	offered, served, late, lost float64
	inside, queued              float64 // times seconds
	seconds, slots              float64 // slots: ready ones times seconds
	last                        float64 // when the last request came
	age                         float64 // of the queue, at the end
	responses                   responses
}

func (f *flow) lose(n float64) { f.lost += n }

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
	class := 0
	if seconds > shortest {
		class = min(int(perDouble*math.Log2(seconds/shortest)), classes-1)
	}
	if r.high == 0 {
		r.low, r.high = class, class+1
	}
	r.low, r.high = min(r.low, class), max(r.high, class+1)
	r.counts[class] += float32(n)
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

// values are the signals of a flow.
func (f *flow) values(w *World, now float64, ready int) map[autoscale.Signal]float64 {
	v := map[autoscale.Signal]float64{
		autoscale.OfferedRate: f.offered / f.seconds, autoscale.ServedRate: f.served / f.seconds,
		autoscale.InFlight: f.inside / f.seconds, autoscale.QueueLength: f.queued / f.seconds, autoscale.QueueAgeMS: f.age * 1000,
		autoscale.ActiveConnections: (f.inside + f.queued) / f.seconds / float64(max(ready, 1)),
		autoscale.IdleSeconds:       max(now-f.last, 0), autoscale.MemoryPercent: memory,
		autoscale.ServiceTimeMS: w.Service.Seconds() * 1000,
	}
	if f.slots > 0 {
		v[autoscale.CPUPercent] = min(100*f.inside/f.slots, 100)
	}
	if f.served > 0 {
		v[autoscale.ResponseTimeMS] = 1000 * f.responses.quantile(0.95)
	}
	if f.served+f.lost > 0 {
		v[autoscale.ErrorRatePercent] = 100 * f.lost / (f.served + f.lost)
	}
	return v
}
