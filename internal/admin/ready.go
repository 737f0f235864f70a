package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"holdfast/balancer"
	"holdfast/internal/admin/access"
	"holdfast/internal/store"
)

// Readiness says whether the gateway can serve.
type Readiness struct {
	Ready    bool `json:"ready"`
	Draining bool `json:"draining"`
	// Reasons are sentences on what is missing; empty when ready.
	Reasons []string `json:"reasons,omitempty"`
	// Functions lists every function with its available instances.
	Functions []FunctionReadiness `json:"functions"`
}

// FunctionReadiness is one function's part of it.
type FunctionReadiness struct {
	Name      string `json:"name"`
	Available int    `json:"available"`
	Total     int    `json:"total"`
}

func (s *Server) alive(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, "alive\n")
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	v := s.readiness(time.Now())
	status := http.StatusOK
	if !v.Ready {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	// Beyond this machine the names of functions are for those with a token.
	told := arrivedLocally(r) || access.Check(r.Context(), store.Viewer) == nil
	if told && strings.Contains(r.Header.Get("Accept"), "json") {
		writeJSON(w, status, v)
		return
	}
	text := "ready\n"
	switch {
	case !v.Ready && !told:
		text = "not ready\n"
	case !v.Ready:
		text = "not ready: " + strings.Join(v.Reasons, "; ") + "\n"
	}
	writeText(w, status, text)
}

// readiness is about the start and the end. At the start Holdfast is not ready
// before every function has an instance, or knows that it has none: until then
// a request would have to wait. Requests of functions that may have none wait
// by design. Afterwards it stays ready, since a function
// that is down must not take the others out of a load balancer with it.
func (s *Server) readiness(now time.Time) Readiness {
	v := Readiness{Draining: s.draining.Load(), Functions: []FunctionReadiness{}}
	if v.Draining {
		v.Reasons = append(v.Reasons, "Holdfast is shutting down and takes no new requests")
	}
	functions := s.config.Gateway.Functions()
	if len(functions) == 0 {
		v.Reasons = append(v.Reasons, "no function is set up")
	}
	started := s.wasReady.Load()
	for _, fn := range functions {
		stats := fn.Balancer().Stats(now)
		total := countInstances(&stats).Total
		v.Functions = append(v.Functions, FunctionReadiness{fn.Name(), stats.Available, total})
		if !started && stats.Available == 0 && undecided(&stats) && fn.Policy().ColdStart == 0 {
			v.Reasons = append(v.Reasons, fmt.Sprintf("function %s is starting: none of its %d instances takes traffic yet", fn.Name(), total))
		}
	}
	v.Ready = len(v.Reasons) == 0
	if v.Ready {
		s.wasReady.Store(true)
	}
	return v
}

// readyNow is Ready of readiness, which once it was true says nothing about
// instances any more.
func (s *Server) readyNow(now time.Time) bool {
	if !s.wasReady.Load() {
		return s.readiness(now).Ready
	}
	return !s.draining.Load() && len(s.config.Gateway.Functions()) > 0
}

// undecided says whether an instance may still turn out to be fine.
func undecided(s *balancer.Stats) bool {
	return len(s.Instances) == 0 || slices.ContainsFunc(s.Instances, func(i balancer.InstanceStats) bool {
		return i.Lifecycle == balancer.Starting || i.Lifecycle == balancer.Running && i.Health == balancer.HealthUnknown
	})
}
