package telemetry

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/breaker"
	"holdfast/internal/event"
)

// Happened counts what happened, for metrics. The zero value is ready; safe for
// concurrent use.
type Happened struct {
	mu        sync.Mutex
	kinds     map[event.Kind]uint64
	breakers  map[function]uint64 // and the state it changed to
	ejections map[string]uint64
	decisions map[function]uint64 // and the way it went
	refused   bool                // the configuration, when it was last read again
	read      time.Time
}

// function names one, and what of it is counted.
type function struct{ name, what string }

// Event takes an event.
func (h *Happened) Event(e event.Event) { //nolint:gocritic // as a subscriber of events has it
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.kinds == nil {
		h.kinds, h.breakers, h.ejections = map[event.Kind]uint64{}, map[function]uint64{}, map[string]uint64{}
	}
	h.kinds[e.Kind]++
	switch e.Kind { //nolint:exhaustive // the others are counted, and no more
	case event.Breaker:
		h.breakers[function{e.Function, e.To}]++
	case event.InstanceEjected:
		h.ejections[e.Function]++
	case event.Config:
		h.refused, h.read = e.To == "refused", e.At
	}
}

// Decided takes a decision of the scaler: how many instances there were to be
// before and after.
func (h *Happened) Decided(name string, before, after int) {
	what := "hold"
	switch {
	case after > before:
		what = "up"
	case after < before:
		what = "down"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.decisions == nil {
		h.decisions = map[function]uint64{}
	}
	h.decisions[function{name, what}]++
}

// happened shows what happened to the functions there are.
type happened struct {
	described

	source *MetricsConfig

	events, breakers, ejections, decisions, reloaded, reloadedAt *prometheus.Desc
}

func newHappenedCollector(all *catalog, of *MetricsConfig) *happened {
	h := &happened{source: of}
	h.decisions = all.describe("scaling_decisions_total", "Decisions of the scaler by what they did to the number of instances: up, down or hold.", "function", "result")
	all.group("What happened", "Counted since the start, also where nobody looked.")
	h.events = all.describe("events_total", "Events by kind, as `holdfast events` shows them.", "kind")
	h.breakers = all.describe("breaker_transitions_total", "Changes of the breaker's state, by the new one.", "function", "to")
	h.ejections = all.describe("ejections_total", "Instances taken out of rotation for their own results.", "function")
	h.reloaded = all.describe("config_last_reload_successful", "1 unless the configuration was refused when it was last read again.")
	h.reloadedAt = all.describe("config_last_reload_timestamp_seconds", "Unix time in seconds when the configuration was last read again; 0: not since the start.")
	h.described = described{h.decisions, h.events, h.breakers, h.ejections, h.reloaded, h.reloadedAt}
	return h
}

// Collect implements prometheus.Collector.
func (h *happened) Collect(ch chan<- prometheus.Metric) {
	to, c := scrape{ch: ch}, h.source.Happened
	c.mu.Lock()
	defer c.mu.Unlock()
	for kind, n := range c.kinds {
		to.counter(h.events, n, string(kind))
	}
	for _, fn := range h.source.Source.Functions() {
		name := fn.Name()
		if fn.Breaker() != nil {
			for state := breaker.Closed; state <= breaker.HalfOpen; state++ {
				to.counter(h.breakers, c.breakers[function{name, state.String()}], name, state.String())
			}
		}
		to.counter(h.ejections, c.ejections[name], name)
		for _, what := range []string{"up", "down", "hold"} {
			if n := c.decisions[function{name, what}]; n > 0 {
				to.counter(h.decisions, n, name, what)
			}
		}
	}
	to.gauge(h.reloaded, 1-oneIf(c.refused))
	at := 0.0
	if !c.read.IsZero() {
		at = float64(c.read.UnixMilli()) / 1000
	}
	to.gauge(h.reloadedAt, at)
}
