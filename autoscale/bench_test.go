package autoscale_test

import (
	"testing"
	"time"

	"holdfast/autoscale"
)

// BenchmarkDecide decides about ten instances by the default thresholds.
func BenchmarkDecide(b *testing.B) {
	p := autoscale.FunctionPolicy()
	s := autoscale.Signals{Desired: 4, Instances: ready(10, values{autoscale.CPUPercent: 50, autoscale.MemoryPercent: 50}), Values: values{
		autoscale.ResponseTimeMS: 100, autoscale.ErrorRatePercent: 0, autoscale.OfferedRate: 10, autoscale.IdleSeconds: 0,
	}}
	state, now := autoscale.State{}, at(0)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(15 * time.Second)
		d := autoscale.Decide(p, state, s, now)
		state = d.Next
	}
}
