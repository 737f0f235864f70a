package app

import (
	"maps"
	"math"
	"net/http"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/internal/config"
	"holdfast/internal/gateway"
	"holdfast/middleware"
	"holdfast/retry"
)

// endless stands for "no limit" where a library takes 0 for its default.
const endless = 24 * time.Hour

func specOf(name string, f *config.Function) (gateway.Spec, error) {
	lb, err := balancerOf(f)
	if err != nil {
		return gateway.Spec{}, err
	}
	return gateway.Spec{
		Config: exchange.FunctionConfig{
			Name: name, Policy: policyOf(f), Balancer: lb, Breaker: breakerOf(f), Budget: budgetOf(f),
		},
		Routes:   routesOf(f),
		Options:  optionsOf(f),
		Fallback: f.Fallback.Function,
	}, nil
}

func routesOf(f *config.Function) []exchange.Route {
	var list []exchange.Route
	for _, r := range f.Routes {
		list = append(list, exchange.Route{
			Host: r.Host, Path: r.Path, Exact: r.Exact, Methods: r.Methods, Headers: r.Headers, StripPrefix: r.StripPrefix,
		})
	}
	return list
}

func policyOf(f *config.Function) exchange.Policy {
	a := f.LoadBalancing.Affinity
	return exchange.Policy{
		Retry: retryOf(f),
		Timeouts: exchange.Timeouts{
			Connect: f.Timeouts.Connect.Std(), Attempt: orEndless(f.Timeouts.Attempt),
			Exchange: orEndless(f.Timeouts.Exchange), Idle: orEndless(f.Timeouts.Idle),
		},
		Affinity:        exchange.Affinity{Cookie: a.Cookie, Header: a.Header, ClientIP: a.ClientIP, TTL: a.TTL.Std()},
		Hash:            exchange.Hash(f.LoadBalancing.HashOn),
		MaxInFlight:     f.Concurrency.MaxInFlight,
		QueueSize:       f.Concurrency.Queue.Size,
		QueueTimeout:    f.Concurrency.Queue.Timeout.Std(),
		WaitForInstance: f.WaitForInstance.Std(),
		ColdStart:       coldStartOf(f),
		Managed:         f.Platform.Name() != "",
		Fallback:        fallbackOf(f),
	}
}

// coldStartOf is how long a request may wait for the first instance: as long as
// one may take to accept connections, and then to pass its first check.
func coldStartOf(f *config.Function) time.Duration {
	if f.Platform.Name() == "" || leastInstances(f) > 0 {
		return 0
	}
	return f.Platform.ReadyTimeout().Std() + f.Health.Timeout.Std()
}

func orEndless(d config.Duration) time.Duration {
	if d == 0 {
		return endless
	}
	return d.Std()
}

// retryOf honours `enabled: false`: recovery rests, traffic still flows.
func retryOf(f *config.Function) retry.Policy {
	p := retry.DefaultPolicy()
	p.Attempts, p.BaseDelay, p.MaxDelay = f.Retry.Attempts, f.Retry.BaseDelay.Std(), f.Retry.MaxDelay.Std()
	p.Statuses, p.NonIdempotent = f.Retry.Statuses, f.Retry.NonIdempotent
	if !f.Enabled {
		p.Attempts = 0
	}
	return p
}

func budgetOf(f *config.Function) retry.BudgetConfig {
	b := f.Retry.Budget
	return retry.BudgetConfig{Ratio: orOff(b.Percent / 100), MinPerSecond: orOff(b.MinPerSecond)}
}

// orOff turns a written 0 into "off" where a library takes 0 for its default.
func orOff(v float64) float64 {
	if v == 0 {
		return -1
	}
	return v
}

func fallbackOf(f *config.Function) *exchange.Fallback {
	fb := f.Fallback
	switch {
	case fb.Redirect != "":
		return &exchange.Fallback{Redirect: fb.Redirect, Status: fb.Status}
	case fb.Body == "" && len(fb.Headers) == 0 && fb.Status == http.StatusServiceUnavailable:
		return nil
	}
	h := map[string]string{"Content-Type": fb.ContentType}
	maps.Copy(h, fb.Headers)
	return &exchange.Fallback{Status: fb.Status, Body: fb.Body, Header: h}
}

func breakerOf(f *config.Function) *breaker.Config {
	c := f.CircuitBreaker
	if c.Disabled || !f.Enabled {
		return nil
	}
	b := &breaker.Config{
		FailureThreshold: c.FailureThreshold, RecoveryTimeout: c.RecoveryTimeout.Std(),
		MaxRecoveryTimeout: c.MaxRecoveryTimeout.Std(), HalfOpenMaxCalls: c.HalfOpenMaxCalls,
		Growth: c.Growth, JitterPercent: orOff(c.JitterPercent),
		HalfOpenTimeout: max(c.RecoveryTimeout.Std(), f.Timeouts.Exchange.Std()),
	}
	if c.FailureThreshold == 0 {
		b.FailureThreshold = -1
	}
	switch w := c.Window; {
	case w.Calls > 0:
		b.Window = windowOf(breaker.WindowCount, w)
	case w.Duration > 0:
		b.Window = windowOf(breaker.WindowTime, w)
	}
	return b
}

func windowOf(kind breaker.WindowKind, w config.BreakerWindow) breaker.Window {
	return breaker.Window{
		Kind: kind, Calls: w.Calls, Duration: w.Duration.Std(), MinimumCalls: w.MinimumCalls,
		FailureRatePercent: orOff(w.FailureRatePercent), SlowCallRatePercent: w.SlowCallRatePercent,
		SlowCallDuration: w.SlowCallDuration.Std(),
	}
}

func balancerOf(f *config.Function) (balancer.Config, error) {
	lb := f.LoadBalancing
	strategy, err := balancer.ParseStrategy(lb.Strategy)
	if err != nil {
		return balancer.Config{}, err
	}
	e := lb.Ejection
	return balancer.Config{
		Strategy: strategy, Zone: lb.Zone, Region: lb.Region,
		OverprovisioningFactor: lb.OverprovisioningFactor, PanicThreshold: lb.PanicThresholdPercent / 100,
		HashBalanceFactor: lb.HashBalanceFactor,
		SlowStart: balancer.SlowStart{
			Window: lb.SlowStart.Window.Std(), Aggression: lb.SlowStart.Aggression, MinWeightPercent: lb.SlowStart.MinWeightPercent,
		},
		Ejection: balancer.Ejection{
			Disabled: e.Disabled || !f.Enabled, ConsecutiveFailures: int(orOff(float64(e.ConsecutiveFailures))),
			FailureRatePercent: orOff(e.FailureRatePercent), MinRequests: e.MinRequests, LatencyFactor: orOff(e.LatencyFactor),
			BaseTime: e.BaseTime.Std(), MaxTime: e.MaxTime.Std(), MaxPercent: math.Max(e.MaxPercent, 0.001),
		},
	}, nil
}

func optionsOf(f *config.Function) middleware.Options {
	o := middleware.Options{
		ReplayLimit: int64(f.Retry.BodyLimit), InstanceHost: f.Host == "instance",
		SecureCookie: f.LoadBalancing.Affinity.Secure,
	}
	if f.Retry.BodyLimit == 0 {
		o.ReplayLimit = -1
	}
	switch f.LoadBalancing.Affinity.SameSite {
	case "strict":
		o.SameSite = http.SameSiteStrictMode
	case "none":
		o.SameSite = http.SameSiteNoneMode
	}
	return o
}
