package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/exchange"
	"holdfast/internal/event"
	"holdfast/internal/http1"
	"holdfast/internal/telemetry"
	"holdfast/middleware"
)

// Config configures a Gateway.
type Config struct {
	Logger *slog.Logger
	Access *telemetry.Lines // the access log; nil: none is kept
	Events *event.Bus
	// Records is how many exchanges are remembered for explain; 0: 10,000.
	Records        int
	TrustedProxies []netip.Prefix
	// Failed is told, without delay, that an attempt on an instance failed in a
	// way that a health check should look into. May be nil.
	Failed func(function, instance string)
	// Observe gets the record of each finished exchange, valid during the call. It
	// must not block. May be nil.
	Observe func(*exchange.Record)
	// Secret signs affinity cookies.
	Secret []byte
	// Strict lets net/http read nothing, from clients and from instances, that
	// the parsers of internal/http1 have not accepted and written anew.
	Strict bool
	// Dial connects to instances where the loops do not; nil: TCP.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Spec is a function as it is wanted.
type Spec struct {
	Config  exchange.FunctionConfig
	Routes  []exchange.Route // without Function
	Options middleware.Options
	// Fallback names the function that answers instead; "" for none of it.
	Fallback string
}

// Gateway holds the functions and serves their requests. Safe for concurrent
// use.
type Gateway struct {
	config  Config
	machine *exchange.Machine
	engine  *middleware.Engine
	polled  atomic.Bool // loops can connect to all instances there are
	access  *accessLog
	failed  sync.Map // *balancer.Instance that has failed and is not back yet

	mu        sync.Mutex // one change at a time
	functions atomic.Pointer[map[string]*function]
}

// function is a running function with what the engine needs besides.
type function struct {
	*exchange.Function
	options middleware.Options
	polled  *atomic.Bool // loops can connect to all of its instances
}

// New makes a gateway without functions.
func New(c Config) *Gateway {
	g := &Gateway{config: c, access: &accessLog{lines: c.Access}}
	g.functions.Store(&map[string]*function{})
	g.machine = exchange.NewMachine(exchange.MachineConfig{Records: c.Records, Observe: g.observe})
	e := middleware.EngineConfig{Machine: g.machine, TrustedProxies: c.TrustedProxies, Options: g.optionsOf, Dial: c.Dial}
	if c.Strict {
		e.Conn = http1.NewStrict(http1.StrictConfig{}).Instance
	}
	g.engine = middleware.NewEngine(e)
	return g
}

func (g *Gateway) optionsOf(fn *exchange.Function) middleware.Options {
	if f := (*g.functions.Load())[fn.Name()]; f != nil {
		return f.options
	}
	return middleware.Options{}
}

// Handler serves the gateway's requests.
func (g *Gateway) Handler() http.Handler { return g.engine }

// Records returns the remembered exchanges.
func (g *Gateway) Records() *exchange.Ring { return g.machine.Records() }

// SetTracing says how exchanges that begin from now on get their place in a
// trace; nil: they get none.
func (g *Gateway) SetTracing(t *exchange.Tracing) { g.machine.SetTracing(t) }

// Router returns the routes in force.
func (g *Gateway) Router() *exchange.Router { return g.machine.Router() }

// Function returns a function by name, or nil.
func (g *Gateway) Function(name string) *exchange.Function {
	if f := (*g.functions.Load())[name]; f != nil {
		return f.Function
	}
	return nil
}

// Functions returns all functions by name.
func (g *Gateway) Functions() []*exchange.Function {
	var list []*exchange.Function
	for _, f := range *g.functions.Load() {
		list = append(list, f.Function)
	}
	slices.SortFunc(list, func(a, b *exchange.Function) int {
		if a.Name() < b.Name() {
			return -1
		}
		return 1
	})
	return list
}

// Apply makes the functions those of specs: new ones are made, known ones get
// their new rules and keep what they learnt, others are no longer routed
// (their exchanges under way finish). On an error nothing changes that can be
// seen from outside but the rules of functions before the faulty one.
func (g *Gateway) Apply(specs []Spec, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	next, err := g.prepare(specs)
	if err != nil {
		return err
	}
	router, err := exchange.NewRouter(routesOf(specs, next))
	if err != nil {
		return fmt.Errorf("compile routes: %w", err)
	}
	for i := range specs {
		c := specs[i].Config
		if err := next[c.Name].Update(g.resolve(c, specs[i].Fallback, next)); err != nil {
			return err
		}
	}
	before := *g.functions.Swap(&next)
	g.machine.SetRouter(router)
	for name, f := range before {
		if next[name] == nil {
			g.forgetFailed(f.Balancer().Instances())
			f.SetInstances(nil, now)
			g.engine.Forget(f.Function)
		}
	}
	g.polled.Store(g.allPolled())
	return nil
}

// prepare finds or makes the functions; fallbacks are resolved once all exist.
func (g *Gateway) prepare(specs []Spec) (map[string]*function, error) {
	known, next := *g.functions.Load(), map[string]*function{}
	for i := range specs {
		c := specs[i].Config
		c.Secret = g.config.Secret
		if f := known[c.Name]; f != nil {
			next[c.Name] = &function{f.Function, specs[i].Options, f.polled}
			continue
		}
		f, err := exchange.NewFunction(g.watched(c))
		if err != nil {
			return nil, err
		}
		next[c.Name] = &function{f, specs[i].Options, new(atomic.Bool)}
		next[c.Name].polled.Store(true) // has none yet
	}
	return next, nil
}

func (g *Gateway) resolve(c exchange.FunctionConfig, fallback string, all map[string]*function) exchange.FunctionConfig {
	c = g.watched(c)
	if f := all[fallback]; f != nil {
		c.Policy.Fallback = &exchange.Fallback{Function: f.Function}
	}
	return c
}

func routesOf(specs []Spec, all map[string]*function) []exchange.Route {
	var routes []exchange.Route
	for i := range specs {
		for _, r := range specs[i].Routes {
			r.Function = all[specs[i].Config.Name].Function
			routes = append(routes, r)
		}
	}
	return routes
}
