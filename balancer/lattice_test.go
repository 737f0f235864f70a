package balancer_test

import (
	"fmt"
	"testing"
	"time"

	"holdfast/balancer"
)

// Every combination of what the platform, the checks, the operator and the
// results can say, against the rule in words.
func TestEveryCombinationOfSourcesHasOneStatus(t *testing.T) {
	t.Parallel()
	for _, life := range []balancer.Lifecycle{balancer.Running, balancer.Starting, balancer.Stopped, balancer.Gone, balancer.Spare} {
		for _, health := range []balancer.Health{balancer.HealthUnknown, balancer.HealthUp, balancer.HealthDown} {
			for _, draining := range []bool{false, true} {
				for _, ejected := range []bool{false, true} {
					name := fmt.Sprintf("%s %s draining=%v ejected=%v", life, health, draining, ejected)
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						f := newFixture(t, balancer.Config{}, same(3)...)
						i := f.all[0]
						if ejected {
							f.fail(i, balancer.BadStatus, 5)
							f.wantStatus(i, balancer.Failed)
						}
						ejected := ejected && life != balancer.Starting // the old process was
						f.set.SetHealth(i, health, "check", f.now)
						f.set.SetLifecycle(i, life, "platform", f.now)
						f.set.SetDraining(i, draining, "operator", f.now)
						want, traffic := expected(life, health, draining, ejected)
						f.wantStatus(i, want)
						if got := f.spread(300)[i] > 0; got != traffic {
							t.Errorf("traffic: %v, want %v", got, traffic)
						}
						s := f.stats(0)
						if s.Health != health || s.Lifecycle != life || s.Draining != draining || s.Ejected != ejected {
							t.Errorf("stats do not say what was said: %+v", s)
						}
					})
				}
			}
		}
	}
}

func expected(life balancer.Lifecycle, health balancer.Health, draining, ejected bool) (balancer.Status, bool) {
	switch {
	case draining || life == balancer.Stopped || life == balancer.Spare:
		return balancer.Inactive, false
	case life == balancer.Gone || health == balancer.HealthDown || ejected:
		return balancer.Failed, false
	case life == balancer.Starting || health == balancer.HealthUnknown:
		return balancer.Recovering, false
	}
	return balancer.Active, true
}

func TestAReturnFromFailedPassesRecovering(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, same(2)...)
	f.down(f.all[0])
	f.wait(time.Second)
	f.up(f.all[0])
	var steps []string
	for _, e := range f.events {
		steps = append(steps, e.From.String()+">"+e.To.String()+" by "+e.Source)
	}
	want := "[active>failed by health failed>recovering by health recovering>active by health]"
	if got := fmt.Sprint(steps); got != want {
		t.Errorf("steps %s, want %s", got, want)
	}
}

func TestTheReasonIsThatOfTheSourceThatBinds(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, same(2)...)
	f.set.SetHealth(f.all[0], balancer.HealthDown, "connection refused", f.now)
	f.set.SetDraining(f.all[0], true, "deploy", f.now)
	if got := f.stats(0).Reason; got != "deploy" {
		t.Errorf("draining and down: reason %q", got)
	}
	f.set.SetDraining(f.all[0], false, "deploy is over", f.now)
	if got := f.stats(0).Reason; got != "connection refused" {
		t.Errorf("down again: reason %q", got)
	}
}

func TestHistoryKeepsTheLastSixteenChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, same(2)...)
	for k := range 20 {
		f.wait(time.Second)
		f.set.SetDraining(f.all[0], k%2 == 0, fmt.Sprint("change ", k), f.now)
	}
	h := f.stats(0).History
	if len(h) != 16 || h[0].Reason != "change 4" || h[15].Reason != "change 19" {
		t.Fatalf("%d changes from %q to %q", len(h), h[0].Reason, h[len(h)-1].Reason)
	}
	last := h[15]
	if !last.At.Equal(f.now) || last.From != balancer.Inactive || last.To != balancer.Active || last.Source != "drain" {
		t.Errorf("last change: %+v", last)
	}
	if !f.stats(0).Since.Equal(f.now) {
		t.Errorf("since %v, want %v", f.stats(0).Since, f.now)
	}
}

func TestAnInstanceKeepsItsStateAcrossReplace(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, same(3)...)
	f.fail(f.all[0], balancer.BadStatus, 5)
	fresh := balancer.NewInstance(balancer.Spec{ID: "new"})
	f.set.Replace([]*balancer.Instance{f.all[0], f.all[1], fresh, fresh, nil}, f.now)
	if got := len(f.set.Instances()); got != 3 {
		t.Errorf("%d instances, want 3: doubles and nil are dropped", got)
	}
	f.wantStatus(f.all[0], balancer.Failed)
	f.wantStatus(f.all[1], balancer.Active)
	f.wantStatus(fresh, balancer.Recovering)
	if got := f.spread(100); got[f.all[1]] != 100 {
		t.Errorf("picks %v, want all on the only one available", got)
	}
}

func TestARemovedInstanceIsNotPickedEvenWhenPreferred(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, same(2)...)
	f.set.Replace(f.all[1:], f.now)
	f.set.SetDraining(f.all[0], false, "late word", f.now)
	p := balancer.Pick{Prefer: f.all[0]}
	if f.set.Pick(&p, f.now); p.Instance != f.all[1] {
		t.Errorf("picked %v", p.Instance)
	}
}

func TestEventsMayCallBackAndStayInOrder(t *testing.T) {
	t.Parallel()
	var set *balancer.Balancer
	var order []string
	now := time.Unix(1000, 0)
	a, b := balancer.NewInstance(balancer.Spec{ID: "a"}), balancer.NewInstance(balancer.Spec{ID: "b"})
	set, err := balancer.New(balancer.Config{OnEvent: func(e balancer.Event) {
		order = append(order, e.Instance.ID()+" "+e.To.String())
		if e.Instance == a && e.To == balancer.Active {
			set.SetHealth(b, balancer.HealthUp, "seen", now)
			order = append(order, "after the call")
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	set.Replace([]*balancer.Instance{a, b}, now)
	set.SetHealth(a, balancer.HealthUp, "seen", now)
	if got, want := fmt.Sprint(order), "[a active after the call b active]"; got != want {
		t.Errorf("order %s, want %s", got, want)
	}
}
