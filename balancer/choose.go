package balancer

import (
	"math"
	"slices"
)

// Salts keep the draws of one pick independent of each other. Steps of a pool
// use the numbers from 0.
const (
	saltLevel  = 1 << 40
	saltChoice = 2 << 40
	saltAccept = 3 << 40
	saltKeep   = 4 << 40
)

// Replay makes the choice again from the recorded inputs alone and returns its
// result. First it draws the candidates again and compares them with the
// recorded ones; it returns nil if they differ, or if the pick had no result.
func (p *Pick) Replay() *Instance {
	switch {
	case p.N == 0 || p.Rule == RuleNone:
		return nil
	case p.Rule == RuleAffinity:
		if p.Considered[0].Instance != p.Prefer || slices.Contains(p.Tried, p.Prefer) {
			return nil
		}
		return p.Prefer
	case !p.detached && !p.drawnAgain():
		return nil
	}
	if at := p.choose(); at >= 0 {
		return p.Considered[at].Instance
	}
	return nil
}

// largeSet is the number of instances from which a kept pick lets go of the
// picture of its set: at a few tens of bytes each, thousands of records of a
// large set that keeps changing would hold thousands of pictures.
const largeSet = 64

// Detach prepares a pick for being kept. Where the set was large, Replay then
// takes the recorded candidates as drawn and only makes the choice again.
func (p *Pick) Detach() {
	if p.pool != nil && len(p.pool.members) > largeSet {
		p.pool, p.detached = nil, true
	}
}

// drawnAgain checks each recorded candidate against what its step draws.
func (p *Pick) drawnAgain() bool {
	for k := range p.N {
		c := &p.Considered[k]
		at := p.pool.position(p, c.step)
		if at < 0 || p.pool.members[at].inst != c.Instance {
			return false
		}
	}
	return true
}

// choose is the strategy: a pure function of the candidates and the draw. It
// returns an index into Considered, or -1 if all were skipped.
func (p *Pick) choose() int {
	switch p.Strategy {
	case P2C:
		return p.chooseOfTwo()
	case LeastConnections:
		return p.chooseLowest(exactTie, p.cost)
	case ResponseTime:
		return p.chooseLowest(nearTie, p.cost)
	case Prequal:
		return p.chooseCold()
	case HealthBased:
		return p.chooseByScore()
	case RoundRobin, WeightedRoundRobin, ConsistentHash, Random:
	}
	return p.first()
}

func (p *Pick) first() int {
	for k := range p.N {
		if !p.Considered[k].Skipped {
			return k
		}
	}
	return -1
}

// chooseOfTwo prefers the first, which was drawn by weight, unless the other is
// clearly cheaper: or else all gateways would run after the last noise.
func (p *Pick) chooseOfTwo() int {
	if p.N == 2 && !p.Considered[0].Skipped && !p.Considered[1].Skipped {
		at := 0
		if p.Considered[1].Cost*nearTie < p.Considered[0].Cost { // no branch: nobody can predict it
			at = 1
		}
		return at
	}
	first := p.first()
	for k := first + 1; k < p.N; k++ {
		other := &p.Considered[k]
		if !other.Skipped && other.Cost*nearTie < p.Considered[first].Cost {
			return k
		}
	}
	return first
}

func (p *Pick) cost(k int) float64 { return p.Considered[k].Cost }
func (p *Pick) load(k int) float64 { return float64(p.Considered[k].Load) }

// chooseLowest shares ties by weight. A drawn candidate has its weight from the
// draw already: there the first one wins.
func (p *Pick) chooseLowest(tie float64, of func(int) float64) int {
	return p.lowestAmong(^uint8(0), tie, of)
}

func (p *Pick) lowestAmong(allowed uint8, tie float64, of func(int) float64) int {
	lowest := math.Inf(1)
	for k := range p.N {
		if p.in(allowed, k) {
			lowest = min(lowest, of(k))
		}
	}
	var tied uint8
	for k := range p.N {
		if p.in(allowed, k) && of(k) <= lowest*tie {
			tied |= 1 << k
		}
	}
	return p.byWeight(tied, func(int) float64 { return 1 })
}

func (p *Pick) in(allowed uint8, k int) bool {
	return allowed&(1<<k) != 0 && !p.Considered[k].Skipped
}

// byWeight draws among the allowed candidates by weight x factor. Where they
// were drawn by weight the first one wins.
func (p *Pick) byWeight(allowed uint8, factor func(int) float64) int {
	sum, last := 0.0, -1
	for k := range p.N {
		if !p.in(allowed, k) {
			continue
		}
		if !p.whole {
			return k
		}
		sum += float64(p.Considered[k].Weight) * factor(k)
		last = k
	}
	u := unit(mix(p.Draw, saltChoice)) * sum
	for k := range p.N {
		if !p.in(allowed, k) {
			continue
		}
		if u -= float64(p.Considered[k].Weight) * factor(k); u < 0 {
			return k
		}
	}
	return last
}

// chooseCold is Prequal's hot-cold rule.
func (p *Pick) chooseCold() int {
	limit := p.hotLimit()
	var cold uint8
	for k := range p.N {
		if c := &p.Considered[k]; !c.Skipped && float64(c.Load) <= limit {
			cold |= 1 << k
		}
	}
	if cold != 0 {
		return p.lowestAmong(cold, nearTie, p.cost)
	}
	return p.chooseLowest(exactTie, p.load)
}

// hotLimit is the quantile of the candidates' load, interpolated: in a small
// set the fullest must be able to be hot.
func (p *Pick) hotLimit() float64 {
	var loads [maxConsidered]float64
	n := 0
	for k := range p.N {
		if !p.Considered[k].Skipped {
			loads[n] = p.load(k)
			n++
		}
	}
	if n == 0 {
		return 0
	}
	slices.Sort(loads[:n])
	at, part := math.Modf(p.quantile * float64(n-1))
	low, high := loads[int(at)], loads[min(int(at)+1, n-1)]
	return low + (high-low)*part
}

// markHot notes for the reader what chooseCold found.
func (p *Pick) markHot() {
	if p.Strategy != Prequal {
		return
	}
	limit := p.hotLimit()
	for k := range p.N {
		c := &p.Considered[k]
		c.Hot = !c.Skipped && float64(c.Load) > limit
	}
}

// chooseByScore draws by weight x score. Of drawn candidates it takes the first
// that is accepted by its score, which comes to the same.
func (p *Pick) chooseByScore() int {
	if p.whole {
		return p.byWeight(^uint8(0), p.cost)
	}
	best := -1
	for k := range p.N {
		switch c := &p.Considered[k]; {
		case c.Skipped:
		case p.accepts(k):
			return k
		case best < 0 || c.Cost > p.Considered[best].Cost:
			best = k
		}
	}
	return best
}

func (p *Pick) accepts(k int) bool {
	return unit(mix(p.Draw, saltAccept+uint64(k))) < p.Considered[k].Cost
}
