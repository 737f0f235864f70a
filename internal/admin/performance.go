package admin

import (
	"context"
	"math"
	"net/http"
	"time"

	"holdfast/internal/monitor"
	"holdfast/internal/telemetry"
)

// Performance is how everything performs, and what is out of the ordinary.
type Performance struct {
	At        time.Time             `json:"at" doc:"of the measurement, made every 10 s"`
	Own       OwnPerformance        `json:"holdfast"`
	Functions []FunctionPerformance `json:"functions"`
	Anomalies []Anomaly             `json:"anomalies" doc:"that last, the oldest first"`
}

// OwnPerformance is Holdfast's own. What is not known is missing.
type OwnPerformance struct {
	SchedulerLagMS    *float64 `json:"scheduler_lag_ms,omitempty" doc:"p99 of how long goroutines that could run waited for a processor"`
	SchedulerLagMaxMS *float64 `json:"scheduler_lag_max_ms,omitempty"`
	GCPauseMaxMS      *float64 `json:"gc_pause_max_ms,omitempty"`
	CPUPercent        *float64 `json:"cpu_percent,omitempty" doc:"of one core"`
	HeapBytes         uint64   `json:"heap_bytes"`
	RSSBytes          uint64   `json:"rss_bytes,omitempty"`
	MemoryLimitBytes  uint64   `json:"memory_limit_bytes,omitempty" doc:"of its control group, else the machine's"`
	MemoryPercent     *float64 `json:"memory_percent,omitempty"`
	Goroutines        int      `json:"goroutines"`
	OpenFiles         int      `json:"open_files,omitempty"`
}

// FunctionPerformance is a function's and its instances'.
type FunctionPerformance struct {
	Function string `json:"function_name"`
	PerformanceFigures
	Instances []InstancePerformance `json:"instances"`
}

// InstancePerformance is an instance's.
type InstancePerformance struct {
	Instance string `json:"instance_id"`
	PerformanceFigures
}

// PerformanceFigures are of the last minute. What is not known is missing.
type PerformanceFigures struct {
	WindowSeconds     float64  `json:"window_seconds"`
	Requests          uint64   `json:"requests" doc:"exchanges of a function, attempts of an instance"`
	Failed            uint64   `json:"failed"`
	RequestsPerSecond *float64 `json:"requests_per_second,omitempty"`
	ErrorPercent      *float64 `json:"error_percent,omitempty"`
	P50MS             *float64 `json:"p50_ms,omitempty"`
	P95MS             *float64 `json:"p95_ms,omitempty"`
	P99MS             *float64 `json:"p99_ms,omitempty"`
	InFlight          int      `json:"in_flight"`
	CPUPercent        *float64 `json:"cpu_percent,omitempty" doc:"of one core; as the health answer says, else measured"`
	MemoryPercent     *float64 `json:"memory_percent,omitempty" doc:"of what it may use; as the health answer says, else measured"`
	RSSBytes          uint64   `json:"rss_bytes,omitempty" doc:"of all its processes, where they run on this machine"`
	LoopLagMS         *float64 `json:"event_loop_lag_ms,omitempty" doc:"as the health answer says"`
}

// Anomaly is something out of the ordinary.
type Anomaly struct {
	Rule          string             `json:"rule" enum:"memory,loop_lag,errors,latency"`
	Function      string             `json:"function_name,omitempty" doc:"missing: Holdfast itself"`
	Instance      string             `json:"instance_id,omitempty"`
	Since         time.Time          `json:"since"`
	WindowSeconds float64            `json:"window_seconds"`
	Value         float64            `json:"value"`
	Worst         float64            `json:"worst"`
	Limit         float64            `json:"limit"`
	Numbers       map[string]float64 `json:"numbers,omitempty"`
	Text          string             `json:"text"`
}

