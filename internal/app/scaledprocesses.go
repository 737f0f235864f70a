package app

import (
	"fmt"
	"time"

	"holdfast/autoscale"
	"holdfast/balancer"
	"holdfast/internal/control"
	"holdfast/internal/platform"
	"holdfast/internal/scaler"
)

// scaledProcesses is the platform process as the scaler knows it.
type scaledProcesses struct{ app *App }

// Observe implements scaler.Platform.
func (p scaledProcesses) Observe(function string) (scaler.Observation, bool) {
	a := p.app
	g, fn := a.processes.find(function), a.gateway.Function(function)
	f := a.config.Load().Functions[function]
	if g == nil || fn == nil || f == nil || f.Platform.Process == nil {
		return scaler.Observation{}, false
	}
	f = a.scaled(function, orderedFunction(f, a.control.State().Orders(function)))
	o := scaler.Observation{Desired: f.Platform.Process.Instances}
	o.Deploying, o.VersionSince = g.deploy()
	stats := fn.Balancer().Stats(time.Now())
	up := map[string]balancer.Health{}
	for i := range stats.Instances {
		up[stats.Instances[i].ID] = stats.Instances[i].Health
	}
	for _, i := range g.present() {
		if i.State != platform.Stopped {
			o.Instances = append(o.Instances, instanceForScaling(&i, up[i.ID]))
		}
	}
	return o, true
}

func instanceForScaling(i *platform.Instance, h balancer.Health) autoscale.Instance {
	return autoscale.Instance{ID: i.ID, State: stateForScaling(i.State, h), Since: i.Since, Version: i.Version}
}

// stateForScaling: what runs is ready once its checks say so.
func stateForScaling(s platform.State, h balancer.Health) autoscale.InstanceState {
	switch s {
	case platform.Starting:
		return autoscale.Starting
	case platform.Running:
		switch h {
		case balancer.HealthUp:
			return autoscale.Ready
		case balancer.HealthUnknown:
			return autoscale.Starting
		case balancer.HealthDown:
		}
	case platform.Stopping, platform.Stopped:
		return autoscale.Draining
	case platform.CrashLoop:
		return autoscale.Failed
	case platform.Gone:
	}
	return autoscale.Unready
}

// Scale implements scaler.Platform. The number is put in force as an order is,
// so that neither overtakes the other.
func (p scaledProcesses) Scale(function string, d *autoscale.Decision) error {
	a := p.app
	a.reloading.Lock()
	defer a.reloading.Unlock()
	f, s := a.config.Load().Functions[function], a.control.State()
	if f == nil || restsBecause(function, f, s) != "" {
		return nil // it was taken away or stopped meanwhile
	}
	o := s.Orders(function)
	f = orderedFunction(f, o)
	if now := a.counts.instances(function, f, &o); now != d.Current {
		return nil // somebody else changed it; the next decision knows
	}
	c := scaledCount{d.Result, f.Platform.Process.Instances, orderedAt(&o)}
	a.counts.set(function, c)
	a.rememberScaled(function, c)
	if err := a.applyInstances(function, f); err != nil {
		return fmt.Errorf("scale to %d instances: %w", d.Result, err)
	}
	a.control.Follow(control.Scaled{Function: function, Before: d.Current, After: d.Result, Ready: d.Ready}, d.Reason)
	return nil
}
