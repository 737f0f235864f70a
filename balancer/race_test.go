package balancer_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/balancer"
)

func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	for _, s := range balancer.Strategies() {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			var events atomic.Int64
			set, err := balancer.New(balancer.Config{
				Strategy:  s,
				SlowStart: balancer.SlowStart{Window: 50 * time.Millisecond},
				Ejection:  balancer.Ejection{BaseTime: 5 * time.Millisecond},
				OnEvent:   func(balancer.Event) { events.Add(1) },
			})
			if err != nil {
				t.Fatal(err)
			}
			var all []*balancer.Instance
			for k := range 24 {
				all = append(all, balancer.NewInstance(balancer.Spec{ID: fmt.Sprint(k), Weight: 1 + k%3, Priority: k % 2}))
			}
			set.Replace(all, time.Now())
			for _, i := range all {
				set.SetHealth(i, balancer.HealthUp, "start", time.Now())
			}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() { attempts(set, 1500) })
			}
			wg.Go(func() { reports(set, all, 400) })
			wg.Go(func() {
				for k := range 100 {
					set.Replace(all[k%8:], time.Now())
					set.Stats(time.Now())
					if err := set.Update(balancer.Config{Strategy: s, OnEvent: func(balancer.Event) { events.Add(1) }}); err != nil {
						t.Error(err)
					}
				}
			})
			wg.Wait()
			for _, i := range all {
				if i.InFlight() != 0 {
					t.Errorf("%s has %d in flight after all was released", i.ID(), i.InFlight())
				}
			}
			if events.Load() == 0 {
				t.Error("no events")
			}
		})
	}
}

func attempts(set *balancer.Balancer, n int) {
	var p balancer.Pick
	for k := range n {
		p.Draw, p.Key = rand.Uint64(), rand.Uint64()
		if !set.Pick(&p, time.Now()) {
			continue
		}
		set.Begin(p.Instance, time.Now())
		r := balancer.Result{Latency: time.Duration(k) * time.Microsecond}
		if k%3 == 0 {
			r.Failure = balancer.Reset
		}
		set.Observe(p.Instance, r, time.Now())
		set.Release(p.Instance, time.Now())
	}
}

func reports(set *balancer.Balancer, all []*balancer.Instance, n int) {
	for k := range n {
		i := all[k%len(all)]
		switch k % 4 {
		case 0:
			set.SetHealth(i, balancer.HealthDown, "no", time.Now())
		case 1:
			set.SetDraining(i, true, "off", time.Now())
		case 2:
			set.SetLifecycle(i, balancer.Gone, "gone", time.Now())
		}
		set.SetLifecycle(i, balancer.Running, "back", time.Now())
		set.SetDraining(i, false, "on", time.Now())
		set.SetHealth(i, balancer.HealthUp, "yes", time.Now())
	}
}

// Once a call that takes an instance out has returned, nobody gets it any more.
func TestAChangeIsSeenByTheNextPick(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{SlowStart: balancer.SlowStart{Window: time.Second}}, same(4)...)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for now := f.now; ; now = now.Add(time.Millisecond) {
			select {
			case <-stop:
				return
			default:
				p := balancer.Pick{Draw: rand.Uint64()}
				f.set.Pick(&p, now)
			}
		}
	})
	for range 2000 {
		f.set.SetDraining(f.all[0], true, "deploy", f.now)
		if p := f.pick(); p.Instance == f.all[0] {
			t.Error("a drained instance was picked")
		}
		f.set.SetDraining(f.all[0], false, "back", f.now)
	}
	close(stop)
	wg.Wait()
}

//nolint:paralleltest // AllocsPerRun counts what others allocate too
func TestAnAttemptAllocatesNothing(t *testing.T) {
	for _, s := range balancer.Strategies() {
		for _, n := range []int{1, 3, 8, 100} {
			f := newFixture(t, balancer.Config{Strategy: s}, weights(make([]int, n)...)...)
			tried := f.all[:min(n-1, 2)]
			p := balancer.Pick{Tried: tried}
			run := func() {
				f.wait(3 * time.Millisecond)
				p.Draw, p.Key = f.rng.Uint64(), f.rng.Uint64()
				f.set.Pick(&p, f.now)
				f.set.Begin(p.Instance, f.now)
				f.set.Observe(p.Instance, balancer.Result{Latency: 5 * time.Millisecond}, f.now)
				f.set.Release(p.Instance, f.now)
			}
			run()
			if got := testing.AllocsPerRun(500, run); got != 0 {
				t.Errorf("%s with %d instances: %v allocations per attempt", s, n, got)
			}
		}
	}
}
