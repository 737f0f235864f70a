package admin

import (
	"context"
	"fmt"
	"os"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/alerting/channel"
)

// Status is how everything is, on one page.
type Status struct {
	Version       string    `json:"version"`
	PID           int       `json:"pid"`
	Started       time.Time `json:"started"`
	UptimeSeconds float64   `json:"uptime_seconds"`
	Ready         bool      `json:"ready"`
	Draining      bool      `json:"draining"`
	// Problems are sentences on what somebody might want to look into.
	Problems []string `json:"problems,omitempty"`
	// Alerts are what fires and is told, the worst first.
	Alerts    []channel.Alert  `json:"alerts,omitempty"`
	Functions []FunctionStatus `json:"functions"`
}

// FunctionStatus is how one function is. Counters are since the start.
type FunctionStatus struct {
	Name      string         `json:"name"`
	Strategy  string         `json:"strategy"`
	Panic     bool           `json:"panic"`
	Instances InstanceCounts `json:"instances"`
	// AtZero: there is no instance because nobody needs one; a request starts one.
	AtZero bool `json:"at_zero,omitempty"`
	// Platform is missing where the instances are listed in the configuration.
	Platform *PlatformStatus `json:"platform,omitempty"`
	// Breaker is closed, open, half_open, or off.
	Breaker string `json:"breaker"`
	// BreakerNextAttempt is when an open breaker lets a request try.
	BreakerNextAttempt time.Time `json:"breaker_next_attempt,omitzero"`
	InFlight           int       `json:"in_flight"`
	Waiting            int       `json:"waiting"`
	OldestWaitMS       float64   `json:"oldest_wait_ms"`
	Exchanges          uint64    `json:"exchanges"`
	// Failed is how many of them were answered with 5xx.
	Failed               uint64    `json:"failed"`
	Attempts             uint64    `json:"attempts"`
	Retries              uint64    `json:"retries"`
	Fallbacks            uint64    `json:"fallbacks"`
	Bytes                uint64    `json:"bytes"`
	RetryBudgetAvailable float64   `json:"retry_budget_available"`
	RetriesRefused       uint64    `json:"retries_refused"`
	Sessions             int       `json:"sessions"`
	LastRequest          time.Time `json:"last_request,omitzero"`
	Recent               Recent    `json:"recent"`
}

// InstanceCounts counts a function's instances by status. Available are those
// that may get traffic.
type InstanceCounts struct {
	Total      int `json:"total"`
	Available  int `json:"available"`
	Active     int `json:"active"`
	Recovering int `json:"recovering"`
	Inactive   int `json:"inactive"`
	Failed     int `json:"failed"`
	// Spare are the warm spares, which are counted in no other.
	Spare int `json:"spare,omitempty"`
}

func (s *Server) status(context.Context, *nothing) (Status, error) {
	now := time.Now()
	ready := s.readiness(now)
	v := Status{
		Version: s.config.Version, PID: os.Getpid(), Started: s.started, UptimeSeconds: now.Sub(s.started).Seconds(),
		Ready: ready.Ready, Draining: ready.Draining, Functions: []FunctionStatus{},
	}
	if v.Draining {
		v.Problems = append(v.Problems, shuttingDown)
	}
	for _, fn := range s.config.Gateway.Functions() {
		f := s.functionStatus(fn, now)
		v.Functions = append(v.Functions, f)
		v.Problems = append(v.Problems, f.problems(now)...)
	}
	v.Problems = append(v.Problems, s.anomalies()...)
	if s.config.Alerts != nil {
		v.Alerts = s.config.Alerts()
	}
	return v, nil
}

const shuttingDown = "shutting down: no new requests are taken"

func (s *Server) functionStatus(fn *exchange.Function, now time.Time) FunctionStatus {
	b := fn.Balancer().Stats(now)
	return s.functionStatusOf(fn, &b, now)
}

func (s *Server) functionStatusOf(fn *exchange.Function, b *balancer.Stats, now time.Time) FunctionStatus {
	stats, budget := fn.Stats(), fn.RetryBudget().Snapshot(now)
	v := FunctionStatus{
		Name: fn.Name(), Strategy: b.Strategy.String(), Panic: b.Panic, Instances: countInstances(b), Breaker: "off",
		InFlight: fn.InFlight(), Attempts: stats.Attempts.Load(), Retries: stats.Retries.Load(),
		Fallbacks: stats.Fallbacks.Load(), Bytes: stats.Bytes.Load(), Failed: stats.Exchanges[5].Load(),
		RetryBudgetAvailable: max(budget.Available, 0), RetriesRefused: budget.Refused,
		Platform: s.platform(fn.Name()),
		Sessions: fn.Sessions(now), LastRequest: stats.LastRequest(), Recent: s.recent.of(fn, now),
	}
	v.AtZero = v.Instances.Total == 0 && fn.Policy().ColdStart > 0
	for class := range stats.Exchanges {
		v.Exchanges += stats.Exchanges[class].Load()
	}
	var oldest time.Duration
	v.Waiting, oldest = fn.Waiting(now)
	v.OldestWaitMS = ms(oldest)
	if br := fn.Breaker(); br != nil {
		v.Breaker, v.BreakerNextAttempt = br.State().String(), br.NextAttempt()
	}
	return v
}

func countInstances(s *balancer.Stats) InstanceCounts {
	c := InstanceCounts{Available: s.Available}
	for i := range s.Instances {
		if s.Instances[i].Lifecycle == balancer.Spare {
			c.Spare++
			continue
		}
		c.Total++
		switch s.Instances[i].Status {
		case balancer.Active:
			c.Active++
		case balancer.Recovering:
			c.Recovering++
		case balancer.Inactive:
			c.Inactive++
		case balancer.Failed:
			c.Failed++
		}
	}
	return c
}

// problems are what is wrong with a function, worst first.
func (f *FunctionStatus) problems(now time.Time) []string {
	var list []string
	add := func(format string, args ...any) { list = append(list, f.Name+": "+fmt.Sprintf(format, args...)) }
	switch f.Breaker {
	case "open":
		add("breaker open, %s", nextTry(f.BreakerNextAttempt, now))
	case "half_open":
		add("breaker half-open, probing")
	}
	if f.Instances.Available == 0 && !f.AtZero {
		add("no instance is available")
	}
	for _, p := range f.Platform.problems() {
		add("%s", p)
	}
	if f.Panic {
		add("panic mode: too few healthy instances, health is ignored")
	}
	if f.Instances.Failed > 0 {
		add("%d of %d instances failed (holdfast instances %s)", f.Instances.Failed, f.Instances.Total, f.Name)
	}
	if f.RetryBudgetAvailable < 1 {
		add("the retry budget is used up, failed requests are not tried again")
	}
	return list
}
