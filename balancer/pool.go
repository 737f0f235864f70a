package balancer

import "slices"

const (
	// scanAll is the largest pool every instance of which is looked at.
	scanAll = maxConsidered
	// drawSteps bounds draws by weight; then members are gone through in turn,
	// so that a pool of which most are full or tried still finds the rest.
	drawSteps = 24
	// nearTie: costs within a tenth are the same; estimates are no better.
	nearTie = 1.1
	// exactTie allows for rounding only.
	exactTie = 1 + 1e-9
)

// pool is the instances of a level that may be picked, with the tables of the
// strategy. Immutable, but for the cursor it shares with its successors.
type pool struct {
	strategy Strategy
	cfg      *Config
	signals  *signals
	members  []member
	ramping  bool
	limited  bool    // somebody has a MaxInFlight
	sum      float64 // of weights
	load     float64 // share of the picks this level gets
	invTau   float64

	cursor *cursor
	alias  aliasTable
	wheel  *wheel
	table  []uint32 // slot -> index in the group
	seat   []int32  // index in the group -> index in members, or -1
}

// member is 32 bytes, so that none lies across two cache lines.
type member struct {
	inst   *Instance
	now    *gauges // of inst
	per    float32 // mean weight / weight: makes in flight comparable
	weight float32 // effective: after slow start
	ramp   float32 // 1 unless in slow start; ConsistentHash: share of its keys it takes
	at     uint32  // index in the group
}

func (m *member) full(inflight int64) bool {
	limit := m.inst.spec.MaxInFlight
	return limit > 0 && inflight >= int64(limit)
}

// build makes the tables for the strategy, once members are set.
func (s *pool) build(groupSize int) {
	if len(s.members) == 0 {
		return
	}
	weights := make([]float64, len(s.members))
	for k := range s.members {
		weights[k] = float64(s.members[k].weight)
		s.sum += weights[k]
		s.limited = s.limited || s.members[k].inst.spec.MaxInFlight > 0
	}
	mean := s.sum / float64(len(weights))
	for k := range s.members {
		s.members[k].per = float32(mean / weights[k])
	}
	switch s.strategy {
	case WeightedRoundRobin:
		s.wheel = newWheel(s.wholeWeights(func(m *member) float32 { return m.weight }))
	case RoundRobin:
		if s.ramping { // slow start is the one thing that makes turns unequal
			s.wheel = newWheel(s.wholeWeights(func(m *member) float32 { return m.ramp }))
		}
	case ConsistentHash:
		s.keepKeys()
		s.seat = slices.Repeat([]int32{-1}, groupSize)
		for k := range s.members {
			s.seat[s.members[k].at] = int32(k)
		}
	case P2C, LeastConnections, ResponseTime, HealthBased, Prequal, Random:
		s.alias = newAliasTable(weights)
	}
}

// wholeWeights are in hundredths while somebody is in slow start.
func (s *pool) wholeWeights(of func(*member) float32) []uint64 {
	unit := float32(1)
	if s.ramping {
		unit = 100
	}
	whole := make([]uint64, len(s.members))
	for k := range s.members {
		whole[k] = max(uint64(of(&s.members[k])*unit+0.5), 1)
	}
	return whole
}

// keepKeys makes the keys kept out of a full table as many as the weight after
// slow start is worth: what one gives up raises what the others should have.
func (s *pool) keepKeys() {
	full := 0.0
	for k := range s.members {
		full += float64(s.members[k].weight / s.members[k].ramp)
	}
	for k := range s.members {
		m := &s.members[k]
		m.ramp = min(m.ramp*float32(full/s.sum), 1)
	}
}

// position is the member looked at in a step. It is a pure function of the
// pool and the inputs of the pick, so that a record of the steps can be
// checked. -1: nobody there.
func (s *pool) position(p *Pick, step uint32) int {
	n, k := uint64(len(s.members)), uint64(step)
	switch s.strategy {
	case RoundRobin, WeightedRoundRobin:
		if s.wheel == nil {
			return int((p.Cursor + k) % n)
		}
		if k < drawSteps {
			return s.wheel.at(p.Cursor + k)
		}
	case ConsistentHash:
		if k < drawSteps {
			return s.rehash(p.Key, k)
		}
		return int((mix(p.Key, drawSteps)%n + k) % n)
	case LeastConnections, ResponseTime, HealthBased, Prequal:
		if n <= scanAll {
			return int(k % n)
		}
		fallthrough
	case P2C, Random:
		if k < drawSteps {
			return s.alias.at(mix(p.Draw, k))
		}
	}
	return int((mix(p.Draw, drawSteps)%n + k) % n)
}

// gather fills in the candidates of a pick. False: nobody can take it.
func (s *pool) gather(p *Pick, now int64) bool {
	p.N, p.pool, p.whole = 0, s, false
	if len(s.members) == 0 {
		return false
	}
	switch s.strategy {
	case RoundRobin, WeightedRoundRobin:
		p.Cursor = s.cursor.n.Add(1) - 1
		return s.gatherOne(p, now)
	case Random, ConsistentHash:
		return s.gatherOne(p, now)
	case P2C:
		return s.gatherTwo(p, now)
	case HealthBased:
		if len(s.members) > scanAll {
			return s.gatherAccepted(p, now)
		}
	case LeastConnections, ResponseTime, Prequal:
	}
	return s.gatherMany(p, now)
}

