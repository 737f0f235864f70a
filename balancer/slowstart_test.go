package balancer_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"holdfast/balancer"
)

func TestTheRampFollowsItsFormula(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		aggression, least float64
		at                map[time.Duration]float64
	}{
		"linear":        {at: map[time.Duration]float64{0: 10, 5 * time.Second: 10, 50 * time.Second: 50, 90 * time.Second: 90, 100 * time.Second: 100}},
		"aggressive":    {aggression: 2, at: map[time.Duration]float64{0: 10, 25 * time.Second: 50, 81 * time.Second: 90}},
		"higher minium": {least: 40, at: map[time.Duration]float64{0: 40, 30 * time.Second: 40, 60 * time.Second: 60}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := balancer.Config{SlowStart: balancer.SlowStart{
				Window: 100 * time.Second, Aggression: c.aggression, MinWeightPercent: c.least,
			}}
			for age, want := range c.at {
				f := newFixture(t, cfg, weights(100, 100)...)
				f.down(f.all[0])
				f.up(f.all[0])
				f.wait(age)
				if got := f.stats(0).EffectiveWeight; math.Abs(got-want) > 0.01 {
					t.Errorf("after %v the weight is %v, want %v", age, got, want)
				}
				want := map[bool]balancer.Status{true: balancer.Active, false: balancer.Recovering}[age >= 100*time.Second]
				f.wantStatus(f.all[0], want)
			}
		})
	}
}

// Half way through a linear ramp an instance counts half.
func TestARampingInstanceGetsRampedTraffic(t *testing.T) {
	t.Parallel()
	for _, s := range balancer.Strategies() {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			cfg := balancer.Config{Strategy: s, SlowStart: balancer.SlowStart{Window: 100 * time.Second}}
			f := newFixture(t, cfg, same(4)...)
			f.down(f.all[0])
			f.up(f.all[0])
			f.wait(50 * time.Second)
			want := 100.0 * 0.5 / 3.5
			if got := float64(f.spread(manyPicks)[f.all[0]]) / manyPicks * 100; math.Abs(got-want) > 0.03*want {
				t.Errorf("it got %.2f %% of the picks, want %.2f %%", got, want)
			}
		})
	}
}

func TestNobodyRampsWhenAllAreNew(t *testing.T) {
	t.Parallel()
	cfg := balancer.Config{SlowStart: balancer.SlowStart{Window: time.Minute}}
	f := newFixture(t, cfg, same(3)...)
	for _, i := range f.all {
		f.wantStatus(i, balancer.Active)
	}
	fresh := balancer.NewInstance(balancer.Spec{ID: "new"})
	f.set.Replace([]*balancer.Instance{fresh}, f.now)
	f.up(fresh)
	f.wantStatus(fresh, balancer.Active)
}

func TestWhoJoinsOthersRamps(t *testing.T) {
	t.Parallel()
	cfg := balancer.Config{SlowStart: balancer.SlowStart{Window: time.Minute}}
	f := newFixture(t, cfg, same(2)...)
	fresh := balancer.NewInstance(balancer.Spec{ID: "new"})
	f.set.Replace(append(f.all, fresh), f.now)
	f.wantStatus(fresh, balancer.Recovering)
	if got := f.spread(200)[fresh]; got != 0 {
		t.Errorf("unchecked, it got %d picks", got)
	}
	f.up(fresh)
	f.wantStatus(fresh, balancer.Recovering)
	if got := f.spread(200)[fresh]; got == 0 || got > 40 {
		t.Errorf("new, it got %d of 200 picks, want about 10", got)
	}
	f.wait(time.Minute)
	f.wantStatus(fresh, balancer.Active)
}

func TestWhatRampsAndWhatDoesNot(t *testing.T) {
	t.Parallel()
	cfg := balancer.Config{SlowStart: balancer.SlowStart{Window: time.Minute}}
	cases := map[string]struct {
		away func(*fixture, *balancer.Instance)
		want balancer.Status
	}{
		"down and up": {func(f *fixture, i *balancer.Instance) { f.down(i); f.up(i) }, balancer.Recovering},
		"restarted": {func(f *fixture, i *balancer.Instance) {
			f.set.SetLifecycle(i, balancer.Starting, "restart", f.now)
			f.set.SetLifecycle(i, balancer.Running, "ready", f.now)
		}, balancer.Recovering},
		"crashed": {func(f *fixture, i *balancer.Instance) {
			f.set.SetLifecycle(i, balancer.Gone, "exit 1", f.now)
			f.set.SetLifecycle(i, balancer.Running, "ready", f.now)
		}, balancer.Recovering},
		"ejected": {func(f *fixture, i *balancer.Instance) {
			f.fail(i, balancer.BadStatus, 5)
			f.wait(30 * time.Second)
		}, balancer.Recovering},
		"drained, still warm": {func(f *fixture, i *balancer.Instance) {
			f.set.SetDraining(i, true, "deploy", f.now)
			f.set.SetDraining(i, false, "not today", f.now)
		}, balancer.Active},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, cfg, same(3)...)
			c.away(f, f.all[0])
			f.wantStatus(f.all[0], c.want)
		})
	}
}

// Who waits for an instance must hear of it although the status stays.
func TestAnInstanceThatBecomesUsableIsAnEvent(t *testing.T) {
	t.Parallel()
	start := func(f *fixture, i *balancer.Instance) {
		f.set.SetLifecycle(i, balancer.Gone, "exit 1", f.now)
		f.set.SetHealth(i, balancer.HealthUnknown, "a new process", f.now)
		f.set.SetLifecycle(i, balancer.Starting, "starts", f.now)
		f.set.SetLifecycle(i, balancer.Running, "listens", f.now)
	}
	cases := map[string]struct {
		window time.Duration
		before func(*fixture, *balancer.Instance)
		now    func(*fixture, *balancer.Instance)
		want   []balancer.EventKind
	}{
		"its first check, with slow start":    {time.Minute, start, (*fixture).up, []balancer.EventKind{balancer.Ready}},
		"its first check, without slow start": {0, start, (*fixture).up, []balancer.EventKind{balancer.StatusChanged}},
		"back from failed checks":             {time.Minute, (*fixture).down, (*fixture).up, []balancer.EventKind{balancer.StatusChanged}},
		"gone, and now of use in panic": {0, func(f *fixture, i *balancer.Instance) {
			f.down(i)
			f.set.SetLifecycle(i, balancer.Gone, "exit 1", f.now)
		}, func(f *fixture, i *balancer.Instance) { f.set.SetLifecycle(i, balancer.Running, "listens", f.now) }, []balancer.EventKind{balancer.Ready}},
		"not checked yet": {time.Minute, func(f *fixture, i *balancer.Instance) {
			f.set.SetHealth(i, balancer.HealthUnknown, "a new process", f.now)
			f.set.SetLifecycle(i, balancer.Starting, "starts", f.now)
		}, func(f *fixture, i *balancer.Instance) { f.set.SetLifecycle(i, balancer.Running, "listens", f.now) }, nil},
		"nothing new": {time.Minute, start, func(f *fixture, i *balancer.Instance) { f.set.SetDraining(i, false, "not drained", f.now) }, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := balancer.Config{SlowStart: balancer.SlowStart{Window: c.window}}
			f := newFixture(t, cfg, same(2)...)
			c.before(f, f.all[0])
			f.events = nil
			c.now(f, f.all[0])
			if got := f.kinds(balancer.Ready, balancer.StatusChanged); !slices.Equal(got, c.want) {
				t.Errorf("events %v, want %v", got, c.want)
			}
		})
	}
}
