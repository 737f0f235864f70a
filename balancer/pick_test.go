package balancer_test

import (
	"slices"
	"testing"
	"time"

	"holdfast/balancer"
)

func TestNobodyIsTriedTwice(t *testing.T) {
	t.Parallel()
	for _, s := range balancer.Strategies() {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			for _, n := range []int{1, 2, 3, 8, 9, 40} {
				f := newFixture(t, balancer.Config{Strategy: s}, same(n)...)
				for range 20 {
					var tried []*balancer.Instance
					for range n {
						p := f.pick(tried...)
						if p.Instance == nil || slices.Contains(tried, p.Instance) {
							t.Fatalf("%d of %d tried: picked %v (%s)", len(tried), n, p.Instance, p.None)
						}
						tried = append(tried, p.Instance)
					}
					if p := f.pick(tried...); p.Instance != nil || p.None != balancer.NoneLeft {
						t.Fatalf("all %d tried: picked %v (%s)", n, p.Instance, p.None)
					}
				}
			}
		})
	}
}

func TestAfterAllOfALevelAreTriedTheNextOneServes(t *testing.T) {
	t.Parallel()
	f := leveled(t, balancer.Config{}, []int{2, 1}, []int{2, 1})
	p := f.pick(f.all[0], f.all[1])
	if p.Instance != f.all[2] || p.Rule != balancer.RuleSpillover || p.Priority != 1 {
		t.Errorf("picked %v by %s at priority %d", p.Instance, p.Rule, p.Priority)
	}
}

func TestMaxInFlightHolds(t *testing.T) {
	t.Parallel()
	for _, s := range balancer.Strategies() {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			for _, n := range []int{1, 3, 12} {
				specs := same(n)
				for k := range specs {
					specs[k].MaxInFlight = 5
				}
				f := newFixture(t, balancer.Config{Strategy: s}, specs...)
				for range 5 * n {
					p := f.pick()
					if p.Instance == nil {
						t.Fatalf("%d instances: nobody, %s, though there is room", n, p.None)
					}
					f.set.Begin(p.Instance, f.now)
				}
				p := f.pick()
				if p.Instance != nil || p.None != balancer.AllFull {
					t.Errorf("%d instances full: picked %v (%s)", n, p.Instance, p.None)
				}
				f.set.Release(f.all[0], f.now)
				if p := f.pick(); p.Instance != f.all[0] {
					t.Errorf("one place left: picked %v (%s)", p.Instance, p.None)
				}
			}
		})
	}
}

func TestAFullLevelSpillsOver(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{},
		balancer.Spec{ID: "a", MaxInFlight: 1}, balancer.Spec{ID: "b", Priority: 1})
	f.set.Begin(f.all[0], f.now)
	if p := f.pick(); p.Instance != f.all[1] || p.Rule != balancer.RuleSpillover {
		t.Errorf("picked %v by %s", p.Instance, p.Rule)
	}
}

func TestAffinity(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, balancer.Spec{ID: "a", MaxInFlight: 2}, balancer.Spec{ID: "b"})
	a := f.all[0]
	prefer := func(tried ...*balancer.Instance) balancer.Pick {
		p := balancer.Pick{Draw: f.rng.Uint64(), Prefer: a, Tried: tried}
		f.set.Pick(&p, f.now)
		return p
	}
	for range 50 {
		if p := prefer(); p.Instance != a || p.Rule != balancer.RuleAffinity || p.Replay() != a {
			t.Fatalf("picked %v by %s", p.Instance, p.Rule)
		}
	}
	if p := prefer(a); p.Instance != f.all[1] {
		t.Error("affinity must yield to tried")
	}
	f.set.Begin(a, f.now)
	f.set.Begin(a, f.now)
	if p := prefer(); p.Instance != f.all[1] {
		t.Error("affinity must yield to MaxInFlight")
	}
	f.set.Release(a, f.now)
	for name, leave := range map[string]func(){
		"draining": func() { f.set.SetDraining(a, true, "deploy", f.now) },
		"down":     func() { f.set.SetDraining(a, false, "", f.now); f.down(a) },
		"ejected":  func() { f.up(a); f.fail(a, balancer.BadStatus, 5) },
	} {
		if leave(); prefer().Instance == a && a.Status() != balancer.Active {
			t.Errorf("affinity must yield: %s", name)
		}
	}
}

