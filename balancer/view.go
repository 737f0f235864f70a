package balancer

import (
	"cmp"
	"math"
	"slices"
	"sync/atomic"
	"time"
)

const never = int64(math.MaxInt64)

// view is an immutable picture of the set, all a pick needs. A new one is
// swapped in on every change, and when due has come.
type view struct {
	cfg       *Config
	base      time.Time
	due       int64 // tick at which time alone changes something
	all       []*Instance
	levels    []level // in order of preference
	available int
	panicking bool
}

func (v *view) tick(now time.Time) int64 {
	if v.base.IsZero() {
		return 0
	}
	return int64(now.Sub(v.base))
}

// group is the instances of one priority and locality. It outlives views, so
// that turns go on where they were.
type group struct {
	priority, distance int
	members            []*Instance
	cursor             *cursor
	table              []uint32 // ConsistentHash: slot -> index in members
}

// cursor has a cache line of its own: all picks of a turn-taking strategy write it.
type cursor struct {
	_ [64]byte
	n atomic.Uint64
	_ [56]byte
}

// regroup sorts the set into groups. Requires b.mu.
func (b *Balancer) regroup() {
	var groups []*group
	for _, i := range b.all {
		g := &group{priority: i.spec.Priority, distance: b.cfg.distance(i)}
		at, found := slices.BinarySearchFunc(groups, g, compareGroups)
		if !found {
			g.cursor = b.cursorOf(g)
			groups = slices.Insert(groups, at, g)
		}
		groups[at].members = append(groups[at].members, i)
	}
	if b.cfg.Strategy == ConsistentHash {
		for _, g := range groups {
			g.table = b.tableOf(g)
		}
	}
	b.groups = groups
}

func compareGroups(a, b *group) int {
	return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.distance, b.distance))
}

func (b *Balancer) former(g *group) *group {
	if at, found := slices.BinarySearchFunc(b.groups, g, compareGroups); found {
		return b.groups[at]
	}
	return nil
}

func (b *Balancer) cursorOf(g *group) *cursor {
	if old := b.former(g); old != nil {
		return old.cursor
	}
	return new(cursor)
}

// tableOf keeps the table of a group whose members are the same.
func (b *Balancer) tableOf(g *group) []uint32 {
	old := b.former(g)
	if old != nil && old.table != nil && slices.Equal(old.members, g.members) {
		return old.table
	}
	return hashTable(g.members)
}

// distance orders localities: 0 here, 1 same region, 2 elsewhere or unknown.
func (c *Config) distance(i *Instance) int {
	switch {
	case c.Zone == "" && c.Region == "":
		return 0
	case c.Zone != "" && i.spec.Zone == c.Zone:
		return 0
	case c.Region != "" && i.spec.Region == c.Region:
		return 1
	}
	return 2
}

// rebuild does what is due and swaps in a new view. Requires b.mu.
func (b *Balancer) rebuild(t int64) {
	b.endEjections(t)
	b.endRamps(t)
	v := &view{cfg: b.cfg, base: b.base, all: b.all, due: b.nextDue(t)}
	for _, g := range b.groups {
		v.levels = append(v.levels, b.levelOf(g))
	}
	v.shareOut()
	for k := range v.levels {
		b.fill(&v.levels[k], t)
		v.available += v.levels[k].available
	}
	b.tellPanic(v.panicking, t)
	b.view.Store(v)
}

// nextDue is the earliest end of an ejection or step of a ramp.
func (b *Balancer) nextDue(t int64) int64 {
	due := never
	for _, i := range b.all {
		if i.lattice.ejected {
			due = min(due, i.lattice.ejectedUntil)
		}
		if i.lattice.ramping {
			due = min(due, b.rampDue(&i.lattice, t))
		}
	}
	return due
}

// refresh is called by a pick that found its view overdue. One caller does the
// work, the others go on with the old view.
func (b *Balancer) refresh(v *view, now time.Time) *view {
	if !b.mu.TryLock() {
		return v
	}
	defer b.unlock()
	if t := b.tick(now); b.view.Load().due <= t {
		b.rebuild(t)
	}
	return b.view.Load()
}

// fill makes the pools of a level. Requires b.mu.
func (b *Balancer) fill(l *level, t int64) {
	least := tierUsable
	if l.panicking {
		least = tierPanic
	}
	l.pool = b.poolOf(l, t, func(i tier) bool { return i >= least })
	if l.panicking {
		l.last = b.poolOf(l, t, func(i tier) bool { return i == tierUnknown })
	}
}

func (b *Balancer) poolOf(l *level, t int64, want func(tier) bool) *pool {
	p := &pool{
		strategy: b.cfg.Strategy, signals: &b.signals, cursor: l.group.cursor,
		cfg: b.cfg, load: l.load, invTau: 1 / float64(b.cfg.Decay), table: l.group.table,
	}
	for at, i := range l.group.members {
		if !want(i.tier()) {
			continue
		}
		ramp := i.lattice.rampOf(b.cfg.SlowStart, t)
		p.members = append(p.members, member{
			inst: i, now: i.gauges, at: uint32(at), ramp: float32(ramp), weight: float32(float64(i.spec.Weight) * ramp),
		})
		p.ramping = p.ramping || ramp < 1
	}
	p.build(len(l.group.members))
	return p
}

// tellPanic reports the edges of panic. Requires b.mu.
func (b *Balancer) tellPanic(now bool, t int64) {
	if now == b.panicking {
		return
	}
	b.panicking = now
	e := Event{At: b.when(t), Kind: PanicLeft, Source: "balancer", Reason: "enough instances are available"}
	if now {
		e.Kind, e.Reason = PanicEntered, "too few instances are available, health is ignored"
	}
	b.emit(e)
}
