package admin

import (
	"sync"
	"time"

	"holdfast/exchange"
)

// recentStep is how often the samples are renewed; "recent" is what happened
// in the last one to two steps.
const recentStep = 30 * time.Second

// Recent is what happened to a function's exchanges lately.
type Recent struct {
	// WindowSeconds is how far back it looks: 30 to 60, less after the start.
	WindowSeconds     float64 `json:"window_seconds"`
	RequestsPerSecond float64 `json:"requests_per_second"`
	// FailedPercent is the share answered with 5xx; 0 without requests.
	FailedPercent float64 `json:"failed_percent"`
	// Latency to the head of the answer, in milliseconds; streams left out.
	P50MS float64 `json:"p50_ms"`
	P95MS float64 `json:"p95_ms"`
	P99MS float64 `json:"p99_ms"`
}

// recent remembers the counters of every function as they were up to a minute
// ago, so that a single question can be answered with rates.
type recent struct {
	start time.Time

	mu      sync.Mutex
	current map[*exchange.Function]*sample
	before  map[*exchange.Function]*sample
}

type sample struct {
	at      time.Time
	classes [6]uint64
	latency exchange.HistogramSnapshot
}

func sampleOf(fn *exchange.Function, now time.Time) *sample {
	s := &sample{at: now, latency: fn.Stats().Latency.Snapshot()}
	for class := range s.classes {
		s.classes[class] = fn.Stats().Exchanges[class].Load()
	}
	return s
}

func (r *recent) rotate(functions []*exchange.Function, now time.Time) {
	next := make(map[*exchange.Function]*sample, len(functions))
	for _, fn := range functions {
		next[fn] = sampleOf(fn, now)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before, r.current = r.current, next
}

// of returns what happened to a function since the older sample. A function
// that is newer than it is counted from nothing.
func (r *recent) of(fn *exchange.Function, now time.Time) Recent {
	r.mu.Lock()
	old := r.before[fn]
	if old == nil {
		old = &sample{at: r.start}
	}
	r.mu.Unlock()
	return old.until(sampleOf(fn, now))
}

func (s *sample) until(now *sample) Recent {
	v := Recent{WindowSeconds: now.at.Sub(s.at).Seconds()}
	var all uint64
	for class := range now.classes {
		all += now.classes[class] - s.classes[class]
	}
	if v.WindowSeconds > 0 {
		v.RequestsPerSecond = float64(all) / v.WindowSeconds
	}
	v.FailedPercent = percent(now.classes[5]-s.classes[5], all)
	latency := now.latency.Sub(s.latency)
	v.P50MS, v.P95MS, v.P99MS = ms(latency.Quantile(0.5)), ms(latency.Quantile(0.95)), ms(latency.Quantile(0.99))
	return v
}

func percent(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

// ms is a duration in milliseconds, to the microsecond.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
