package monitor

import (
	"fmt"
	"math"
	"time"
)

// leastRequests is how many requests a window must have to be judged by: a
// share of fewer says nothing.
const leastRequests = 20

// How long a value must be over its limit, and what part of the limit is well
// again.
const (
	holdMemory = 30 * time.Second
	holdLag    = 20 * time.Second
	holdErrors = 10 * time.Second
	wellMemory = 0.95
	wellLag    = 0.5
	wellErrors = 0.5
)

type applied func(Rule, Subject, finding)

func (m *Monitor) judgeOwn(o *OwnFigures, apply applied) {
	l := m.limits.Load()
	used := o.MemoryPercent()
	apply(Memory, Subject{}, finding{
		value: used, limit: l.MemoryPercent, clear: wellMemory * l.MemoryPercent, hold: holdMemory, window: o.Window,
		tell: func() (map[string]float64, string) {
			return map[string]float64{"rss_bytes": float64(o.RSS), "limit_bytes": float64(o.MemoryLimit), "heap_bytes": float64(o.Heap)},
				fmt.Sprintf("Holdfast uses %.0f %% of the memory it may use (%s of %s) (limit %.0f %%)",
					used, mebibytes(o.RSS), mebibytes(o.MemoryLimit), l.MemoryPercent)
		},
	})
	apply(LoopLag, Subject{}, finding{
		value: o.SchedulerLag, limit: l.LoopLagMS, clear: wellLag * l.LoopLagMS, hold: holdLag, window: o.Window,
		tell: func() (map[string]float64, string) {
			return map[string]float64{"p99_ms": zeroed(o.SchedulerLag), "max_ms": zeroed(o.SchedulerMost), "cpu_percent": zeroed(o.CPU)},
				fmt.Sprintf("Holdfast's goroutines wait %.0f ms for a processor (p99 over %s) (limit %.0f ms): the machine is overloaded, or this process is held back",
					o.SchedulerLag, seconds(o.Window), l.LoopLagMS)
		},
	})
}

func (m *Monitor) judgeFunction(f *FunctionFigures, apply applied) {
	l := m.limits.Load()
	apply(Errors, Subject{Function: f.Function}, errorFinding(&f.Figures, l.ErrorPercent))
	apply(Latency, Subject{Function: f.Function}, m.weeks.finding(f.Function, l.LatencyFactor))
	for i := range f.Instances {
		in := &f.Instances[i]
		about := Subject{f.Function, in.Instance}
		apply(Memory, about, finding{
			value: in.Memory, limit: l.MemoryPercent, clear: wellMemory * l.MemoryPercent, hold: holdMemory, window: tick,
			tell: func() (map[string]float64, string) {
				return map[string]float64{"memory_percent": zeroed(in.Memory), "rss_bytes": float64(in.RSS)},
					fmt.Sprintf("uses %.0f %% of the memory it may use (limit %.0f %%)", in.Memory, l.MemoryPercent)
			},
		})
		apply(LoopLag, about, finding{
			value: in.LoopLag, limit: l.LoopLagMS, clear: wellLag * l.LoopLagMS, hold: holdLag, window: tick,
			tell: func() (map[string]float64, string) {
				return map[string]float64{loopLag: zeroed(in.LoopLag)},
					fmt.Sprintf("its event loop lags %.0f ms (limit %.0f ms): something in it computes or blocks", in.LoopLag, l.LoopLagMS)
			},
		})
	}
}

// errorFinding judges by a full window only: after a start one failed request
// of twenty is no trend.
func errorFinding(f *Figures, limit float64) finding {
	v := f.Errors
	if f.Requests < leastRequests {
		v = 0
	}
	return finding{
		value: v, limit: limit, clear: wellErrors * limit, hold: holdErrors, window: f.Window,
		tell: func() (map[string]float64, string) {
			return map[string]float64{"requests": float64(f.Requests), "failed": float64(f.Failed), "error_percent": zeroed(f.Errors)},
				fmt.Sprintf("%.1f %% of the requests failed (%d of %d in %s) (limit %.0f %%)",
					zeroed(f.Errors), f.Failed, f.Requests, seconds(f.Window), limit)
		},
	}
}

// zeroed is a value for places where there is no NaN.
func zeroed(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

func seconds(d time.Duration) string { return d.Round(time.Second).String() }

func mebibytes(n uint64) string { return fmt.Sprintf("%d MiB", n>>20) }
