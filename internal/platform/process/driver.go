package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"

	"holdfast/internal/child"
	"holdfast/internal/platform"
)

// Errors of Scale, Restart and Run that callers may ask for.
var (
	// ErrEnded: the driver's Run has returned or is about to.
	ErrEnded = errors.New("the process driver has ended")
	// ErrCalledOff: a later order wants an instance that was to go.
	ErrCalledOff = errors.New("a later order wants it")
	// ErrNoInstance: no instance has this id.
	ErrNoInstance = errors.New("no such instance")
)

// Driver runs the instances of one function. All methods are safe for
// concurrent use.
type Driver struct {
	spec  Spec
	cfg   Config
	log   *slog.Logger
	ports portSource
	spawn *child.Spawner
	guard *child.Guard
	file  *lineFile // of all instances; nil: each has its own, or none

	turn  chan struct{} // held by the one Order or Restart in progress
	grow  chan grow     // Scale asks Run, which owns the instances' goroutines
	ended chan struct{} // closed when Run takes nothing more

	drains             sync.WaitGroup // instances on their way out; added to under turn
	spares             int            // how many there shall be; guarded by turn once Run has begun
	starts, promotions boots

	mu    sync.Mutex // guards what follows
	ran   bool
	slots []*slot // in the order they were made
}

type grow struct {
	n, spares int // negative: none
	done      chan struct{}
}

// New checks the spec and makes a driver; nothing runs before Run. The error
// names every field that is wrong.
func New(spec Spec, cfg Config) (*Driver, error) {
	spec = spec.withDefaults()
	if err := spec.validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Environ == nil {
		cfg.Environ = child.Inheritable(os.Environ())
	}
	log := cfg.Logger.With("function", spec.Function)
	var shared *lineFile
	if !strings.Contains(spec.Output.File, "{id}") {
		shared = newLineFile("", spec.Output, log)
	}
	return &Driver{
		spec:   spec,
		cfg:    cfg,
		log:    log,
		file:   shared,
		spares: spec.WarmSpares,
		ports:  newPortSource(spec.Ports),
		spawn:  child.NewSpawner(),
		turn:   make(chan struct{}, 1),
		grow:   make(chan grow),
		ended:  make(chan struct{}),
	}, nil
}

// Run starts the instances and keeps them running until ctx ends; then it
// stops all of them and returns nil when the last process is gone. It may be
// called once. An instance that cannot start is no error of Run's: it is
// retried, and its state says why.
func (d *Driver) Run(ctx context.Context) error {
	if err := d.begin(); err != nil {
		return err
	}
	stopSpawner := d.spawn.Run()
	defer stopSpawner()
	var err error
	if d.guard, err = child.StartGuard(d.cfg.Guard, d.guardLost); err != nil {
		close(d.ended)
		return err
	}
	defer d.guard.Stop()

	var slots sync.WaitGroup
	d.add(ctx, &slots, d.spec.Instances, false)
	d.add(ctx, &slots, d.spec.WarmSpares, true)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case g := <-d.grow:
			d.add(ctx, &slots, g.n, false)
			d.add(ctx, &slots, g.spares, true)
			close(g.done)
		}
	}
	close(d.ended)
	slots.Wait()
	d.turn <- struct{}{} // for good: nobody begins a drain any more
	d.drains.Wait()
	return nil
}

func (d *Driver) guardLost(err error) {
	d.log.Warn("a new process guard is started: until then what the instances started would outlive a Holdfast that is killed", "error", err)
}

func (d *Driver) begin() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ran {
		return errors.New("run process driver: it has run already")
	}
	d.ran = true
	return nil
}

// add makes n instances and their goroutines.
func (d *Driver) add(ctx context.Context, slots *sync.WaitGroup, n int, spare bool) {
	for range n {
		ctx, cancel := context.WithCancel(ctx)
		s := d.newSlot(spare, cancel)
		life, _ := s.begin(ctx)
		slots.Go(func() {
			defer d.remove(s)
			s.run(ctx, life)
		})
	}
}

// newSlot gives the instance the smallest number that is free.
func (d *Driver) newSlot(spare bool, cancel context.CancelFunc) *slot {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := ""
	for n := 1; id == "" || d.findLocked(id) != nil; n++ {
		id = fmt.Sprintf("%s-%d", d.spec.Function, n)
	}
	s := newSlot(d, id, spare, cancel)
	d.slots = append(d.slots, s)
	return s
}

func (d *Driver) remove(s *slot) {
	d.mu.Lock()
	d.slots = slices.DeleteFunc(d.slots, func(other *slot) bool { return other == s })
	d.mu.Unlock()
	s.cancel()
	close(s.done)
}

func (d *Driver) findLocked(id string) *slot {
	for _, s := range d.slots {
		if s.id == id {
			return s
		}
	}
	return nil
}

func (d *Driver) find(id string) *slot {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.findLocked(id)
}

func (d *Driver) all() []*slot {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.slots)
}

// Instances gives the present instances, oldest first, and spares among them.
func (d *Driver) Instances() []platform.Instance {
	var list []platform.Instance
	for _, s := range d.all() {
		list = append(list, s.instance())
	}
	return list
}

// Output gives the latest lines the instance wrote, oldest first, over its
// restarts; nil when there is no such instance.
func (d *Driver) Output(id string) []string {
	if s := d.find(id); s != nil {
		return s.out.Lines()
	}
	return nil
}

