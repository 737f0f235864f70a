package balancer_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast/balancer"
)

// BenchmarkPick measures the choice alone.
func BenchmarkPick(b *testing.B) {
	eachStrategyAndSize(b, func(b *testing.B, set *balancer.Balancer) {
		b.Helper()
		now, rng := time.Now(), rand.New(rand.NewPCG(1, 2))
		var p balancer.Pick
		now = now.Add(time.Second) // so that estimates fall: the dearer case
		for b.Loop() {
			p.Draw = rng.Uint64()
			p.Key = p.Draw
			set.Pick(&p, now)
		}
	})
}

// BenchmarkAttempt measures all four calls of an attempt.
func BenchmarkAttempt(b *testing.B) {
	eachStrategyAndSize(b, func(b *testing.B, set *balancer.Balancer) {
		b.Helper()
		now, rng := time.Now(), rand.New(rand.NewPCG(1, 2))
		var p balancer.Pick
		for b.Loop() {
			now = now.Add(50 * time.Microsecond)
			p.Draw = rng.Uint64()
			p.Key = p.Draw
			set.Pick(&p, now)
			set.Begin(p.Instance, now)
			set.Observe(p.Instance, balancer.Result{Latency: 5 * time.Millisecond}, now)
			set.Release(p.Instance, now)
		}
	})
}

// BenchmarkPickParallel shows what the shared cache lines cost.
func BenchmarkPickParallel(b *testing.B) {
	for _, s := range []balancer.Strategy{balancer.P2C, balancer.RoundRobin} {
		b.Run(s.String(), func(b *testing.B) {
			set, now := benchSet(b, s, 1000), time.Now()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				var p balancer.Pick
				for pb.Next() {
					p.Draw = rand.Uint64()
					set.Pick(&p, now)
				}
			})
		})
	}
}

// BenchmarkStatusChange is the price of a rebuild.
func BenchmarkStatusChange(b *testing.B) {
	for _, s := range balancer.Strategies() {
		for _, n := range []int{10, 1000, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", s, n), func(b *testing.B) {
				set, now := benchSet(b, s, n), time.Now()
				victim := set.Instances()[0]
				b.ReportAllocs()
				for n := 0; b.Loop(); n++ {
					set.SetDraining(victim, n%2 == 0, "bench", now)
				}
			})
		}
	}
}

func eachStrategyAndSize(b *testing.B, run func(*testing.B, *balancer.Balancer)) {
	b.Helper()
	for _, s := range balancer.Strategies() {
		for _, n := range []int{1, 10, 100, 1000, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", s, n), func(b *testing.B) {
				set := benchSet(b, s, n)
				b.ReportAllocs()
				run(b, set)
			})
		}
	}
}

// benchSet has instances of all weights that have answered before.
func benchSet(b *testing.B, s balancer.Strategy, n int) *balancer.Balancer {
	b.Helper()
	set, err := balancer.New(balancer.Config{Strategy: s})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	var instances []*balancer.Instance
	for k := range n {
		i := balancer.NewInstance(balancer.Spec{ID: fmt.Sprint("i", k), Weight: 1 + k%5})
		set.SetHealth(i, balancer.HealthUp, "bench", now)
		instances = append(instances, i)
	}
	set.Replace(instances, now)
	for k, i := range instances {
		set.Observe(i, balancer.Result{Latency: time.Duration(5+k%3) * time.Millisecond}, now)
	}
	return set
}
