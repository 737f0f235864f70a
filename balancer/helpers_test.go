package balancer_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast/balancer"
)

// fixture is a set on a clock of its own.
type fixture struct {
	t      *testing.T
	set    *balancer.Balancer
	all    []*balancer.Instance
	now    time.Time
	rng    *rand.Rand
	events []balancer.Event
}

// newFixture makes a set of instances that have all passed their checks.
func newFixture(t *testing.T, cfg balancer.Config, specs ...balancer.Spec) *fixture {
	t.Helper()
	f := &fixture{t: t, now: time.Unix(1_000_000, 0), rng: rand.New(rand.NewPCG(1, 2))}
	cfg.OnEvent = func(e balancer.Event) { f.events = append(f.events, e) }
	set, err := balancer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.set = set
	for _, spec := range specs {
		f.all = append(f.all, balancer.NewInstance(spec))
	}
	set.Replace(f.all, f.now)
	for _, i := range f.all {
		f.up(i)
	}
	f.events = nil
	return f
}

// weights makes one Spec per weight, with the IDs i0, i1, ...
func weights(ws ...int) []balancer.Spec {
	var specs []balancer.Spec
	for k, w := range ws {
		specs = append(specs, balancer.Spec{ID: fmt.Sprint("i", k), Weight: w})
	}
	return specs
}

func same(n int) []balancer.Spec { return weights(make([]int, n)...) }

func (f *fixture) up(i *balancer.Instance) {
	f.set.SetHealth(i, balancer.HealthUp, "passed", f.now)
}

func (f *fixture) down(i *balancer.Instance) {
	f.set.SetHealth(i, balancer.HealthDown, "refused", f.now)
}
func (f *fixture) wait(d time.Duration) { f.now = f.now.Add(d) }

func (f *fixture) pick(tried ...*balancer.Instance) balancer.Pick {
	p := balancer.Pick{Draw: f.rng.Uint64(), Key: f.rng.Uint64(), Tried: tried}
	f.set.Pick(&p, f.now)
	return p
}

// attempt runs one attempt from pick to release.
func (f *fixture) attempt(latency time.Duration) *balancer.Instance {
	f.t.Helper()
	p := f.pick()
	if p.Instance == nil {
		f.t.Fatalf("nobody was picked: %s", p.None)
	}
	f.observe(p.Instance, balancer.Result{Latency: latency})
	return p.Instance
}

func (f *fixture) observe(i *balancer.Instance, r balancer.Result) {
	f.set.Begin(i, f.now)
	f.set.Observe(i, r, f.now)
	f.set.Release(i, f.now)
}

func (f *fixture) fail(i *balancer.Instance, kind balancer.Failure, times int) {
	for range times {
		f.observe(i, balancer.Result{Failure: kind, Latency: time.Millisecond})
	}
}

func (f *fixture) succeed(i *balancer.Instance, times int) {
	for range times {
		f.observe(i, balancer.Result{Latency: time.Millisecond})
	}
}

// spread counts picks without attempts.
func (f *fixture) spread(n int) map[*balancer.Instance]int {
	counts := map[*balancer.Instance]int{}
	for range n {
		p := f.pick()
		counts[p.Instance]++
	}
	return counts
}

func (f *fixture) attempts(n int) {
	for range n {
		f.attempt(time.Millisecond)
	}
}

func (f *fixture) stats(k int) balancer.InstanceStats {
	return f.set.Stats(f.now).Instances[k]
}

func (f *fixture) wantStatus(i *balancer.Instance, want balancer.Status) {
	f.t.Helper()
	f.set.Stats(f.now) // does what is due
	if got := i.Status(); got != want {
		f.t.Errorf("%s is %s, want %s", i.ID(), got, want)
	}
}

// kinds lists the events of these kinds, in order.
func (f *fixture) kinds(of ...balancer.EventKind) []balancer.EventKind {
	var found []balancer.EventKind
	for _, e := range f.events {
		for _, k := range of {
			if e.Kind == k {
				found = append(found, k)
			}
		}
	}
	return found
}