// gatherOne takes the first that fits; a second round is less particular.
func (s *pool) gatherOne(p *Pick, now int64) bool {
	n := uint32(len(s.members))
	draws := n + drawSteps
	for step := range draws + n {
		k := s.position(p, step)
		if k >= 0 && s.consider(p, k, step, now, step < draws) {
			return true
		}
	}
	return false
}

// gatherTwo takes the first two that fit and differ.
func (s *pool) gatherTwo(p *Pick, now int64) bool {
	if s.quickTwo(p, now) {
		return true
	}
	first, n := -1, uint32(len(s.members))
	for step := uint32(0); step < drawSteps+n; step++ {
		k := s.position(p, step)
		if k == first || !s.consider(p, k, step, now, true) {
			continue
		}
		if first >= 0 || n == 1 {
			return true
		}
		if first = k; n == 2 {
			step = drawSteps - 1 // no draw needed to find the other one
		}
	}
	return first >= 0
}

// quickTwo is gatherTwo for the common case: the first two draws differ, and
// nothing speaks against anybody.
func (s *pool) quickTwo(p *Pick, now int64) bool {
	if s.limited || len(p.Tried) > 0 {
		return false
	}
	a, b := s.alias.at(mix(p.Draw, 0)), s.alias.at(mix(p.Draw, 1))
	if a == b {
		return false
	}
	floor := s.signals.fastest.Load()
	for k, at := range [2]int{a, b} {
		m := &s.members[at]
		inflight := m.now.flight.now()
		load := float64(inflight) * float64(m.per)
		p.Considered[k].set(m, inflight, load, uint32(k))
		p.Considered[k].Cost = m.now.estimate(now, inflight, s.invTau, floor) * (1 + load)
	}
	p.N = 2
	return true
}

// set fills in a candidate that counts, field by field: a literal would be
// built aside and copied.
func (c *Candidate) set(m *member, inflight int64, load float64, step uint32) {
	c.Instance, c.Cost, c.Load, c.Weight = m.inst, 0, float32(load), m.weight
	c.InFlight, c.step = int32(inflight), step
	c.Hot, c.Skipped, c.Skip = false, false, SkipNone
}

// gatherMany takes all of a small pool, or up to eight drawn by weight.
func (s *pool) gatherMany(p *Pick, now int64) bool {
	n, found := uint32(len(s.members)), 0
	p.whole = n <= scanAll
	steps := n
	if !p.whole {
		steps += drawSteps
	}
	for step := range steps {
		if !p.whole && (p.N == maxConsidered || step >= drawSteps && found > 0) {
			break
		}
		k := s.position(p, step)
		if !p.whole && p.has(s.members[k].inst) {
			continue
		}
		if s.consider(p, k, step, now, true) {
			found++
		}
	}
	return found > 0
}

// gatherAccepted draws by weight and accepts by score: exactly weight x score.
func (s *pool) gatherAccepted(p *Pick, now int64) bool {
	found := false
	for step := range drawSteps + uint32(len(s.members)) {
		if p.N == maxConsidered || step >= drawSteps && found {
			break
		}
		if !s.consider(p, s.position(p, step), step, now, true) {
			continue
		}
		found = true
		if p.accepts(p.N - 1) {
			break
		}
	}
	return found
}

// consider records member k as a candidate, with its cost, or as skipped.
func (s *pool) consider(p *Pick, k int, step uint32, now int64, particular bool) bool {
	m := &s.members[k]
	inflight := m.now.flight.now()
	if why := s.unfit(p, m, inflight, particular); why != SkipNone {
		if p.whole || p.N < maxSkipped {
			p.Considered[p.N] = Candidate{
				Instance: m.inst, Weight: m.weight, step: step,
				InFlight: int32(inflight), Skipped: true, Skip: why,
			}
			p.N++
		}
		return false
	}
	c := &p.Considered[p.N]
	p.N++
	load := float64(inflight) * float64(m.per)
	c.set(m, inflight, load, step)
	switch s.strategy {
	case P2C, ResponseTime:
		c.Cost = m.now.estimate(now, inflight, s.invTau, s.signals.fastest.Load()) * (1 + load)
	case Prequal:
		c.Cost = m.now.estimate(now, inflight, s.invTau, s.signals.fastest.Load())
	case LeastConnections:
		c.Cost = load
	case HealthBased:
		c.Cost = s.score(m, inflight, now).Total
	case RoundRobin, WeightedRoundRobin, ConsistentHash, Random:
	}
	return true
}

// unfit says why a member cannot be picked now.
func (s *pool) unfit(p *Pick, m *member, inflight int64, particular bool) Skip {
	switch {
	case len(p.Tried) > 0 && slices.Contains(p.Tried, m.inst):
		return SkipTried
	case s.limited && m.full(inflight):
		return SkipFull
	case !particular:
		return SkipNone
	case s.strategy == ConsistentHash:
		return s.unfitForKey(p, m, inflight)
	}
	return SkipNone
}

// unfitForKey: a ramping instance takes over its keys little by little, always
// the same ones first.
func (s *pool) unfitForKey(p *Pick, m *member, inflight int64) Skip {
	switch {
	case m.ramp < 1 && unit(mix(p.Key, saltKeep+uint64(m.at))) >= float64(m.ramp):
		return SkipRamping
	case s.overloaded(m, inflight):
		return SkipLoaded
	}
	return SkipNone
}