func (s *Server) performance(context.Context, *nothing) (Performance, error) {
	if s.config.Performance == nil {
		return Performance{}, refuse(http.StatusServiceUnavailable, "", "this Holdfast has no performance monitor")
	}
	m := s.config.Performance()
	o := &m.Own
	v := Performance{
		At: o.At, Functions: []FunctionPerformance{}, Anomalies: []Anomaly{},
		Own: OwnPerformance{
			SchedulerLagMS: known(o.SchedulerLag), SchedulerLagMaxMS: known(o.SchedulerMost), GCPauseMaxMS: known(o.GCPause),
			CPUPercent: known(o.CPU), HeapBytes: o.Heap, RSSBytes: o.RSS, MemoryLimitBytes: o.MemoryLimit,
			MemoryPercent: known(o.MemoryPercent()), Goroutines: o.Goroutines, OpenFiles: o.OpenFiles,
		},
	}
	for i := range m.Functions {
		f := &m.Functions[i]
		p := FunctionPerformance{Function: f.Function, PerformanceFigures: figuresOf(&f.Figures), Instances: []InstancePerformance{}}
		for k := range f.Instances {
			p.Instances = append(p.Instances, InstancePerformance{f.Instances[k].Instance, figuresOf(&f.Instances[k].Figures)})
		}
		v.Functions = append(v.Functions, p)
	}
	for i := range m.Anomalies {
		a := &m.Anomalies[i]
		v.Anomalies = append(v.Anomalies, Anomaly{
			Rule: string(a.Rule), Function: a.Function, Instance: a.Instance, Since: a.Since, WindowSeconds: a.Window.Seconds(),
			Value: a.Value, Worst: a.Worst, Limit: a.Limit, Numbers: a.Numbers, Text: a.Text,
		})
	}
	return v, nil
}

func figuresOf(f *monitor.Figures) PerformanceFigures {
	return PerformanceFigures{
		WindowSeconds: f.Window.Seconds(), Requests: f.Requests, Failed: f.Failed, RequestsPerSecond: known(f.Rate), ErrorPercent: known(f.Errors),
		P50MS: known(f.P50), P95MS: known(f.P95), P99MS: known(f.P99), InFlight: f.InFlight,
		CPUPercent: known(f.CPU), MemoryPercent: known(f.Memory), RSSBytes: f.RSS, LoopLagMS: known(f.LoopLag),
	}
}

// known is nil for what is not.
func known(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}

// anomalies are what the status page says of the monitor's.
func (s *Server) anomalies() []string {
	if s.config.Performance == nil {
		return nil
	}
	var list []string
	m := s.config.Performance()
	for i := range m.Anomalies {
		a := &m.Anomalies[i]
		switch {
		case a.Instance != "":
			list = append(list, a.Function+": instance "+a.Instance+" "+a.Text)
		case a.Function != "":
			list = append(list, a.Function+": "+a.Text)
		default:
			list = append(list, a.Text)
		}
	}
	return list
}

// measured is the measurement as metrics show it. Every rule has its figure
// for Holdfast and each function, so that none appears only when it is late.
func measured(m monitor.Snapshot) telemetry.Performance {
	p := telemetry.Performance{SchedulerLag: m.Own.SchedulerLag / 1000, Anomalies: map[telemetry.Anomalous]int{}}
	rules := func(function string, list ...monitor.Rule) {
		for _, r := range list {
			p.Anomalies[telemetry.Anomalous{Function: function, Rule: string(r)}] = 0
		}
	}
	rules("", monitor.Memory, monitor.LoopLag)
	for i := range m.Functions {
		f := &m.Functions[i]
		rules(f.Function, monitor.Memory, monitor.LoopLag, monitor.Errors, monitor.Latency)
		for k := range f.Instances {
			in := &f.Instances[k]
			p.Instances = append(p.Instances, telemetry.InstanceUse{
				Function: f.Function, Instance: in.Instance, CPU: in.CPU / 100, Memory: in.Memory / 100, RSS: in.RSS, LoopLag: in.LoopLag / 1000,
			})
		}
	}
	for i := range m.Anomalies {
		p.Anomalies[telemetry.Anomalous{Function: m.Anomalies[i].Function, Rule: string(m.Anomalies[i].Rule)}]++
	}
	return p
}
