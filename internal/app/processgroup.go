package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/platform"
	"holdfast/internal/platform/process"
)

// processGroup is the processes of one function. Usually one driver runs them;
// while a new command takes over from an old one, two do: the old processes go
// once the new ones run, so that a command that does not start costs nothing.
type processGroup struct {
	name  string
	owner *processes

	applying sync.Mutex // one configuration at a time; taken before mu

	mu        sync.Mutex // guards what follows
	function  *config.Function
	drivers   []*processDriver // the last one is the current
	revisions int
	replaced  time.Time // when the last driver took over from another; zero: none did
	lives     *lives
	retired   bool
}

type processDriver struct {
	*process.Driver
	spec   process.Spec // as wanted; guarded by the group's applying
	cancel context.CancelFunc
	done   chan struct{} // closed when all its processes are gone
}

// adopt takes a new configuration and returns the current driver.
func (g *processGroup) adopt(f *config.Function) *processDriver {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.function = f
	if len(g.drivers) == 0 {
		return nil
	}
	return g.drivers[len(g.drivers)-1]
}

// start adds a driver. From the second one on, instances carry the revision
// in their names, since the old ones may still be there.
func (g *processGroup) start(spec process.Spec) error {
	p := g.owner
	g.mu.Lock()
	defer g.mu.Unlock()
	g.revisions++
	named := spec
	if g.revisions > 1 {
		g.replaced = time.Now()
		named.Function = fmt.Sprintf("%s-r%d", spec.Function, g.revisions)
	}
	driver, err := process.New(named, process.Config{
		Logger: p.logger, OnChange: g.changed, Drain: g.drain, Fit: g.fit, Guard: p.guard,
		Output: func(id, line string) {
			p.logger.Debug("output", "function", g.name, "instance", id, "line", line)
		},
	})
	if err != nil {
		return fmt.Errorf("function %s: %w", g.name, err)
	}
	ctx, cancel := context.WithCancel(p.ctx)
	d := &processDriver{Driver: driver, spec: spec, cancel: cancel, done: make(chan struct{})}
	g.drivers = append(g.drivers, d)
	p.wg.Go(func() {
		defer close(d.done)
		if err := driver.Run(ctx); err != nil {
			p.logger.Error("run processes", "function", g.name, "error", err)
		}
	})
	return nil
}

// replace starts the processes of a new command and lets all earlier ones go as
// soon as the new ones run; at once when their ports do not suffice for both.
func (g *processGroup) replace(old *processDriver, spec process.Spec) error {
	if ports := spec.Ports; ports.To > 0 && ports.To-ports.From+1 < processesOf(&old.spec)+processesOf(&spec) {
		for _, d := range g.all() {
			g.owner.wg.Go(func() { g.retire(d) })
		}
		return g.start(spec)
	}
	if err := g.start(spec); err != nil {
		return err
	}
	all := g.all()
	earlier, d := all[:len(all)-1], all[len(all)-1]
	g.owner.wg.Go(func() {
		if spec.Instances > 0 && !g.running(d) {
			return
		}
		// More than one, when those in between never ran.
		var wg sync.WaitGroup
		for _, e := range earlier {
			wg.Go(func() { g.retire(e) })
		}
		wg.Wait()
	})
	return nil
}

// deploy says whether a new command is taking over from an old one, and when the
// last one did.
func (g *processGroup) deploy() (now bool, since time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.drivers) > 1, g.replaced
}

func (g *processGroup) all() []*processDriver {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.drivers)
}

// running waits until all instances of a driver run; false: it ended before.
func (g *processGroup) running(d *processDriver) bool {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		list := withoutSpares(d.Instances())
		up := len(list) > 0 && !slices.ContainsFunc(list, func(i platform.Instance) bool { return i.State != platform.Running })
		if up {
			return true
		}
		select {
		case <-ticker.C:
		case <-d.done:
			return false
		}
	}
}

// scale orders another number of processes. It returns before they have come or
// gone, so that orders keep their order.
func (g *processGroup) scale(d *processDriver, n int) error {
	wait, err := d.Order(g.owner.ctx, n)
	if errors.Is(err, process.ErrEnded) || errors.Is(err, context.Canceled) {
		return nil // all of them end
	}
	if err != nil {
		return fmt.Errorf("scale %s to %d: %w", g.name, n, err)
	}
	g.owner.wg.Go(func() {
		if err := wait(); err != nil && !errors.Is(err, process.ErrCalledOff) && g.owner.ctx.Err() == nil {
			g.owner.logger.Error("scale processes", "function", g.name, "error", err)
		}
	})
	return nil
}

// retire drains a driver's instances, ends it and forgets it.
func (g *processGroup) retire(d *processDriver) {
	var wg sync.WaitGroup
	for _, i := range d.Instances() {
		wg.Go(func() { _ = g.drain(g.owner.ctx, i.ID) }) // what did not finish in time is cut
	}
	wg.Wait()
	d.cancel()
	<-d.done
	g.mu.Lock()
	g.drivers = slices.DeleteFunc(g.drivers, func(x *processDriver) bool { return x == d })
	g.mu.Unlock()
	if err := g.tell(); err != nil {
		g.owner.logger.Error("update instances", "function", g.name, "error", err)
	}
}

func (g *processGroup) retireAll() {
	g.mu.Lock()
	g.retired = true
	g.mu.Unlock()
	for _, d := range g.all() {
		g.retire(d)
	}
}

// drain takes an instance out of rotation and waits until it is idle.
func (g *processGroup) drain(ctx context.Context, id string) error {
	return g.owner.instances.drain(ctx, g.name, id, "being stopped")
}

// changed is told of every change of an instance.
func (g *processGroup) changed(i platform.Instance) {
	g.mu.Lock()
	e, news := g.lives.news(&i)
	g.mu.Unlock()
	if news {
		g.owner.events.Publish(e)
	}
	if err := g.tell(); err != nil {
		g.owner.logger.Error("update instances", "function", g.name, "error", err)
	}
}

// list returns the instances of all drivers, and their spares.
func (g *processGroup) list() []platform.Instance {
	var list []platform.Instance
	for _, d := range g.drivers {
		list = append(list, d.Instances()...)
	}
	return list
}

// tell gives the gateway the present instances and their states.
func (g *processGroup) tell() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.retired {
		return nil
	}
	return g.lives.tell(g.function, g.list())
}

// find returns an instance by id.
func (g *processGroup) find(id string) (platform.Instance, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, i := range g.list() {
		if i.ID == id {
			return i, true
		}
	}
	return platform.Instance{}, false
}
