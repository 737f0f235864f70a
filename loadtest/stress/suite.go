package stress

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/loadtest/schedule"
)

// Suite names a shape of load.
type Suite string

// The suites.
const (
	Smoke      Suite = "smoke"
	Load       Suite = "load"
	Stress     Suite = "stress"
	Spike      Suite = "spike"
	Soak       Suite = "soak"
	Recovery   Suite = "recovery"
	Breakpoint Suite = "breakpoint"
	Quota      Suite = "quota"
)

// Suites are all of them.
func Suites() []Suite {
	return []Suite{Smoke, Load, Stress, Spike, Soak, Breakpoint, Recovery, Quota}
}

// ParseSuite reads a suite's name.
func ParseSuite(name string) (Suite, error) {
	if s := Suite(name); slices.Contains(Suites(), s) {
		return s, nil
	}
	var names []string
	for _, s := range Suites() {
		names = append(names, string(s))
	}
	return "", fmt.Errorf("%q is no suite; there are %s", name, strings.Join(names, ", "))
}

// usual is how long a suite lasts unless said otherwise.
func (s Suite) usual() time.Duration {
	switch s {
	case Smoke:
		return 10 * time.Second
	case Soak:
		return time.Hour
	case Stress, Spike, Recovery:
		return 2 * time.Minute
	case Load, Breakpoint, Quota:
	}
	return time.Minute
}

// Stages returns the load of a suite around a normal rate; 0 takes its usual
// length. Breakpoint and Quota have none: what comes next depends on what came
// before.
func (s Suite) Stages(rate float64, length time.Duration) []schedule.Stage {
	if length <= 0 {
		length = s.usual()
	}
	part := func(name string, times float64, share int) schedule.Stage {
		return schedule.Stage{Name: name, Rate: times * rate, Duration: length * time.Duration(share) / 8}
	}
	switch s {
	case Smoke:
		return []schedule.Stage{part("a tenth", 0.1, 8)}
	case Load, Soak:
		return []schedule.Stage{part("normal", 1, 8)}
	case Stress:
		return []schedule.Stage{part("normal", 1, 2), part("1.5 times", 1.5, 2), part("twice", 2, 2), part("3 times", 3, 2)}
	case Spike:
		return []schedule.Stage{part("before", 1, 3), part("10 times", 10, 1), part("after", 1, 4)}
	case Recovery:
		return []schedule.Stage{part("normal", 1, 2), part("3 times", 3, 2), part("half", 0.5, 4)}
	case Breakpoint, Quota:
	}
	return nil
}
