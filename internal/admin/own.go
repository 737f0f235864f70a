package admin

import (
	"context"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"holdfast/autoscale"
	"holdfast/internal/control"
	"holdfast/internal/store"
)

// OwnHealth is how Holdfast itself is.
type OwnHealth struct {
	Version       string    `json:"version"`
	Go            string    `json:"go"`
	PID           int       `json:"pid"`
	Started       time.Time `json:"started"`
	UptimeSeconds float64   `json:"uptime_seconds"`
	Goroutines    int       `json:"goroutines"`
	HeapBytes     uint64    `json:"heap_bytes" doc:"of live objects and what is not yet collected"`
	RSSBytes      uint64    `json:"rss_bytes" doc:"0 where it cannot be read"`
	OpenFiles     int       `json:"open_files" doc:"0 where it cannot be read"`
	// Store is missing when there is none.
	Store *StoreHealth `json:"store,omitempty"`
	// Unfit are keys set through the API that do not fit the files of the
	// configuration any more and are not in force.
	Unfit []control.Unfit `json:"unfit_overrides,omitempty"`
}

// StoreHealth is how the store is, and what waits for it.
type StoreHealth struct {
	State       string            `json:"state" doc:"up, down or unknown"`
	Since       time.Time         `json:"since,omitzero"`
	Reason      string            `json:"reason,omitempty" doc:"why it is down, and the way out"`
	Queued      int               `json:"queued" doc:"facts not yet on the disk"`
	Spooled     int               `json:"spooled" doc:"facts on the disk, waiting for the store"`
	SpoolBytes  int64             `json:"spool_bytes"`
	InMemory    int               `json:"only_in_memory" doc:"of the spooled facts those the disk refused: they would be lost with the process"`
	SpoolReason string            `json:"spool_reason,omitempty" doc:"why the disk refuses, or takes no more than was kept free"`
	States      int               `json:"states" doc:"latest states waiting for the store"`
	Dropped     map[string]uint64 `json:"dropped" doc:"facts lost because a bound was reached, by kind"`
	Rejected    uint64            `json:"rejected" doc:"facts and states the store refuses for good"`
}

func (s *Server) own(ctx context.Context, _ *nothing) (OwnHealth, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	v := OwnHealth{
		Version: s.config.Version, Go: runtime.Version(), PID: os.Getpid(), Started: s.started,
		UptimeSeconds: time.Since(s.started).Seconds(), Goroutines: runtime.NumGoroutine(), HeapBytes: m.HeapAlloc,
	}
	if p, err := process.NewProcessWithContext(ctx, int32(v.PID)); err == nil { //nolint:gosec // a process id fits
		if mem, err := p.MemoryInfoWithContext(ctx); err == nil {
			v.RSSBytes = mem.RSS
		}
		if n, err := p.NumFDsWithContext(ctx); err == nil {
			v.OpenFiles = int(n)
		}
	}
	if s.config.StoreHealth != nil {
		v.Store = storeHealthOf(s.config.StoreHealth())
	}
	if s.config.Control != nil {
		v.Unfit = s.config.Control.State().Unfit
	}
	return v, nil
}

func storeHealthOf(h store.Health) *StoreHealth {
	v := &StoreHealth{
		State: h.Condition.String(), Since: h.Since, Reason: h.Reason, Queued: h.Queued, Spooled: h.Spooled,
		SpoolBytes: h.SpoolBytes, InMemory: h.OnlyInMemory, SpoolReason: h.SpoolReason, States: h.States, Dropped: map[string]uint64{}, Rejected: h.Rejected,
	}
	for k, n := range h.Dropped {
		v.Dropped[store.Kind(k).String()] = n
	}
	return v
}

// History gives minute series; a later part of Holdfast is one.
type History interface {
	Range(ctx context.Context, function string, from, to time.Time, step time.Duration) ([]HistoryPoint, error)
}

// HistoryPoint is one step of a function's past. What was not measured is
// missing.
type HistoryPoint struct {
	At                time.Time `json:"at"`
	RequestsPerSecond float64   `json:"requests_per_second"`
	ErrorPercent      float64   `json:"error_percent"`
	SuccessPercent    float64   `json:"success_percent"`
	P50MS             float64   `json:"p50_ms"`
	P95MS             float64   `json:"p95_ms"`
	P99MS             float64   `json:"p99_ms"`
	CPUPercent        *float64  `json:"cpu_percent,omitempty"`
	MemoryPercent     *float64  `json:"memory_percent,omitempty"`
	Connections       *float64  `json:"connections,omitempty"`
	Instances         float64   `json:"instances"`
	// Signals are those of scaling.signals.
	Signals map[string]float64 `json:"signals,omitempty" doc:"the function's own, by their names in scaling.signals"`
}

// OwnSignals are Signals by the names that a policy knows them by.
func (p *HistoryPoint) OwnSignals() map[autoscale.Signal]float64 {
	list := make(map[autoscale.Signal]float64, len(p.Signals))
	for name, v := range p.Signals {
		list[autoscale.Signal("custom:"+name)] = v
	}
	return list
}

// Past is a range of a function's history, oldest first.
type Past struct {
	Function    string         `json:"function_name"`
	StepSeconds float64        `json:"step_seconds"`
	Points      []HistoryPoint `json:"points"`
}

// whichPast selects a range.
type whichPast struct {
	Function string    `path:"function" doc:"name of the function" maxLength:"63"`
	From     time.Time `query:"from" doc:"an hour ago when left out"`
	To       time.Time `query:"to" doc:"now when left out"`
	Step     int       `query:"step" default:"60" minimum:"60" maximum:"86400" doc:"seconds between points"`
}

// mostPoints bounds an answer.
const mostPoints = 20_000

func (s *Server) past(ctx context.Context, in *whichPast) (Past, error) {
	if _, err := s.function(in.Function); err != nil {
		return Past{}, err
	}
	if s.config.History == nil {
		return Past{}, refuse(http.StatusServiceUnavailable, "", "this Holdfast keeps no history")
	}
	to, step := in.To, time.Duration(in.Step)*time.Second
	if to.IsZero() {
		to = time.Now()
	}
	from := in.From
	if from.IsZero() {
		from = to.Add(-time.Hour)
	}
	if !from.Before(to) || to.Sub(from)/step > mostPoints {
		e := refuse(http.StatusBadRequest, "", "from: must be before to, and the range at most %d steps long", mostPoints)
		e.Field = "from"
		return Past{}, e
	}
	list, err := s.config.History.Range(ctx, in.Function, from, to, step)
	return Past{in.Function, step.Seconds(), append([]HistoryPoint{}, list...)}, err
}
