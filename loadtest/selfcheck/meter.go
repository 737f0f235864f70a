package selfcheck

import (
	"math"
	"runtime/metrics"
	"time"
)

// Meter reads what a second was like. It is for one goroutine.
type Meter struct {
	last    reading
	begun   time.Time
	samples []metrics.Sample
	waits   []uint64 // of the run queue's histogram at the last reading
	pauses  []uint64
}

// reading is what only grows.
type reading struct {
	at           time.Time
	cpu          time.Duration // of the process
	gc, busy     float64       // seconds of CPU
	steal, whole float64       // ticks of the machine
}

// The metrics of the runtime that are read, in this order.
const (
	readGC = iota
	readIdle
	readTotal
	readWaits
	readPauses
)

// NewMeter begins to measure.
func NewMeter(now time.Time) *Meter {
	m := &Meter{begun: now, samples: []metrics.Sample{
		readGC: {Name: "/cpu/classes/gc/total:cpu-seconds"}, readIdle: {Name: "/cpu/classes/idle:cpu-seconds"},
		readTotal: {Name: "/cpu/classes/total:cpu-seconds"}, readWaits: {Name: "/sched/latencies:seconds"},
		readPauses: {Name: "/sched/pauses/total/gc:seconds"},
	}}
	m.Read(now)
	return m
}

// Read returns what the time since the last Read was like.
func (m *Meter) Read(now time.Time) Sample {
	metrics.Read(m.samples)
	r := reading{at: now, cpu: processCPU(), gc: m.seconds(readGC), busy: m.seconds(readTotal) - m.seconds(readIdle)}
	r.steal, r.whole = stolen()
	s := Sample{Length: now.Sub(m.last.at)}
	if s.Length > 0 {
		s.CPU = (r.cpu - m.last.cpu).Seconds() / s.Length.Seconds() / Capacity()
	}
	s.GC = part(r.gc-m.last.gc, r.busy-m.last.busy)
	s.Steal = part(r.steal-m.last.steal, r.whole-m.last.whole)
	s.Queue = seconds(quantile(m.samples[readWaits].Value, &m.waits, 0.99))
	s.Pause = seconds(quantile(m.samples[readPauses].Value, &m.pauses, 1))
	s.Files, s.FilesLimit = files()
	s.Ports, s.PortsLimit = ports()
	m.last = r
	return s
}

func (m *Meter) seconds(i int) float64 {
	if v := m.samples[i].Value; v.Kind() == metrics.KindFloat64 {
		return v.Float64()
	}
	return 0
}

// part is a by b, from 0 to 1.
func part(a, b float64) float64 {
	if !(b > 0) || a < 0 {
		return 0
	}
	return min(a/b, 1)
}

func seconds(s float64) time.Duration {
	if math.IsInf(s, 0) {
		return 0
	}
	return time.Duration(s * 1e9)
}

// quantile is the upper bound of the bucket that a quantile of what came since the last reading lies in.
func quantile(v metrics.Value, last *[]uint64, q float64) float64 {
	if v.Kind() != metrics.KindFloat64Histogram {
		return 0
	}
	h := v.Float64Histogram()
	before := *last
	if len(before) != len(h.Counts) {
		before = make([]uint64, len(h.Counts))
	}
	var all, seen uint64
	for i, n := range h.Counts {
		all += n - before[i]
	}
	at := 0.0
	for i, n := range h.Counts {
		if n -= before[i]; n > 0 {
			if seen += n; float64(seen) >= q*float64(all) {
				at = bound(h.Buckets, i)
				break
			}
		}
	}
	*last = append((*last)[:0], h.Counts...)
	return at
}

// bound is the upper end of bucket i, or the lower one where there is none.
func bound(buckets []float64, i int) float64 {
	if b := buckets[i+1]; !math.IsInf(b, 0) {
		return b
	}
	return buckets[i]
}
