package balancer

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Balancer holds the instances of one function and chooses among them. All
// methods are safe for concurrent use. Make one with [New].
type Balancer struct {
	view    atomic.Pointer[view]
	signals signals

	mu         sync.Mutex // guards all below and the lattice of every instance
	cfg        *Config    // replaced, never changed
	base       time.Time  // where ticks count from; zero until the first change
	last       int64      // latest tick seen by a change
	all        []*Instance
	groups     []*group
	panicking  bool
	events     []Event
	delivering bool
	dropped    uint64
}

// New returns a Balancer without instances. It reports every field of the
// configuration that makes no sense.
func New(cfg Config) (*Balancer, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	b := &Balancer{cfg: &cfg}
	b.view.Store(&view{cfg: &cfg, due: never})
	return b, nil
}

// Update changes the configuration and keeps the instances and all that is
// known of them. On an error nothing changes.
func (b *Balancer) Update(cfg Config) error {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.unlock()
	b.cfg = &cfg
	if cfg.Ejection.Disabled {
		b.pardonAll()
	}
	b.regroup()
	b.rebuild(b.last)
	return nil
}

// Replace swaps the set of instances at once. Instances that were in the set
// keep their state, new ones join it; a second mention of one is dropped. The
// first instances of a set start at full weight: where all are new, a slow
// start would help nobody.
func (b *Balancer) Replace(instances []*Instance, now time.Time) {
	b.mu.Lock()
	defer b.unlock()
	t := b.tick(now)
	next := distinct(instances)
	old, staying := setOf(b.all), setOf(next)
	serving := slices.ContainsFunc(b.all, func(i *Instance) bool {
		return i.lattice.everUsable && staying[i]
	})
	b.leave(staying)
	for _, i := range next {
		i.lattice.begunBase = i.flight.begun()
		if !old[i] {
			i.lattice.newcomer = serving
			i.lattice.since = t
		}
	}
	b.all = next
	for _, i := range next {
		b.settle(i, fromStart, "joined the set", t)
	}
	b.regroup()
	b.rebuild(t)
}

// leave marks the instances that are not in the next set. Requires b.mu.
func (b *Balancer) leave(next map[*Instance]bool) {
	for _, i := range b.all {
		if !next[i] {
			i.place.Store(uint32(tierNever))
		}
	}
}

func setOf(list []*Instance) map[*Instance]bool {
	set := make(map[*Instance]bool, len(list))
	for _, i := range list {
		set[i] = true
	}
	return set
}

func distinct(list []*Instance) []*Instance {
	seen := make(map[*Instance]bool, len(list))
	var out []*Instance
	for _, i := range list {
		if i != nil && !seen[i] {
			seen[i] = true
			out = append(out, i)
		}
	}
	return out
}

// Instances returns the set in the order it was given.
func (b *Balancer) Instances() []*Instance {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

// SetHealth takes the word of the active checks. The reason is one sentence for
// people, such as the failure of the last check.
func (b *Balancer) SetHealth(i *Instance, h Health, reason string, now time.Time) {
	b.mu.Lock()
	defer b.unlock()
	t, before := b.tick(now), i.lattice.sources
	i.lattice.health = h
	i.lattice.reasons[fromHealth-1] = reason
	if h == HealthUp && i.lattice.ejected && i.lattice.pardonable() {
		b.readmit(i, "a check passed", t)
	}
	b.changed(i, before, fromHealth, reason, t)
}

// SetLifecycle takes the word of the platform.
func (b *Balancer) SetLifecycle(i *Instance, l Lifecycle, reason string, now time.Time) {
	b.mu.Lock()
	defer b.unlock()
	t, before := b.tick(now), i.lattice.sources
	if l == Starting && i.lattice.everUsable {
		i.lattice.newcomer = true // a fresh process is cold
	}
	if l == Starting && i.lattice.ejected {
		b.readmit(i, "a new process", t) // what the old one did says little about it
	}
	i.lattice.life = l
	i.lattice.reasons[fromLifecycle-1] = reason
	b.changed(i, before, fromLifecycle, reason, t)
}

// SetDraining takes i out of rotation on purpose, or puts it back. Attempts in
// flight are not touched: watch [Instance.InFlight] to see them end.
func (b *Balancer) SetDraining(i *Instance, on bool, reason string, now time.Time) {
	b.mu.Lock()
	defer b.unlock()
	t, before := b.tick(now), i.lattice.sources
	i.lattice.draining = on
	i.lattice.reasons[fromDrain-1] = reason
	b.changed(i, before, fromDrain, reason, t)
}

// changed settles one instance and rebuilds if anything is new. Requires b.mu.
func (b *Balancer) changed(i *Instance, before sources, by source, reason string, t int64) {
	b.settle(i, by, reason, t)
	switch {
	case !slices.Contains(b.all, i):
		i.place.Store(uint32(tierNever))
	case before != i.lattice.sources:
		b.rebuild(t)
	}
}

// tick turns a time into nanoseconds since just before the first one seen; 0
// stays free for "never". Requires b.mu.
func (b *Balancer) tick(now time.Time) int64 {
	if b.base.IsZero() {
		b.base = now.Add(-time.Second)
	}
	b.last = max(b.last, int64(now.Sub(b.base)))
	return int64(now.Sub(b.base))
}

// when is the inverse of tick. Requires b.mu.
func (b *Balancer) when(t int64) time.Time { return b.base.Add(time.Duration(t)) }