func TestAnEmptySetSaysSo(t *testing.T) {
	t.Parallel()
	for _, s := range balancer.Strategies() {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			set, err := balancer.New(balancer.Config{Strategy: s})
			if err != nil {
				t.Fatal(err)
			}
			var p balancer.Pick
			if set.Pick(&p, time.Now()) || p.None != balancer.NoneConfigured || p.Replay() != nil {
				t.Errorf("picked %v, %s", p.Instance, p.None)
			}
			stray := balancer.NewInstance(balancer.Spec{ID: "stray"})
			set.Begin(stray, time.Now())
			set.Observe(stray, balancer.Result{Failure: balancer.Reset}, time.Now())
			set.Release(stray, time.Now())
			if got := set.Stats(time.Now()); len(got.Instances) != 0 {
				t.Errorf("stats %+v", got)
			}
		})
	}
}

func TestTheOnlyInstanceIsNamedAsSuch(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, same(2)...)
	f.down(f.all[0])
	if p := f.pick(); p.Rule != balancer.RuleOnly || p.Available != 1 {
		t.Errorf("rule %s, available %d", p.Rule, p.Available)
	}
}

func TestAReleaseTooManyDoesNotMakeAnInstanceLookIdle(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, same(1)...)
	f.set.Release(f.all[0], f.now)
	f.set.Begin(f.all[0], f.now)
	if got := f.all[0].InFlight(); got != 1 {
		t.Errorf("%d in flight, want 1", got)
	}
}

// One slow answer long ago must not starve an instance.
func TestASlowSampleIsForgotten(t *testing.T) {
	t.Parallel()
	for _, s := range []balancer.Strategy{
		balancer.P2C, balancer.ResponseTime, balancer.Prequal, balancer.HealthBased,
	} {
		for _, bad := range []balancer.Result{
			{Latency: 10 * time.Second}, {Failure: balancer.Reset}, {Failure: balancer.BadStatus, RetryAfter: time.Minute},
		} {
			t.Run(s.String()+" "+bad.Failure.String(), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, balancer.Config{Strategy: s}, same(2)...)
				for range 1000 {
					f.wait(time.Millisecond)
					f.attempt(5 * time.Millisecond)
				}
				f.observe(f.all[0], bad)
				before := f.stats(0).Attempts
				for range 1000 {
					f.wait(time.Millisecond)
					f.attempt(5 * time.Millisecond)
				}
				during := f.stats(0).Attempts - before
				if s != balancer.HealthBased && during > 10 {
					t.Errorf("%d of 1000 picks right after, want it left alone", during)
				}
				for range 4000 {
					f.wait(50 * time.Millisecond)
					f.attempt(5 * time.Millisecond)
				}
				before = f.stats(0).Attempts
				for range 1000 {
					f.wait(time.Millisecond)
					f.attempt(5 * time.Millisecond)
				}
				if got := f.stats(0).Attempts - before; got < 400 {
					t.Errorf("200 s later it gets %d of 1000 picks, want about half", got)
				}
			})
		}
	}
}

// An instance whose estimate has faded gets one attempt, not a herd.
func TestAReturningInstanceProvesItselfFirst(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, same(2)...)
	f.observe(f.all[0], balancer.Result{Latency: 5 * time.Second})
	for range 10_000 {
		f.wait(10 * time.Millisecond)
		f.observe(f.all[1], balancer.Result{Latency: 5 * time.Millisecond})
	}
	for range 40 { // concurrent attempts, no answers yet
		p := f.pick()
		f.set.Begin(p.Instance, f.now)
	}
	if got := f.all[0].InFlight(); got != 1 {
		t.Errorf("%d of 40 attempts went to an instance last seen slow, want 1", got)
	}
}

// A new instance in a busy set gets one attempt until its first answer.
func TestANewInstanceProvesItselfFirst(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, same(2)...)
	f.observe(f.all[1], balancer.Result{Latency: 5 * time.Millisecond})
	for range 20 {
		p := f.pick()
		f.set.Begin(p.Instance, f.now)
	}
	if got := f.all[0].InFlight(); got != 1 {
		t.Errorf("%d of 20 attempts went to an instance nobody knows, want 1", got)
	}
}

func TestStreamsAreNotLatency(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, same(1)...)
	f.observe(f.all[0], balancer.Result{Latency: 5 * time.Millisecond})
	f.observe(f.all[0], balancer.Result{Latency: time.Hour, Long: true})
	s := f.stats(0)
	if s.EWMA > 6*time.Millisecond || s.P99 > 6*time.Millisecond || s.Successes != 2 {
		t.Errorf("estimate %v, p99 %v, successes %d", s.EWMA, s.P99, s.Successes)
	}
}
