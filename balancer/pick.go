package balancer

import (
	"fmt"
	"slices"
	"time"
)

const (
	maxConsidered = 8
	// maxSkipped leaves room for the candidates that count.
	maxSkipped = 4
)

// Pick is one choice: what goes in, what comes out, and what it was based on.
// Pass a zero or a used one; it may be kept as a record. A kept one holds on to
// the set it was chosen from, see Detach.
type Pick struct {
	// Key is the hashed key of ConsistentHash.
	Key uint64
	// Draw is 64 random bits, all the randomness of the choice.
	Draw uint64
	// Tried lists instances not to be picked again.
	Tried []*Instance
	// Prefer is taken if it is available (affinity).
	Prefer *Instance

	// Instance is the result, nil if there is none; then None says why.
	Instance *Instance
	Strategy Strategy
	Rule     Rule
	None     Nobody
	// Panic: some level ignores health.
	Panic bool
	// Priority of the instance.
	Priority int
	// Cursor is the turn taken by RoundRobin and WeightedRoundRobin.
	Cursor uint64
	// Available is the number of available instances in all levels.
	Available int
	// Considered[:N] are the candidates looked at, in that order; entries beyond
	// are left from earlier use. Skipped ones may be missing.
	Considered [maxConsidered]Candidate
	N          int

	pool     *pool
	quantile float64
	whole    bool // the candidates are all members of the pool
	detached bool // the pool was let go, see Detach
}

// Candidate is an instance looked at for a pick.
type Candidate struct {
	Instance *Instance
	// Cost is what the strategy compares: expected nanoseconds for P2C,
	// ResponseTime and Prequal, Load for LeastConnections, the score for
	// HealthBased (there more is better), nothing for the others.
	Cost float64
	// Load is the number in flight, relative to the weight.
	Load float32
	// Weight is what draws go by: after slow start.
	Weight   float32
	InFlight int32
	step     uint32
	// Hot: more in flight than Prequal's limit.
	Hot bool
	// Skipped: it could not be picked; Skip says why.
	Skipped bool
	Skip    Skip
}

// Skip says why a candidate could not be picked.
type Skip uint8

// Why a candidate could not be picked.
const (
	SkipNone    Skip = iota
	SkipTried        // tried before in this exchange
	SkipFull         // at MaxInFlight
	SkipRamping      // in slow start, not its turn yet
	SkipLoaded       // above the bound of ConsistentHash
)

// String returns a short phrase.
func (s Skip) String() string {
	switch s {
	case SkipNone:
		return "not skipped"
	case SkipTried:
		return "tried before"
	case SkipFull:
		return "full"
	case SkipRamping:
		return "ramping up"
	case SkipLoaded:
		return "over its fair load"
	}
	return fmt.Sprintf("skip(%d)", uint8(s))
}

// Rule says what bound the choice.
type Rule uint8

// What bound the choice; the first of these that holds is reported.
const (
	RuleNone      Rule = iota // nobody was picked
	RuleAffinity              // Prefer was available
	RulePanic                 // the level ignores health
	RuleSpillover             // not the first level
	RuleOnly                  // only one instance is available
	RuleStrategy              // the strategy chose
)

// String returns a word for explanations.
func (r Rule) String() string {
	switch r {
	case RuleNone:
		return "none"
	case RuleAffinity:
		return "affinity"
	case RulePanic:
		return "panic"
	case RuleSpillover:
		return "spillover"
	case RuleOnly:
		return "only-one"
	case RuleStrategy:
		return "strategy"
	}
	return fmt.Sprintf("rule(%d)", uint8(r))
}

// Nobody says why nobody was picked. The zero value means somebody was.
type Nobody uint8

// Why nobody was picked.
const (
	Somebody       Nobody = iota
	NoneConfigured        // the set is empty
	NoneReady             // somebody is starting or waits for a check: worth waiting
	NoneLeft              // all have failed, are out on purpose, or were tried
	AllFull               // those left are at MaxInFlight: worth queueing
)

