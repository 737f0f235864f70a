package middleware

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/health"
)

// check is the health check of one instance.
type check struct {
	fn       *exchange.Function
	instance *balancer.Instance
	checker  *health.HTTP
	policy   health.Policy
}

func (h *Handler) addCheck(fn *exchange.Function, i *balancer.Instance, f *Function, endpoint *url.URL, c *Config) error {
	if f.HealthPath == "" {
		return nil
	}
	policy := f.Health.WithDefaults()
	checker, err := health.NewHTTP(health.HTTPConfig{
		URL:     endpoint.Scheme + "://" + endpoint.Host + "/" + strings.TrimPrefix(f.HealthPath, "/"),
		Timeout: policy.Timeout, DialContext: c.Dial, TLS: f.Options.TLS,
	})
	if err != nil {
		return fmt.Errorf("health check of %s: %w", i.ID(), err)
	}
	h.checks = append(h.checks, check{fn, i, checker, policy})
	return nil
}

// Run checks the instances of functions with a HealthPath until ctx ends. Such
// instances get no requests before their first good check. Run closes idle
// connections before it returns; its error is always nil.
func (h *Handler) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for i := range h.checks {
		wg.Go(func() { h.checks[i].run(ctx) })
	}
	wg.Wait()
	h.Close()
	return nil
}

func (c *check) run(ctx context.Context) {
	tracker := health.NewTracker(c.policy, health.Unknown)
	defer func() { _ = c.checker.Close() }() // an idle connection
	for {
		result := c.checker.Check(ctx)
		if ctx.Err() != nil {
			return
		}
		now := time.Now()
		tracker.Record(result, now)
		verdict := balancer.HealthDown
		if tracker.State() == health.Up {
			verdict = balancer.HealthUp
		}
		c.fn.Balancer().SetHealth(c.instance, verdict, result.Reason, now)
		if !pause(ctx, tracker.Next(now, rand.Uint64())) {
			return
		}
	}
}

// pause waits; false: ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
