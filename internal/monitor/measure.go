package monitor

import (
	"math"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
)

// Names of numbers in an instance's health answer.
const (
	cpuPercent    = "cpu_percent"
	memoryPercent = "memory_percent"
	loopLag       = "event_loop_lag_ms"
)

// followed is what the monitor keeps of a function from tick to tick.
type followed struct {
	window    window
	latencies latencies
	instances map[string]*window
}

// measure takes the figures of one function.
func (m *Monitor) measure(fn *exchange.Function, used func() map[int]usage, now time.Time) FunctionFigures {
	was := m.followed[fn]
	if was == nil {
		was = &followed{instances: map[string]*window{}}
	}
	m.next[fn] = was
	stats := fn.Stats()
	c := counts{at: now, failed: stats.Exchanges[5].Load()}
	for class := range stats.Exchanges {
		c.all += stats.Exchanges[class].Load()
	}
	v := FunctionFigures{Function: fn.Name(), Figures: was.window.figures(c)}
	latency := was.latencies.put(now, stats.Latency.Snapshot())
	if latency.Count > 0 {
		v.P50, v.P95, v.P99 = ms(latency.Quantile(0.5)), ms(latency.Quantile(0.95)), ms(latency.Quantile(0.99))
	}
	v.InFlight = fn.InFlight()
	v.Instances = m.measureInstances(fn, was, used, now)
	v.mean(v.Instances)
	return v
}

func (m *Monitor) measureInstances(fn *exchange.Function, was *followed, used func() map[int]usage, now time.Time) []InstanceFigures {
	stats := fn.Balancer().Stats(now)
	list := make([]InstanceFigures, len(stats.Instances))
	windows := make(map[string]*window, len(list))
	for n := range list {
		i := &stats.Instances[n]
		w := was.instances[i.ID]
		if w == nil {
			w = &window{}
		}
		windows[i.ID] = w
		list[n] = InstanceFigures{i.ID, i.Lifecycle == balancer.Spare, m.instance(fn.Name(), i, w, used, now)}
	}
	was.instances = windows
	return list
}

func (m *Monitor) instance(function string, i *balancer.InstanceStats, w *window, used func() map[int]usage, now time.Time) Figures {
	f := w.figures(counts{at: now, all: i.Successes + i.Failures, failed: i.Failures})
	f.InFlight = i.InFlight
	if i.P50 > 0 {
		f.P50, f.P95, f.P99 = ms(i.P50), ms(i.P95), ms(i.P99)
	}
	if m.config.Group != nil {
		if group := m.config.Group(function, i.ID); group > 0 {
			u, ok := used()[group]
			if ok {
				f.CPU, f.RSS, f.Memory = u.cpu, u.rss, percent(u.rss, m.memoryLimit)
			}
		}
	}
	if m.config.Numbers != nil {
		said := m.config.Numbers(function, i.ID)
		take(&f.CPU, said, cpuPercent)
		take(&f.Memory, said, memoryPercent)
		take(&f.LoopLag, said, loopLag)
	}
	return f
}

// take prefers what the instance says of itself: it knows its limits.
func take(v *float64, said map[string]float64, name string) {
	if n, ok := said[name]; ok {
		*v = n
	}
}

// figures are those of the counters; the rest is unknown.
func (w *window) figures(c counts) Figures {
	unknown := math.NaN()
	f := Figures{At: c.at, Rate: unknown, P50: unknown, P95: unknown, P99: unknown, CPU: unknown, Memory: unknown, LoopLag: unknown}
	f.Requests, f.Failed, f.Window = w.put(c)
	f.Errors = percent(f.Failed, f.Requests)
	if f.Window > 0 {
		f.Rate = float64(f.Requests) / f.Window.Seconds()
	}
	return f
}

// mean makes a function's processor and memory from its instances'.
func (f *Figures) mean(list []InstanceFigures) {
	var cpu, memory, lag float64
	var cpus, memories, lags int
	add := func(sum *float64, n *int, v float64) {
		if !math.IsNaN(v) {
			*sum += v
			*n++
		}
	}
	for i := range list {
		f.RSS += list[i].RSS
		if list[i].Spare {
			continue
		}
		add(&cpu, &cpus, list[i].CPU)
		add(&memory, &memories, list[i].Memory)
		add(&lag, &lags, list[i].LoopLag)
	}
	f.CPU, f.Memory, f.LoopLag = cpu/float64(cpus), memory/float64(memories), lag/float64(lags) // 0/0 is NaN
}
