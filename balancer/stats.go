package balancer

import (
	"time"
)

// Stats is a picture of the whole set at one moment.
type Stats struct {
	Strategy  Strategy
	Panic     bool
	Available int
	// Levels say how the traffic is shared out between priorities and localities.
	Levels    []LevelStats
	Instances []InstanceStats
	// EventsDropped counts events lost because OnEvent did not keep up.
	EventsDropped uint64
}

// LevelStats is one priority, and in it one locality.
type LevelStats struct {
	Priority int
	// Distance is 0 for the same zone, 1 for the same region, 2 for elsewhere.
	Distance         int
	Total, Available int
	// Load is its part of the traffic, 0 to 1.
	Load  float64
	Panic bool
}

// InstanceStats is all there is to know about one instance.
type InstanceStats struct {
	ID, Endpoint string
	Status       Status
	// Reason is why the instance is in this status.
	Reason    string
	Since     time.Time
	Health    Health
	Lifecycle Lifecycle
	Draining  bool
	Ejected   bool
	// EjectedUntil is zero unless ejected.
	EjectedUntil time.Time
	// EjectionCount is the number of ejections the next sentence is based on.
	EjectionCount int
	// EjectionsRefused counts reports of a cap that kept it in rotation.
	EjectionsRefused int
	InFlight         int
	// Attempts is how many were begun.
	Attempts uint64
	// Share is its part of the attempts since the set of instances last changed.
	Share               float64
	Successes, Failures uint64
	// EWMA is the latency estimate picks go by; failures count in it.
	EWMA time.Duration
	// Percentiles of the last 30 to 60 s, at most 6 % off.
	P50, P95, P99 time.Duration
	Weight        int
	// EffectiveWeight is after slow start.
	EffectiveWeight float64
	Priority        int
	Zone, Region    string
	Score           Score
	// History is the last 16 changes of status, oldest first.
	History []Transition
}

// Transition is one change of status.
type Transition struct {
	At       time.Time
	From, To Status
	Source   string
	Reason   string
}

// Stats does what is due by now and describes the set.
func (b *Balancer) Stats(now time.Time) Stats {
	v := b.view.Load()
	if v.tick(now) >= v.due {
		b.refreshAlways(now)
	}
	b.mu.Lock()
	v = b.view.Load()
	t := v.tick(now)
	s := Stats{
		Strategy: v.cfg.Strategy, Panic: v.panicking, Available: v.available,
		Instances: make([]InstanceStats, len(v.all)), EventsDropped: b.dropped,
	}
	for k, i := range v.all {
		b.describe(&s.Instances[k], i, t)
	}
	b.mu.Unlock()
	for k := range v.levels {
		s.Levels = append(s.Levels, v.levels[k].stats())
	}
	for k, i := range v.all {
		v.measure(&s.Instances[k], i, t)
	}
	b.scores(v, s.Instances, t)
	return s
}

func (b *Balancer) refreshAlways(now time.Time) {
	b.mu.Lock()
	defer b.unlock()
	if t := b.tick(now); b.view.Load().due <= t {
		b.rebuild(t)
	}
}

// describe copies what b.mu guards. Requires b.mu.
func (b *Balancer) describe(s *InstanceStats, i *Instance, t int64) {
	l := &i.lattice
	l.count(b.cfg.Ejection.BaseTime, t)
	s.Status, s.Reason, s.Since = i.Status(), l.binding(), b.when(l.since)
	s.Health, s.Lifecycle, s.Draining, s.Ejected = l.health, l.life, l.draining, l.ejected
	s.EjectionCount, s.EjectionsRefused = l.ejections, l.refusals
	if l.ejected {
		s.EjectedUntil = b.when(l.ejectedUntil)
	}
	s.EffectiveWeight = float64(i.spec.Weight) * l.rampOf(b.cfg.SlowStart, t)
	s.Attempts = i.flight.begun()
	s.Share = float64(s.Attempts - l.begunBase) // of how many comes later
	s.History = make([]Transition, len(l.history))
	for k, h := range l.history {
		s.History[k] = Transition{
			At: b.when(h.at), From: h.from, To: h.to, Source: h.by.String(), Reason: h.reason,
		}
	}
}

// measure adds what the instance itself knows.
func (v *view) measure(s *InstanceStats, i *Instance, t int64) {
	s.ID, s.Endpoint, s.Weight, s.Priority = i.spec.ID, i.spec.Endpoint, i.spec.Weight, i.spec.Priority
	s.Zone, s.Region = i.spec.Zone, i.spec.Region
	s.InFlight = i.InFlight()
	s.EWMA = time.Duration(i.cost.Load() * fade(i.stamp.Load(), t, 1/float64(v.cfg.Decay)))
	var quantiles [3]time.Duration
	i.results.mu.Lock()
	s.Successes, s.Failures = i.results.successes, i.results.failures
	i.results.latencies.quantiles(t, []float64{0.5, 0.95, 0.99}, quantiles[:])
	i.results.mu.Unlock()
	s.P50, s.P95, s.P99 = quantiles[0], quantiles[1], quantiles[2]
}

// scores adds what only a comparison of all tells.
func (b *Balancer) scores(v *view, stats []InstanceStats, t int64) {
	index := make(map[*Instance]*InstanceStats, len(stats))
	attempts := 0.0
	for k, i := range v.all {
		index[i] = &stats[k]
		attempts += stats[k].Share
		alone := pool{signals: &b.signals, invTau: 1 / float64(v.cfg.Decay)}
		m := member{inst: i, now: i.gauges, per: 1}
		stats[k].Score = alone.score(&m, i.flight.now(), t)
	}
	for k := range v.levels {
		p := v.levels[k].pool
		for at := range p.members {
			m := &p.members[at]
			index[m.inst].Score = p.score(m, m.inst.flight.now(), t)
		}
	}
	for k := range stats {
		stats[k].Share /= max(attempts, 1)
	}
}

func (l *level) stats() LevelStats {
	return LevelStats{
		Priority: l.group.priority, Distance: l.group.distance, Total: l.total,
		Available: l.available, Load: l.load, Panic: l.panicking,
	}
}
