package app

import (
	"fmt"
	"reflect"
	"sync"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/health"
	"holdfast/internal/config"
	"holdfast/internal/gateway"
	"holdfast/internal/prober"
)

// instances keeps the gateway's instances and the prober's targets in step.
type instances struct {
	gateway *gateway.Gateway
	prober  *prober.Prober
	// weight is the weight an instance shall have; enforce makes a function's
	// instances as ordered before they take traffic. Nil: as configured.
	weight  func(function, id string, configured int) int
	enforce func(*exchange.Function)

	// wasUp says whether an instance was up when this node last ran; may be nil.
	wasUp func(name string, f *config.Function, id, endpoint string) bool

	mu      sync.Mutex
	checked map[string]check // by target key
}

// check is what a target was made of; a difference makes a new target.
type check struct {
	function string
	endpoint string
	health   config.Health
	path     string
	numbers  []string
	instance *balancer.Instance
}

func newInstances(g *gateway.Gateway, p *prober.Prober) *instances {
	return &instances{gateway: g, prober: p, checked: map[string]check{}}
}

func targetKey(function, id string) string { return function + "/" + id }

// set makes a function's instances those of specs and checks those that run.
func (s *instances) set(name string, f *config.Function, specs []balancer.Spec, runs func(id string) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.weight != nil {
		for i := range specs {
			specs[i].Weight = s.weight(name, specs[i].ID, specs[i].Weight)
		}
	}
	list, err := s.gateway.SetInstances(name, specs, time.Now())
	if err != nil {
		return err
	}
	if s.enforce != nil {
		s.enforce(s.gateway.Function(name))
	}
	wanted := map[string]bool{}
	for _, i := range list {
		if !runs(i.ID()) {
			continue
		}
		key := targetKey(name, i.ID())
		wanted[key] = true
		if err := s.watch(key, name, f, i); err != nil {
			return err
		}
	}
	s.dropExcept(name, wanted)
	return nil
}

// watch checks an instance; one that is checked already in the same way is
// left alone.
func (s *instances) watch(key, name string, f *config.Function, i *balancer.Instance) error {
	want := check{name, i.Endpoint(), f.Health, healthPath(f), healthWays(f), i}
	had, known := s.checked[key]
	if known && reflect.DeepEqual(had, want) {
		return nil
	}
	s.checked[key] = want
	b := s.gateway.Function(name).Balancer()
	if f.Health.Disabled {
		s.prober.Remove(key)
		b.SetHealth(i, balancer.HealthUp, "health checks are disabled", time.Now())
		return nil
	}
	initial := health.Unknown
	if known && had.endpoint == i.Endpoint() { // its weight or the way of checking changed: no gap
		if v, ok := s.prober.View(key); ok {
			initial = v.State
			b.SetHealth(i, healthOf(initial), v.Last.Reason, time.Now())
		}
	} else if !known && s.wasUp != nil && s.wasUp(name, f, i.ID(), i.Endpoint()) {
		initial = health.Up
		b.SetHealth(i, balancer.HealthUp, "it was up before the restart", time.Now())
	}
	return s.probe(key, f, i, initial)
}

// probe has an instance checked from now on.
func (s *instances) probe(key string, f *config.Function, i *balancer.Instance, initial health.State) error {
	c, err := checkerOf(f, i.ID(), i.Endpoint())
	if err != nil {
		return fmt.Errorf("instance %s: health check: %w", key, err)
	}
	b := s.gateway.Function(s.checked[key].function).Balancer()
	s.prober.Set(key, prober.Target{
		Check: c, Policy: checkPolicyOf(f), Initial: initial,
		Eager: f.Platform.Name() != "" && initial == health.Unknown, Report: reports(b, i, startsUntil(f, initial)),
	})
	return nil
}

// startsUntil is how long an instance whose checks fail counts as starting. A
// server may accept connections before it can answer, and what has never been
// up has not failed yet.
func startsUntil(f *config.Function, initial health.State) time.Time {
	if f.Platform.Name() == "" || initial != health.Unknown {
		return time.Time{}
	}
	return time.Now().Add(f.Platform.ReadyTimeout().Std())
}

// reports tells the balancer what checks find.
func reports(b *balancer.Balancer, i *balancer.Instance, starts time.Time) func(prober.Report) {
	wasUp := false // of one target's reports, which come one at a time
	return func(r prober.Report) {
		h := healthOf(r.State)
		wasUp = wasUp || h == balancer.HealthUp
		if h == balancer.HealthDown && !wasUp && r.At.Before(starts) {
			h = balancer.HealthUnknown
		}
		b.SetHealth(i, h, r.Result.Reason, r.At)
	}
}

// remove stops checking a function's instances.
func (s *instances) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropExcept(name, nil)
}

func (s *instances) dropExcept(name string, wanted map[string]bool) {
	for key, c := range s.checked {
		if c.function == name && !wanted[key] {
			delete(s.checked, key)
			s.prober.Remove(key)
		}
	}
}

func healthOf(s health.State) balancer.Health {
	switch s {
	case health.Up:
		return balancer.HealthUp
	case health.Down:
		return balancer.HealthDown
	case health.Unknown:
	}
	return balancer.HealthUnknown
}

// always is the answer of instances that Holdfast did not start.
func always(string) bool { return true }

// staticSpecs are the instances that the configuration lists.
func staticSpecs(f *config.Function) []balancer.Spec {
	var list []balancer.Spec
	for _, i := range f.Instances {
		list = append(list, balancer.Spec{
			ID: i.ID, Endpoint: i.URL, Weight: i.Weight, Priority: i.Priority, Zone: i.Zone, Region: i.Region, MaxInFlight: i.MaxInFlight,
		})
	}
	return list
}
