package simulate_test

import (
	"testing"

	"holdfast/autoscale/simulate"
)

// BenchmarkFortnight rehearses a policy on 14 days of one-minute steps, once as
// a function of at most ten instances and once of a hundred.
func BenchmarkFortnight(b *testing.B) {
	for name, peak := range map[string]float64{"peak of 10": 10, "peak of 100": 100} {
		b.Run(name, func(b *testing.B) {
			trace := readTrace(b, "machine-rps-1m")
			var w simulate.World
			trace = trace.Scaled(peak * w.PerInstance() / trace.Peak())
			w.Discrete = simulate.DiscreteFor(trace, w, 2_000_000)
			for b.Loop() {
				do(b, simulate.Run{Policy: simulate.Sized(0.05, 1, 500, w), Trace: trace, World: w, Seed: 1})
			}
		})
	}
}
