package app

import (
	"fmt"
	"time"

	"holdfast/autoscale"
	"holdfast/balancer"
	"holdfast/internal/control"
	"holdfast/internal/scaler"
)

// scaledRemotes are the functions of remotes as the scaler knows them.
type scaledRemotes struct{ app *App }

// Observe implements scaler.Platform. What is old, or somebody else's to decide,
// is not known.
func (p scaledRemotes) Observe(function string) (scaler.Observation, bool) {
	now := time.Now()
	r, fn := p.app.remotes.find(function), p.app.gateway.Function(function)
	if r == nil || fn == nil {
		return scaler.Observation{}, false
	}
	seen, _, ok := r.current(now)
	if !ok || seen.Owner != "" {
		return scaler.Observation{}, false
	}
	o := scaler.Observation{Desired: r.desired(), Deploying: seen.Deploying, VersionSince: seen.Since}
	stats := fn.Balancer().Stats(now)
	up := map[string]balancer.Health{}
	for i := range stats.Instances {
		up[stats.Instances[i].ID] = stats.Instances[i].Health
	}
	for n := range seen.Instances {
		i := instanceForScaling(&seen.Instances[n], up[seen.Instances[n].ID])
		if r.leaves(i.ID) {
			i.State = autoscale.Draining
		}
		o.Instances = append(o.Instances, i)
	}
	return o, true
}

// leaves says whether an instance is being removed.
func (r *remote) leaves(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.victims[id]
	return ok
}

// Scale implements scaler.Platform. What failed is tried again, but not with
// every decision.
func (p scaledRemotes) Scale(function string, d *autoscale.Decision) error {
	a := p.app
	a.reloading.Lock()
	defer a.reloading.Unlock()
	f, r := a.config.Load().Functions[function], a.remotes.find(function)
	if f == nil || r == nil || restsBecause(function, f, a.control.State()) != "" {
		return nil // it was taken away or stopped meanwhile
	}
	if r.desired() != d.Current || r.waits(d.Result, d.At) {
		return nil // somebody else changed it, or it failed just now; the next decision knows
	}
	if err := r.scale(d.Result); err != nil {
		return fmt.Errorf("scale to %d instances: %w", d.Result, err)
	}
	a.control.Follow(control.Scaled{Function: function, Before: d.Current, After: d.Result, Ready: d.Ready}, d.Reason)
	return nil
}

// waits says whether an order has to wait because it failed.
func (r *remote) waits(n int, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failure != nil && r.failure.instances == n && now.Before(r.failure.again())
}

// scaledPlatforms asks the platform that a function is on.
type scaledPlatforms struct {
	processes scaledProcesses
	remotes   scaledRemotes
}

func (p scaledPlatforms) of(function string) scaler.Platform {
	if p.remotes.app.remotes.find(function) != nil {
		return p.remotes
	}
	return p.processes
}

// Observe implements scaler.Platform.
func (p scaledPlatforms) Observe(function string) (scaler.Observation, bool) {
	return p.of(function).Observe(function)
}

// Scale implements scaler.Platform.
func (p scaledPlatforms) Scale(function string, d *autoscale.Decision) error {
	return p.of(function).Scale(function, d)
}

// usageHolds is how long a measurement counts: platforms measure every 15 s or
// so, and need another 15 s to tell it.
const usageHolds = time.Minute

// addUsage adds what the platform measured of instances that say nothing of
// their processor and memory themselves.
func (r *remote) addUsage(m *scaler.Measured, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, u := range r.usage {
		if now.Sub(u.At) > usageHolds {
			continue
		}
		if m.Instances[id] == nil {
			m.Instances[id] = map[autoscale.Signal]float64{}
		}
		for signal, v := range map[autoscale.Signal]float64{autoscale.CPUPercent: u.CPUPercent, autoscale.MemoryPercent: u.MemoryPercent} {
			if _, known := m.Instances[id][signal]; !known && v >= 0 {
				m.Instances[id][signal] = v
			}
		}
	}
}
