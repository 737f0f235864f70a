package balancer

// leastScore keeps a trickle flowing, or a recovery would go unseen.
const leastScore = 0.01

// Score is how well an instance is doing; HealthBased shares by weight x Total.
// Each part is between 0 and 1.
type Score struct {
	// Health is 1, or 0.1 where only panic makes the instance usable.
	Health float64
	// Latency is the median of the others / the instance's estimate, at most 1.
	Latency float64
	// Errors is (1 - share of failures) squared, over about Config.Decay.
	Errors float64
	// Load is 1 / (1 + in flight relative to weight), times the free part of
	// MaxInFlight where that is set.
	Load float64
	// Total is the product, at least 0.01.
	Total float64
}

// score reads the state of an instance as of now.
func (s *pool) score(m *member, inflight, now int64) Score {
	i := m.now
	c := Score{Health: 1, Latency: 1, Load: 1 / (1 + float64(inflight)*float64(m.per))}
	if i.tier() != tierUsable {
		c.Health = 0.1
	}
	fastest, median := s.signals.fastest.Load(), s.signals.median.Load()
	if cost := i.estimate(now, inflight, s.invTau, fastest); cost > median && median > 0 {
		c.Latency = median / cost
	}
	good := 1 - i.failing.Load()*fade(i.stamp.Load(), now, s.invTau)
	c.Errors = good * good
	if limit := m.inst.spec.MaxInFlight; limit > 0 {
		c.Load *= max(1-float64(inflight)/float64(limit), 0)
	}
	c.Total = max(c.Health*c.Latency*c.Errors*c.Load, leastScore)
	return c
}
