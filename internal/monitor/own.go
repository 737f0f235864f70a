package monitor

import (
	"math"
	"runtime/metrics"
	"time"
)

const (
	metricScheduler  = "/sched/latencies:seconds"
	metricPauses     = "/sched/pauses/total/gc:seconds"
	metricHeap       = "/memory/classes/heap/objects:bytes"
	metricGoroutines = "/sched/goroutines:goroutines"
)

// own measures Holdfast itself. The scheduler's delay is to Go what the lag of
// the event loop is to Node.js: how long what could run waits for its turn.
type own struct {
	samples   []metrics.Sample
	scheduler []uint64 // bucket counts a tick ago
	pauses    []uint64
	at        time.Time
	cpu       time.Duration
}

func newOwn() *own {
	return &own{samples: []metrics.Sample{
		{Name: metricScheduler}, {Name: metricPauses}, {Name: metricHeap}, {Name: metricGoroutines},
	}}
}

func (o *own) measure(now time.Time) OwnFigures {
	metrics.Read(o.samples)
	f := OwnFigures{At: now, SchedulerLag: math.NaN(), CPU: math.NaN()}
	f.Heap, f.Goroutines = o.samples[2].Value.Uint64(), int(o.samples[3].Value.Uint64())
	scheduler, pauses := o.samples[0].Value.Float64Histogram(), o.samples[1].Value.Float64Histogram()
	cpu := ownCPU()
	f.RSS, f.OpenFiles, f.MemoryLimit = ownMemory(), openFiles(), memoryLimit()
	if !o.at.IsZero() {
		f.Window = now.Sub(o.at)
		f.SchedulerLag = 1000 * quantile(scheduler, o.scheduler, 0.99)
		f.SchedulerMost = 1000 * quantile(scheduler, o.scheduler, 1)
		f.GCPause = 1000 * quantile(pauses, o.pauses, 1)
		f.CPU = 100 * float64(cpu-o.cpu) / float64(f.Window)
	}
	o.at, o.cpu = now, cpu
	o.scheduler = append(o.scheduler[:0], scheduler.Counts...)
	o.pauses = append(o.pauses[:0], pauses.Counts...)
	return f
}

// quantile returns the upper end of the bucket that holds quantile q of what a
// histogram gained since before; NaN when it gained nothing.
func quantile(h *metrics.Float64Histogram, before []uint64, q float64) float64 {
	gained := func(i int) uint64 {
		if i < len(before) {
			return h.Counts[i] - before[i]
		}
		return h.Counts[i]
	}
	var all, seen uint64
	for i := range h.Counts {
		all += gained(i)
	}
	if all == 0 {
		return math.NaN()
	}
	rank := uint64(math.Ceil(q * float64(all)))
	for i := range h.Counts {
		if seen += gained(i); seen >= rank {
			if end := h.Buckets[i+1]; !math.IsInf(end, 1) {
				return end
			}
			return h.Buckets[i]
		}
	}
	return math.NaN()
}
