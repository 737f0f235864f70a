package admin

import (
	"context"
	"time"

	"holdfast/balancer"
	"holdfast/health"
	"holdfast/internal/platform"
	"holdfast/internal/prober"
)

// Instances is the answer about instances.
type Instances struct {
	Instances []Instance `json:"instances"`
}

// Instance is one instance of a function.
type Instance struct {
	Function string `json:"function"`
	ID       string `json:"id"`
	Endpoint string `json:"endpoint"`
	// Status is active, recovering, inactive or failed; Reason says why, Since
	// when it began.
	Status string    `json:"status"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	// Health is what the checks say: unknown, up or down. Lifecycle is what the
	// platform says: running, starting, stopped, gone or spare.
	Health           string    `json:"health"`
	Lifecycle        string    `json:"lifecycle"`
	Draining         bool      `json:"draining"`
	Ejected          bool      `json:"ejected"`
	EjectedUntil     time.Time `json:"ejected_until,omitzero"`
	EjectionCount    int       `json:"ejection_count"`
	EjectionsRefused int       `json:"ejections_refused"`
	InFlight         int       `json:"in_flight"`
	Picks            uint64    `json:"picks"`
	// SharePercent is its part of the picks since the set of instances changed.
	SharePercent float64 `json:"share_percent"`
	Successes    uint64  `json:"successes"`
	Failures     uint64  `json:"failures"`
	// EWMAMS is the latency estimate picks go by, failures counted in; the
	// percentiles are of the last 30 to 60 s. Milliseconds.
	EWMAMS          float64 `json:"ewma_ms"`
	P50MS           float64 `json:"p50_ms"`
	P95MS           float64 `json:"p95_ms"`
	P99MS           float64 `json:"p99_ms"`
	Weight          int     `json:"weight"`
	EffectiveWeight float64 `json:"effective_weight"`
	Priority        int     `json:"priority"`
	Zone            string  `json:"zone,omitempty"`
	Region          string  `json:"region,omitempty"`
	Score           Score   `json:"score"`
	// Check is missing when the instance is not checked. Process is what its
	// platform knows of it, a process, task or pod; it and Platform are missing
	// when the configuration lists the instance.
	Check    *Check             `json:"check,omitempty"`
	Platform string             `json:"platform,omitempty"`
	Process  *platform.Instance `json:"process,omitempty"`
}

// Score is how well an instance does, each part from 0 to 1; health-based
// shares by it.
type Score struct {
	Total   float64 `json:"total"`
	Health  float64 `json:"health"`
	Latency float64 `json:"latency"`
	Errors  float64 `json:"errors"`
	Load    float64 `json:"load"`
}

// Check is what the health checks of an instance found.
type Check struct {
	State string `json:"state"`
	// Suspected: up, but the last check or an attempt failed, so that it is
	// checked more often.
	Suspected bool      `json:"suspected"`
	At        time.Time `json:"at,omitzero"` // of the last result
	OK        bool      `json:"ok"`
	Reason    string    `json:"reason,omitempty"`
	TookMS    float64   `json:"took_ms"`
	Status    int       `json:"status,omitempty"`
	// Numbers are the top-level numbers of the last JSON answer.
	Numbers  map[string]float64 `json:"numbers,omitempty"`
	Next     time.Time          `json:"next,omitzero"` // zero while one runs
	Checks   uint64             `json:"checks"`
	Failures uint64             `json:"failures"`
	// Changes and Results are the last ones, oldest first; only in explain.
	Changes []Transition  `json:"changes,omitempty"`
	Results []CheckResult `json:"results,omitempty"`
}

// CheckResult is one past check.
type CheckResult struct {
	At     time.Time `json:"at"`
	OK     bool      `json:"ok"`
	Reason string    `json:"reason"`
	TookMS float64   `json:"took_ms"`
}

// Transition is one change of state.
type Transition struct {
	At     time.Time `json:"at"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	Source string    `json:"source,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

func (s *Server) instances(_ context.Context, in *byFunction) (Instances, error) {
	functions, err := s.functionsOf(in.Function)
	if err != nil {
		return Instances{}, err
	}
	v := Instances{Instances: []Instance{}}
	for _, fn := range functions {
		stats := fn.Balancer().Stats(time.Now())
		for i := range stats.Instances {
			v.Instances = append(v.Instances, s.instance(fn.Name(), &stats.Instances[i], false))
		}
	}
	return v, nil
}

// instance describes one instance; with history when whole.
func (s *Server) instance(function string, i *balancer.InstanceStats, whole bool) Instance {
	v := Instance{
		Function: function, ID: i.ID, Endpoint: i.Endpoint, Status: i.Status.String(), Reason: i.Reason, Since: i.Since,
		Health: i.Health.String(), Lifecycle: i.Lifecycle.String(), Draining: i.Draining, Ejected: i.Ejected,
		EjectedUntil: i.EjectedUntil, EjectionCount: i.EjectionCount, EjectionsRefused: i.EjectionsRefused,
		InFlight: i.InFlight, Picks: i.Attempts, SharePercent: 100 * i.Share, Successes: i.Successes, Failures: i.Failures,
		EWMAMS: ms(i.EWMA), P50MS: ms(i.P50), P95MS: ms(i.P95), P99MS: ms(i.P99),
		Weight: i.Weight, EffectiveWeight: i.EffectiveWeight, Priority: i.Priority, Zone: i.Zone, Region: i.Region,
		Score: Score{i.Score.Total, i.Score.Health, i.Score.Latency, i.Score.Errors, i.Score.Load},
	}
	if s.config.Probe != nil {
		if view, ok := s.config.Probe(function, i.ID); ok {
			v.Check = checkOf(&view, whole)
		}
	}
	if s.config.Process != nil {
		if p, ok := s.config.Process(function, i.ID); ok {
			v.Process = &p
		}
	}
	if p := s.platform(function); p != nil {
		v.Platform = p.Name
	}
	return v
}

func checkOf(v *prober.View, whole bool) *Check {
	c := &Check{
		State: v.State.String(), Suspected: v.Suspected, At: v.At, OK: v.Last.OK, Reason: v.Last.Reason,
		TookMS: ms(v.Last.Took), Status: v.Last.Status, Numbers: v.Last.Numbers, Next: v.Next,
		Checks: v.Checks, Failures: v.Failures,
	}
	if whole {
		c.remember(&v.History)
	}
	return c
}

func (c *Check) remember(h *health.History) {
	for _, t := range h.Changes {
		c.Changes = append(c.Changes, Transition{At: t.At, From: t.From.String(), To: t.To.String(), Reason: t.Reason})
	}
	for _, r := range h.Results {
		c.Results = append(c.Results, CheckResult{At: r.At, OK: r.Result.OK, Reason: r.Result.Reason, TookMS: ms(r.Result.Took)})
	}
}
