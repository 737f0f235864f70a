package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/health"
	"holdfast/internal/admin/access/outbound"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/event"
	"holdfast/internal/platform"
)

// ordersCopy is the file in the data directory that keeps the orders for a
// start without the store.
const ordersCopy = "orders.json"

// orders is what control acts through: it turns a State into a configuration
// and puts that in force.
type orders struct {
	app      *App
	files    fileCache
	outbound *outbound.Guard
}

// fileCache keeps the files of the configuration in force, so that an order
// does not depend on what somebody is writing into them now.
type fileCache struct {
	mu    sync.Mutex
	texts map[string][]byte
}

// reader reads from the file system and remembers into texts.
func reader(texts map[string][]byte) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		text, err := config.ReadFile(name)
		if err != nil {
			return nil, err
		}
		texts[name] = text
		return text, nil
	}
}

// kept reads what was remembered.
func (c *fileCache) kept(name string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text, ok := c.texts[name]
	if !ok {
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
	}
	return text, nil
}

func (c *fileCache) keep(texts map[string][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.texts = texts
}

// optionsUnder lays a State over what the command line says.
func (a *App) optionsUnder(s *control.State) config.Options {
	o := a.options.Config
	o.Overrides = maps.Clone(o.Overrides)
	if o.Overrides == nil {
		o.Overrides = map[string]any{}
	}
	maps.Copy(o.Overrides, s.Layer())
	return o
}

// loadFresh reads the configuration from its files; keep makes these the ones
// that orders are checked with.
func (a *App) loadFresh(s *control.State) (c *config.Config, origins *config.Origins, keep func(), err error) {
	o, texts := a.optionsUnder(s), map[string][]byte{}
	o.ReadFile = reader(texts)
	c, origins, err = config.Load(o)
	return c, origins, func() { a.orders.files.keep(texts) }, err
}

// loadKept reads the configuration from the files as they were when it came
// into force.
func (a *App) loadKept(s *control.State) (*config.Config, *config.Origins, error) {
	o := a.optionsUnder(s)
	o.ReadFile = a.orders.files.kept
	return config.Load(o)
}

// ordered is a configuration with the orders of a State worked in.
func ordered(c *config.Config, s *control.State) *config.Config {
	out := *c
	out.Functions = make(map[string]*config.Function, len(c.Functions))
	for name, f := range c.Functions {
		out.Functions[name] = orderedFunction(f, s.Orders(name))
	}
	return &out
}

func orderedFunction(f *config.Function, o control.Orders) *config.Function {
	out := *f
	if o.Stopped != nil {
		out.Enabled, out.Health.Disabled = false, true
	}
	if p := f.Platform.Process; p != nil {
		process := *p
		process.Instances = o.Instances(p.Instances, f.Scaling.MinInstances, f.Scaling.MaxInstances)
		out.Platform.Process = &process
	}
	return &out
}

// Function implements control.Runtime.
func (o *orders) Function(name string) *exchange.Function { return o.app.gateway.Function(name) }

// Check implements control.Runtime.
func (o *orders) Check(s *control.State) []control.Problem {
	c, _, err := o.app.loadKept(s)
	if problems, ok := errors.AsType[config.Problems](err); ok {
		list := make([]control.Problem, len(problems))
		for i, p := range problems {
			list[i] = control.Problem{Field: p.Path, Message: p.Message, Hint: p.Hint}
		}
		return list
	}
	if err == nil {
		err = Check(c)
	}
	if err != nil {
		return []control.Problem{{Field: "functions", Message: err.Error()}}
	}
	return o.closed(s)
}

// closed finds keys that were set while the command line allowed it, which it
// no longer does.
func (o *orders) closed(s *control.State) []control.Problem {
	var list []control.Problem
	for _, path := range s.Keys() {
		if why, block := o.Settable(path); why != "" && !block {
			list = append(list, control.Problem{Field: path, Message: why, Hint: "start with --allow-api-commands, or unset it"})
		}
	}
	return list
}

// Put implements control.Runtime.
func (o *orders) Put(s *control.State) error {
	a := o.app
	a.reloading.Lock()
	defer a.reloading.Unlock()
	c, origins, err := a.loadKept(s)
	if err != nil {
		return err
	}
	if err := a.force(c, origins, s); err != nil {
		return err
	}
	for name := range s.Functions { // what is ordered about scaling holds at once
		a.scaler.Wake(name)
	}
	return nil
}

// force puts a configuration under a State in force and tells what changed.
// Requires a.reloading.
func (a *App) force(next *config.Config, origins *config.Origins, s *control.State) error {
	changes := config.Diff(a.config.Load(), next)
	if err := a.apply(ordered(next, s)); err != nil {
		return fmt.Errorf("apply configuration: %w", err)
	}
	a.config.Store(next)
	a.origins.Store(origins)
	a.setLevels(next)
	for _, c := range changes {
		a.events.Publish(event.Event{Kind: event.Config, To: "changed", Reason: c.String()})
		if needsRestart(c.Path) {
			a.logger.Warn("this change takes effect after a restart", "setting", c.Path)
		}
	}
	return nil
}

// Enabled implements control.Runtime. A configuration that does not load says
// nothing against it: Check does.
func (o *orders) Enabled(s *control.State, function string) bool {
	c := o.app.config.Load()
	if s != o.app.control.State() {
		var err error
		if c, _, err = o.app.loadKept(s); err != nil {
			return true
		}
	}
	f := c.Functions[function]
	return f == nil || f.Enabled
}

// Settable implements control.Runtime. Keys that do not exist are left to the
// loader, which knows what may have been meant, unless they are inside of one
// that is closed.
func (o *orders) Settable(path string) (string, bool) {
	programs := o.app.options.APICommands
	if config.Known(path) {
		return config.Settable(path, programs)
	}
	for end := strings.LastIndexByte(path, '.'); end > 0; end = strings.LastIndexByte(path[:end], '.') {
		if why, block := config.Settable(path[:end], programs); config.Known(path[:end]) && why != "" && !block {
			return why, false
		}
	}
	return "", false
}

// CheckURL implements control.Runtime.
func (o *orders) CheckURL(ctx context.Context, url string) error {
	t, err := o.outbound.Check(ctx, url)
	if err != nil {
		return err
	}
	if _, err := netip.ParseAddr(t.Host); err != nil {
		return errName
	}
	return nil
}

// errName: nobody asks again where a name leads once an instance is set.
var errName = errors.New("must be an address: a name could lead somewhere else tomorrow")

// Recheck implements control.Runtime.
func (o *orders) Recheck(function string) {
	c := ordered(o.app.config.Load(), o.app.control.State())
	if f := c.Functions[function]; f != nil {
		o.app.instances.recheck(function, f)
	}
}

// Scaling implements control.Runtime.
func (o *orders) Scaling(function string) control.Scaling {
	c, s := o.app.config.Load(), o.app.control.State()
	f := c.Functions[function]
	if r := o.app.remotes.find(function); f != nil && r != nil {
		out := o.scalingOf(r, f)
		out.Rests = restsBecause(function, orderedFunction(f, s.Orders(function)), s)
		return out
	}
	if f == nil || f.Platform.Process == nil {
		return control.Scaling{Platform: "static"}
	}
	out := control.Scaling{
		Platform: "process", Configured: f.Platform.Process.Instances,
		Min: f.Scaling.MinInstances, Max: f.Scaling.MaxInstances, ReadyIn: f.Platform.Process.ReadyTimeout.Std(),
	}
	wanted := o.app.scaled(function, orderedFunction(f, s.Orders(function)))
	out.Wanted = wanted.Platform.Process.Instances
	out.Rests = restsBecause(function, orderedFunction(f, s.Orders(function)), s)
	out.Unordered = o.app.counts.instances(function, f, &control.Orders{})
	o.count(function, &out)
	return out
}

// count fills in what is there. While more instances are there than wanted,
// those are the ones that count: they are still going.
func (o *orders) count(function string, out *control.Scaling) {
	g := o.app.processes.find(function)
	if g == nil {
		return
	}
	list := g.present()
	for _, i := range list {
		if i.State == platform.CrashLoop || i.State == platform.Gone && i.Restarts > 1 {
			out.Trouble = i.ID + ": " + i.Reason
		}
	}
	out.Ready = o.ready(function)
	if len(list) > out.Wanted {
		out.Ready = len(list)
	}
}

// ready is how many instances of a function run and pass their checks.
func (o *orders) ready(function string) (n int) {
	fn := o.Function(function)
	if fn == nil {
		return 0
	}
	stats := fn.Balancer().Stats(time.Now())
	for k := range stats.Instances {
		if i := &stats.Instances[k]; i.Lifecycle == balancer.Running && i.Health == balancer.HealthUp {
			n++
		}
	}
	return n
}

// present returns the processes that are there, those on their way out too, but
// no spares.
func (g *processGroup) present() []platform.Instance {
	g.mu.Lock()
	defer g.mu.Unlock()
	return withoutSpares(g.list())
}

// recheck makes the checks of a function run now, with what they know.
func (s *instances) recheck(name string, f *config.Function) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, c := range s.checked {
		if c.function != name || f.Health.Disabled {
			continue
		}
		initial := health.Unknown
		if v, ok := s.prober.View(key); ok {
			initial = v.State
		}
		if err := s.probe(key, f, c.instance, initial); err != nil {
			return // the same check was made before
		}
	}
}

// heldBack tells who starts a Holdfast that what was ordered through the API
// does not fit the configuration any more.
func (a *App) heldBack(err error) {
	a.logger.Error("orders made through the API do not fit the configuration and are not in force",
		"problems", strings.ReplaceAll(err.Error(), "\n", "; "))
	a.events.Publish(event.Event{Kind: event.Config, To: "refused", Source: "override", Reason: err.Error()})
}
