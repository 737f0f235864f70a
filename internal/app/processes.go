package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"

	"holdfast/internal/config"
	"holdfast/internal/event"
	"holdfast/internal/platform/process"
)

// processes runs the functions that are on platform process.
type processes struct {
	instances *instances
	events    *event.Bus
	logger    *slog.Logger
	guard     []string
	ctx       context.Context //nolint:containedctx // the life of all drivers, given once
	wg        sync.WaitGroup

	mu     sync.Mutex
	groups map[string]*processGroup // by function
}

func newProcesses(ctx context.Context, i *instances, events *event.Bus, logger *slog.Logger, guard []string) *processes {
	return &processes{ctx: ctx, instances: i, events: events, logger: logger, guard: guard, groups: map[string]*processGroup{}}
}

func processSpec(name string, f *config.Function) process.Spec {
	p := f.Platform.Process
	return process.Spec{
		Function: name, Command: p.Command, Env: p.Env, Dir: p.Dir, Instances: p.Instances, WarmSpares: p.WarmSpares,
		Ports:        process.Range{From: p.Ports.From, To: p.Ports.To},
		ReadyTimeout: p.ReadyTimeout.Std(), StopTimeout: p.StopTimeout.Std(),
		Output: process.Output{File: p.Output},
	}
}

// check refuses what no driver could run, before anything is changed.
func (p *processes) check(name string, f *config.Function) error {
	if _, err := process.New(processSpec(name, f), process.Config{}); err != nil {
		return fmt.Errorf("function %s: %w", name, err)
	}
	return nil
}

// apply starts, scales, replaces or keeps a function's processes.
func (p *processes) apply(name string, f *config.Function) error {
	spec := processSpec(name, f)
	g := p.group(name)
	g.applying.Lock()
	defer g.applying.Unlock()
	current := g.adopt(f)
	switch {
	case current == nil:
		return g.start(spec)
	case !sameButCounts(current.spec, spec):
		return g.replace(current, spec)
	case current.spec.Instances != spec.Instances || current.spec.WarmSpares != spec.WarmSpares:
		before := current.spec
		current.spec = spec
		return errors.Join(g.scale(current, spec.Instances), g.spare(current, before.WarmSpares, spec.WarmSpares))
	default:
		return g.tell() // the way they are checked may have changed
	}
}

func (p *processes) group(name string) *processGroup {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.groups[name]
	if g == nil {
		g = &processGroup{name: name, owner: p, lives: newLives(name, p.instances)}
		p.groups[name] = g
	}
	return g
}

// find returns a function's group, or nil.
func (p *processes) find(name string) *processGroup {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.groups[name]
}

func sameButCounts(a, b process.Spec) bool {
	a.Instances, a.WarmSpares = b.Instances, b.WarmSpares
	return reflect.DeepEqual(a, b)
}

// stop ends a function's processes once their exchanges are finished.
func (p *processes) stop(name string) {
	p.mu.Lock()
	g := p.groups[name]
	delete(p.groups, name)
	p.mu.Unlock()
	if g != nil {
		p.wg.Go(g.retireAll)
	}
}

// wait returns when all processes are gone; the context given at the start
// must have ended.
func (p *processes) wait() { p.wg.Wait() }
