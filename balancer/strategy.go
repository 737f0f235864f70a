package balancer

import (
	"fmt"
	"strings"
)

// Strategy is a load-balancing rule. The zero value is P2C, the default.
type Strategy uint8

// The strategies; the package comment says what share each of them promises.
const (
	P2C Strategy = iota
	RoundRobin
	WeightedRoundRobin
	LeastConnections
	ResponseTime
	HealthBased
	Prequal
	ConsistentHash
	Random
)

// Strategies returns every strategy, the default first.
func Strategies() []Strategy {
	return []Strategy{
		P2C, RoundRobin, WeightedRoundRobin, LeastConnections, ResponseTime,
		HealthBased, Prequal, ConsistentHash, Random,
	}
}

// String returns the name used in configuration files, such as "p2c".
func (s Strategy) String() string {
	switch s {
	case P2C:
		return "p2c"
	case RoundRobin:
		return "round-robin"
	case WeightedRoundRobin:
		return "weighted-round-robin"
	case LeastConnections:
		return "least-connections"
	case ResponseTime:
		return "response-time"
	case HealthBased:
		return "health-based"
	case Prequal:
		return "prequal"
	case ConsistentHash:
		return "consistent-hash"
	case Random:
		return "random"
	}
	return fmt.Sprintf("strategy(%d)", uint8(s))
}

// ParseStrategy is the inverse of String; the empty name is P2C.
func ParseStrategy(name string) (Strategy, error) {
	if name == "" {
		return P2C, nil
	}
	var known []string
	for _, s := range Strategies() {
		if s.String() == name {
			return s, nil
		}
		known = append(known, s.String())
	}
	return 0, fmt.Errorf("parse strategy %q: want one of %s", name, strings.Join(known, ", "))
}
