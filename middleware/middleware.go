package middleware

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
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
	// Programs that share clients share it.
	Secret []byte
	// Dial connects to instances, for requests and checks; nil: TCP.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Observe is called at the end of each exchange with its record, which is
	// only valid during the call; it must not block. May be nil.
	Observe func(*exchange.Record)
	// Tracing gives exchanges their place in a trace, and instances the
	// traceparent of it; the records hold what the spans say. nil: fields of a trace
	// pass as they came.
	Tracing *exchange.Tracing
}

// Function is one function: where its requests come from and who answers them.
// Zero fields take the defaults of their packages.
type Function struct {
	// Name is unique; it shows in records and statistics.
	Name string
	// Routes lead to the function; their Function is filled in. A function
	// without routes is only reached as a fallback.
	Routes []exchange.Route
	// Instances answer. An ID that is empty becomes the endpoint's host;
	// endpoints are http://host:port or https://host:port.
	Instances []balancer.Spec
	// Policy says how requests are treated. A Policy.Retry that is all zero
	// becomes retry.DefaultPolicy; NoRetry is the way to have none.
	Policy  exchange.Policy
	NoRetry bool
	// Balancer, Breaker and Budget are those of the function alone.
	Balancer balancer.Config
	Breaker  breaker.Config
	Budget   retry.BudgetConfig
	Options  Options
	// Fallback names the function that answers when this one cannot. It
	// excludes Policy.Fallback.
	Fallback string
	// HealthPath is checked by Handler.Run; "": no active checks, results alone
	// judge the instances.
	HealthPath string
	// Health says how often HealthPath is checked.
	Health health.Policy
}

// Handler serves functions; it is an http.Handler and, with Wrap, a middleware.
// Safe for concurrent use.
type Handler struct {
	*Engine
	machine   *exchange.Machine
	functions map[string]*exchange.Function
	checks    []check
}

// New makes a handler for functions. An error names the function and the field.
func New(c Config) (*Handler, error) {
	h := &Handler{
		machine:   exchange.NewMachine(exchange.MachineConfig{Observe: c.Observe}),
		functions: map[string]*exchange.Function{},
	}
	options := map[*exchange.Function]Options{}
	for i := range c.Functions {
		f := &c.Functions[i]
		if f.Name == "" || h.functions[f.Name] != nil {
			return nil, fmt.Errorf("function name %q is empty or used twice", f.Name)
		}
		fn, err := exchange.NewFunction(f.config(c.Secret))
		if err != nil {
			return nil, err
		}
		h.functions[f.Name], options[fn] = fn, f.Options
	}
	router, err := h.connect(&c)
	if err != nil {
		return nil, err
	}
	h.machine.SetRouter(router)
	h.machine.SetTracing(c.Tracing)
	h.Engine = NewEngine(EngineConfig{
		Machine: h.machine, TrustedProxies: c.TrustedProxies, Dial: c.Dial,
		Options: func(fn *exchange.Function) Options { return options[fn] },
	})
	return h, nil
}

// Function returns a function by name, for its statistics, breaker and
// instances; nil if there is none.
func (h *Handler) Function(name string) *exchange.Function { return h.functions[name] }

// Records returns the remembered exchanges, to explain what became of a
// request: Records().Find(id) with the X-Request-Id of its answer.
func (h *Handler) Records() *exchange.Ring { return h.machine.Records() }

func (f *Function) config(secret []byte) exchange.FunctionConfig {
	p := f.Policy
	switch {
	case f.NoRetry:
		p.Retry.Attempts = 0
	case p.Retry.Attempts == 0 && p.Retry.Statuses == nil:
		p.Retry = retry.DefaultPolicy()
	}
	return exchange.FunctionConfig{
		Name: f.Name, Policy: p, Balancer: f.Balancer, Breaker: &f.Breaker, Budget: f.Budget, Secret: secret,
	}
}

// connect resolves fallbacks, fills in instances and compiles the routes.
func (h *Handler) connect(c *Config) (*exchange.Router, error) {
	var routes []exchange.Route
	for i := range c.Functions {
		f := &c.Functions[i]
		fn := h.functions[f.Name]
		if err := h.connectFallback(fn, f, c.Secret); err != nil {
			return nil, fmt.Errorf("function %s: %w", f.Name, err)
		}
		if err := h.addInstances(fn, f, c); err != nil {
			return nil, fmt.Errorf("function %s: %w", f.Name, err)
		}
		for _, r := range f.Routes {
			r.Function = fn
			routes = append(routes, r)
		}
	}
	return exchange.NewRouter(routes)
}

func (h *Handler) connectFallback(fn *exchange.Function, f *Function, secret []byte) error {
	if f.Fallback == "" {
		return nil
	}
	fallback := h.functions[f.Fallback]
	if fallback == nil {
		return fmt.Errorf("there is no function %q to fall back to", f.Fallback)
	}
	if f.Policy.Fallback != nil {
		return errors.New("set Fallback or Policy.Fallback, not both")
	}
	c := f.config(secret)
	c.Policy.Fallback = &exchange.Fallback{Function: fallback}
	return fn.Update(c)
}

func (h *Handler) addInstances(fn *exchange.Function, f *Function, c *Config) error {
	var list []*balancer.Instance
	known := map[string]bool{}
	for _, s := range f.Instances {
		u, err := parseEndpoint(s.Endpoint)
		if err != nil {
			return err
		}
		if s.ID == "" {
			s.ID = u.Host
		}
		if known[s.ID] {
			return fmt.Errorf("instance id %q is used twice", s.ID)
		}
		known[s.ID] = true
		i := balancer.NewInstance(s)
		list = append(list, i)
		if err := h.addCheck(fn, i, f, u, c); err != nil {
			return err
		}
	}
	now := time.Now()
	fn.SetInstances(list, now)
	if f.HealthPath == "" {
		for _, i := range list {
			fn.Balancer().SetHealth(i, balancer.HealthUp, "not checked", now)
		}
	}
	return nil
}

var errEndpoint = errors.New("want http://host:port or https://host:port")

func parseEndpoint(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") &&
		u.User == nil && (u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == "" {
		return u, nil
	}
	return nil, fmt.Errorf("endpoint %q: %w", endpoint, errEndpoint)
}