// String returns a phrase for explanations.
func (n Nobody) String() string {
	switch n {
	case Somebody:
		return "picked"
	case NoneConfigured:
		return "no instance configured"
	case NoneReady:
		return "no instance ready yet"
	case NoneLeft:
		return "no instance left"
	case AllFull:
		return "all instances full"
	}
	return fmt.Sprintf("nobody(%d)", uint8(n))
}

// Pick chooses an instance and reports whether there is one. It writes the
// results into p and leaves the inputs alone. It does not count the attempt:
// call [Balancer.Begin] for that.
func (b *Balancer) Pick(p *Pick, now time.Time) bool {
	v := b.view.Load()
	t := v.tick(now)
	if t >= v.due {
		v = b.refresh(v, now)
	}
	p.reset(v)
	if p.Prefer != nil && v.prefers(p) || v.pick(p, t) {
		return true
	}
	p.None = v.why(p)
	return false
}

func (p *Pick) reset(v *view) {
	p.Instance, p.Rule, p.None, p.pool = nil, RuleNone, Somebody, nil
	p.Priority, p.Cursor, p.N, p.whole, p.detached = 0, 0, 0, false, false
	p.Strategy, p.quantile = v.cfg.Strategy, v.cfg.HotQuantile
	p.Panic, p.Available = v.panicking, v.available
}

// prefers takes the preferred instance if it can serve.
func (v *view) prefers(p *Pick) bool {
	i := p.Prefer
	least := tierUsable
	if v.panicking && v.available == 0 {
		least = tierPanic
	}
	inflight := i.flight.now()
	full := i.spec.MaxInFlight > 0 && inflight >= int64(i.spec.MaxInFlight)
	if i.tier() < least || full || slices.Contains(p.Tried, i) {
		return false
	}
	p.Considered[0] = Candidate{Instance: i, InFlight: int32(inflight), Weight: float32(i.spec.Weight)}
	p.N, p.Rule, p.Instance, p.Priority = 1, RuleAffinity, i, i.spec.Priority
	return true
}

// pick draws a level by its load, then asks the others in order of preference.
func (v *view) pick(p *Pick, t int64) bool {
	chosen := 0
	if len(v.levels) > 1 {
		bits := p.Draw
		if v.cfg.Strategy == ConsistentHash {
			bits = p.Key
		}
		chosen = v.choose(unit(mix(bits, saltLevel)))
	}
	if chosen >= 0 && chosen < len(v.levels) && v.pickFrom(chosen, false, p, t) {
		return true
	}
	for k := range v.levels {
		if k != chosen && v.pickFrom(k, false, p, t) {
			return true
		}
	}
	for k := range v.levels {
		if v.pickFrom(k, true, p, t) {
			return true
		}
	}
	return false
}

func (v *view) pickFrom(k int, last bool, p *Pick, t int64) bool {
	l := &v.levels[k]
	from := l.pool
	if last {
		from = l.last
	}
	if from == nil || !from.gather(p, t) {
		return false
	}
	at := p.choose()
	if at < 0 {
		return false
	}
	p.markHot()
	p.Instance, p.Priority = p.Considered[at].Instance, l.group.priority
	switch {
	case l.panicking:
		p.Rule = RulePanic
	case k > 0:
		p.Rule = RuleSpillover
	case v.available == 1:
		p.Rule = RuleOnly
	default:
		p.Rule = RuleStrategy
	}
	return true
}

// why explains an empty result.
func (v *view) why(p *Pick) Nobody {
	if len(v.all) == 0 {
		return NoneConfigured
	}
	waiting, full := false, false
	for _, i := range v.all {
		if slices.Contains(p.Tried, i) {
			continue
		}
		switch i.tier() {
		case tierStarting, tierUnknown:
			waiting = true
		case tierUsable:
			full = true // untried, available, and yet not picked
		case tierPanic:
			full = full || v.panicking
		case tierNever:
		}
	}
	switch {
	case full:
		return AllFull
	case waiting:
		return NoneReady
	}
	return NoneLeft
}

func (p *Pick) has(i *Instance) bool {
	for k := range p.N {
		if p.Considered[k].Instance == i {
			return true
		}
	}
	return false
}
