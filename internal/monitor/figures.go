package monitor

import (
	"math"
	"time"
)

// Figures are how a function or an instance did in the Window before At.
// Shares are in percent, times in milliseconds; NaN is unknown.
type Figures struct {
	At       time.Time
	Window   time.Duration
	Requests uint64 // exchanges of a function, attempts of an instance
	Failed   uint64 // of them
	Rate     float64
	Errors   float64 // percent
	P50      float64
	P95      float64
	P99      float64
	InFlight int
	CPU      float64 // percent of one core; as the health answer says, else measured
	Memory   float64 // percent of what it may use; as the health answer says, else measured
	RSS      uint64  // bytes of all its processes; 0: not measured here
	LoopLag  float64 // event_loop_lag_ms of the health answer
}

// FunctionFigures are those of a function and of its instances, by id.
type FunctionFigures struct {
	Function string
	Figures
	Instances []InstanceFigures
}

// InstanceFigures are those of one instance.
type InstanceFigures struct {
	Instance string
	// Spare: it gets no traffic, and is in none of the function's means.
	Spare bool
	Figures
}

// OwnFigures are how Holdfast itself does.
type OwnFigures struct {
	At            time.Time
	Window        time.Duration
	SchedulerLag  float64 // p99 in milliseconds of how long goroutines that could run waited; NaN: none did
	SchedulerMost float64 // the longest such wait
	GCPause       float64 // the longest pause, in milliseconds
	CPU           float64 // percent of one core
	Heap          uint64  // bytes of live objects and what is not collected yet
	RSS           uint64  // bytes; 0: not known here
	MemoryLimit   uint64  // bytes; 0: none is known
	Goroutines    int
	OpenFiles     int // 0: not known here
}

// MemoryPercent is RSS by MemoryLimit; NaN where one is not known.
func (o *OwnFigures) MemoryPercent() float64 {
	if o.RSS == 0 || o.MemoryLimit == 0 {
		return math.NaN()
	}
	return 100 * float64(o.RSS) / float64(o.MemoryLimit)
}

func percent(part, whole uint64) float64 {
	if whole == 0 {
		return math.NaN()
	}
	return 100 * float64(part) / float64(whole)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
