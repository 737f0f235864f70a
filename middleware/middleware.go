package middleware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/health"
	"holdfast/retry"
)

// Config describes functions for New.
type Config struct {
	Functions []Function
	// TrustedProxies may tell who the client is; see EngineConfig.
	TrustedProxies []netip.Prefix
	// Secret signs affinity cookies (at least 16 bytes); needed only for them.
	Secret []byte
	Logger *slog.Logger
}

// Function is one function: where its requests come from and who answers them.
// Zero fields take the defaults of their packages.
type Function struct {
	Name      string
	Routes    []exchange.Route // their Function is filled in
	Instances []balancer.Spec  // ID is the endpoint's host when empty
	Policy    exchange.Policy  // retries: retry.DefaultPolicy when all zero
	Balancer  balancer.Config
	Breaker   breaker.Config
	Budget    retry.BudgetConfig
	Options   Options
	// Fallback names the function that answers when this one cannot.
	Fallback string
	// HealthPath is checked by Handler.Run; "": no active checks, results alone
	// judge the instances.
	HealthPath string
	// Health says how often HealthPath is checked.
	Health health.Policy
}

// Handler serves functions; it is an http.Handler and, with Wrap, a middleware.
type Handler struct {
	*Engine
	functions map[string]*exchange.Function
	checks    []check
}

// New makes a handler for functions. An error names the function and the field.
func New(c Config) (*Handler, error) {
	h := &Handler{functions: map[string]*exchange.Function{}}
	options := map[string]Options{}
	for _, f := range c.Functions {
		if f.Name == "" || h.functions[f.Name] != nil {
			return nil, fmt.Errorf("function name %q is empty or used twice", f.Name)
		}
		fn, err := exchange.NewFunction(f.config(c.Secret, nil))
		if err != nil {
			return nil, err
		}
		h.functions[f.Name], options[f.Name] = fn, f.Options
	}
	router, err := h.connect(c)
	if err != nil {
		return nil, err
	}
	machine := exchange.NewMachine(exchange.MachineConfig{})
	machine.SetRouter(router)
	h.Engine = NewEngine(EngineConfig{
		Machine: machine, TrustedProxies: c.TrustedProxies, Logger: c.Logger,
		Options: func(fn *exchange.Function) Options { return options[fn.Name()] },
	})
	return h, nil
}

// Function returns a function by name, for its statistics and breaker; nil if
// there is none.
func (h *Handler) Function(name string) *exchange.Function { return h.functions[name] }

func (f *Function) config(secret []byte, fallback *exchange.Function) exchange.FunctionConfig {
	p := f.Policy
	if p.Retry.Attempts == 0 && p.Retry.Statuses == nil {
		p.Retry = retry.DefaultPolicy()
	}
	if fallback != nil {
		p.Fallback = &exchange.Fallback{Function: fallback}
	}
	return exchange.FunctionConfig{
		Name: f.Name, Policy: p, Balancer: f.Balancer, Breaker: &f.Breaker, Budget: f.Budget, Secret: secret,
	}
}

// connect resolves fallbacks, fills in instances and compiles the routes.
func (h *Handler) connect(c Config) (*exchange.Router, error) {
	var routes []exchange.Route
	for _, f := range c.Functions {
		fn := h.functions[f.Name]
		if f.Fallback != "" {
			fallback := h.functions[f.Fallback]
			if fallback == nil {
				return nil, fmt.Errorf("function %s: no function %q to fall back to", f.Name, f.Fallback)
			}
			if err := fn.Update(f.config(c.Secret, fallback)); err != nil {
				return nil, err
			}
		}
		if err := h.addInstances(fn, &f); err != nil {
			return nil, fmt.Errorf("function %s: %w", f.Name, err)
		}
		for _, r := range f.Routes {
			r.Function = fn
			routes = append(routes, r)
		}
	}
	return exchange.NewRouter(routes)
}

var errEndpoint = errors.New("want http://host:port or https://host:port")

func (h *Handler) addInstances(fn *exchange.Function, f *Function) error {
	var list []*balancer.Instance
	for _, s := range f.Instances {
		u, err := url.Parse(s.Endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("endpoint %q: %w", s.Endpoint, errEndpoint)
		}
		if s.ID == "" {
			s.ID = u.Host
		}
		i := balancer.NewInstance(s)
		list = append(list, i)
		if f.HealthPath == "" {
			continue
		}
		checker, err := health.NewHTTP(health.HTTPConfig{URL: u.JoinPath(f.HealthPath).String()})
		if err != nil {
			return fmt.Errorf("health check: %w", err)
		}
		h.checks = append(h.checks, check{fn, i, checker, f.Health})
	}
	fn.SetInstances(list, time.Now())
	if f.HealthPath == "" {
		for _, i := range list {
			fn.Balancer().SetHealth(i, balancer.HealthUp, "not checked", time.Now())
		}
	}
	return nil
}

// check is the health check of one instance.
type check struct {
	fn       *exchange.Function
	instance *balancer.Instance
	checker  *health.HTTP
	policy   health.Policy
}

// Run checks the instances of functions with a HealthPath until ctx ends. Such
// instances get no requests before their first good check.
func (h *Handler) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, c := range h.checks {
		wg.Go(func() { c.run(ctx) })
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
