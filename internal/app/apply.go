package app

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/gateway"
	"holdfast/internal/platform"
)

// Check finds what only the parts themselves can find wrong in a
// configuration. It opens and starts nothing.
func Check(c *config.Config) error {
	var all []error
	for _, name := range slices.Sorted(maps.Keys(c.Functions)) {
		f := c.Functions[name]
		if _, err := specOf(name, f); err != nil {
			all = append(all, fmt.Errorf("function %s: %w", name, err))
		}
		if f.Platform.Process != nil {
			all = append(all, (*processes)(nil).check(name, f))
		}
		all = append(all, checkChecks(name, f))
	}
	_, err := new(alertChannels).of(c)
	all = append(all, err)
	return errors.Join(all...)
}

// checkChecks makes the health check of an instance and throws it away.
func checkChecks(name string, f *config.Function) error {
	if f.Health.Disabled {
		return nil
	}
	_, err := checkerOf(f, "check", "http://127.0.0.1:1")
	if err != nil {
		return fmt.Errorf("function %s: health: %w", name, err)
	}
	return nil
}

// apply makes everything as the configuration says: first the rules, then the
// instances. Functions that are gone lose their instances last.
func (a *App) apply(c *config.Config) error {
	specs := make([]gateway.Spec, 0, len(c.Functions))
	names := slices.Sorted(maps.Keys(c.Functions))
	for _, name := range names {
		spec, err := specOf(name, c.Functions[name])
		if err != nil {
			return fmt.Errorf("function %s: %w", name, err)
		}
		spec.Config.Wanted = func() { a.scaler.Wake(name) }
		specs = append(specs, spec)
	}
	gone := map[string]bool{}
	for _, fn := range a.gateway.Functions() {
		gone[fn.Name()] = c.Functions[fn.Name()] == nil
	}
	if err := a.gateway.Apply(specs, time.Now()); err != nil {
		return err
	}
	a.gateway.SetAccess(accessOf(c.Log.Access))
	a.monitor.SetLimits(limitsOf(c))
	a.alerts.Configure(a.alertSettings(c))
	a.setTracing(c)
	var all []error
	for _, name := range names {
		all = append(all, a.applyInstances(name, c.Functions[name]))
	}
	for name, isGone := range gone {
		if isGone {
			a.processes.stop(name)
			a.remotes.stop(name)
			a.instances.remove(name)
		}
	}
	return errors.Join(all...)
}

func (a *App) applyInstances(name string, f *config.Function) error {
	if f.Platform.Process != nil {
		a.remotes.stop(name)
		return a.processes.apply(name, a.scaled(name, f))
	}
	a.processes.stop(name)
	if f.Platform.Name() != "" {
		return a.remotes.apply(name, f)
	}
	a.remotes.stop(name)
	return a.instances.set(name, f, staticSpecs(f), always)
}

func accessOf(s string) gateway.Access {
	switch s {
	case "all":
		return gateway.AccessAll
	case "off":
		return gateway.AccessOff
	default:
		return gateway.AccessFailed
	}
}

// processOf returns what the platform knows of an instance.
func (a *App) processOf(function, id string) (platform.Instance, bool) {
	if a.processes == nil {
		return platform.Instance{}, false
	}
	if r := a.remotes.find(function); r != nil {
		return r.find(id)
	}
	g := a.processes.find(function)
	if g == nil {
		return platform.Instance{}, false
	}
	return g.find(id)
}