// Scale is Order and the wait for it.
func (d *Driver) Scale(ctx context.Context, n int) error {
	wait, err := d.Order(ctx, n)
	if err == nil {
		err = wait()
	}
	if err != nil {
		return fmt.Errorf("scale %s to %d: %w", d.spec.Function, n, err)
	}
	return nil
}

// Order makes the number of instances n, spares not counted. Those that drain
// because of an earlier order stay, as far as they are wanted again; then spares
// become instances, and others are started in their place; more are being started
// when it returns, and OnChange tells when they are ready. Those that are too many, the
// newest, are drained and then stopped, side by side; wait returns nil when they
// are gone, and ErrCalledOff when one of them stays because of a later order.
// When ctx ends before, their stop goes on without it. Order waits for Run to
// begin, and for a Restart in progress, never for a drain.
func (d *Driver) Order(ctx context.Context, n int) (wait func() error, err error) {
	if n < 0 || n > maxInstances {
		return nil, fmt.Errorf("%d instances are not in 0..%d", n, maxInstances)
	}
	release, err := d.takeTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	live, spares, leaving := d.divided()
	staying := len(live)
	leaving = slices.DeleteFunc(leaving, func(s *slot) bool {
		kept := staying < n && s.keep()
		if kept {
			s.promote()
			staying++
		}
		return kept
	})
	if staying < n {
		promoted := d.promote(spares, n-staying)
		if err := d.scaleUp(ctx, n-staying-promoted, d.spares-len(spares)+promoted); err != nil {
			return nil, err
		}
	}
	list := make([]parting, 0, len(live)+len(leaving))
	for _, s := range live[min(n, len(live)):] {
		list = append(list, d.part(ctx, s, "scaled in"))
	}
	for _, s := range leaving {
		list = append(list, s.parting())
	}
	return func() error { return await(ctx, list) }, nil
}

// divided returns the instances that stay, the spares that do, and those on their
// way out, oldest first.
func (d *Driver) divided() (live, spares, leaving []*slot) {
	for _, s := range d.all() {
		switch {
		case s.isLeaving():
			leaving = append(leaving, s)
		case s.isSpare():
			spares = append(spares, s)
		default:
			live = append(live, s)
		}
	}
	return live, spares, leaving
}

// parting is an instance on its way out.
type parting struct {
	id         string
	nth        int // of the instance
	gone, kept <-chan struct{}
}

// part drains an instance and then stops it, unless it is called off.
func (d *Driver) part(ctx context.Context, s *slot, reason string) parting {
	ctx, callOff := context.WithCancel(ctx)
	l, running := s.retire(true, reason, callOff)
	p := s.parting()
	d.drains.Go(func() {
		defer callOff()
		if running {
			d.drain(ctx, s, l)
		}
		if s.departs(p, l) {
			s.cancel()
		}
	})
	return p
}

// await waits until all are gone.
func await(ctx context.Context, list []parting) error {
	for _, p := range list {
		select {
		case <-p.gone:
		case <-p.kept:
			return ErrCalledOff
		case <-ctx.Done():
			return fmt.Errorf("stop %s: %w", p.id, ctx.Err())
		}
	}
	return nil
}

// takeTurn also waits for Run to have made the first instances: before, the
// number of them is unknown.
func (d *Driver) takeTurn(ctx context.Context) (release func(), err error) {
	select {
	case d.turn <- struct{}{}:
		release = func() { <-d.turn }
	case <-d.ended:
		return nil, ErrEnded
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := d.scaleUp(ctx, 0, 0); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

func (d *Driver) scaleUp(ctx context.Context, more, spares int) error {
	g := grow{n: more, spares: spares, done: make(chan struct{})}
	select {
	case d.grow <- g:
		<-g.done
		return nil
	case <-d.ended:
		return ErrEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Restart drains and stops the instance and starts it again with the same id
// and port. It returns nil when the new child is ready, and an error when its
// first start failed (more follow) or ctx ended (the restart goes on).
func (d *Driver) Restart(ctx context.Context, id string) error {
	release, err := d.takeTurn(ctx)
	if err != nil {
		return fmt.Errorf("restart %s: %w", id, err)
	}
	defer release()
	s := d.find(id)
	if s == nil {
		return fmt.Errorf("restart %s: %w", id, ErrNoInstance)
	}
	l, running := s.retire(false, "restart asked for", nil)
	if running {
		d.drain(ctx, s, l)
	}
	l.end()
	if err := s.awaitNext(ctx, l); err != nil {
		return fmt.Errorf("restart %s: %w", id, err)
	}
	return nil
}

// drain calls Config.Drain once everybody has been told that the instance is
// stopping. It ends early when the child does.
func (d *Driver) drain(ctx context.Context, s *slot, l *life) {
	if d.cfg.Drain == nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		defer cancel()
		select {
		case <-l.over:
		case <-ctx.Done():
		}
	})
	defer watch.Wait()
	defer cancel()
	if s.await(ctx, func(i platform.Instance) bool { return i.State != platform.Running }) != nil {
		return
	}
	if err := d.cfg.Drain(ctx, s.id); err != nil && !s.isWanted(l) {
		d.log.LogAttrs(ctx, slog.LevelWarn, "instance stopped before it was drained", slog.String("instance", s.id), slog.Any("error", err))
	}
}
