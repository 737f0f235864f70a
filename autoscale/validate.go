package autoscale

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Validate says everything that is wrong with a policy, each in a sentence
// that names the field.
func (p Policy) Validate() error {
	var all []error
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			all = append(all, fmt.Errorf(format, args...))
		}
	}
	add(p.Min < 0, "Min must not be negative, is %d", p.Min)
	add(p.Max < 0 || p.Max > maxInstances, "Max must be between 0 and %d, is %d", maxInstances, p.Max)
	add(p.Max > 0 && p.Min > p.Max, "Min must be at most Max, %d, is %d", p.Max, p.Min)
	add(!finite(p.Tolerance) || p.Tolerance >= 1, "Tolerance must be below 1, is %v", p.Tolerance)
	for name, d := range map[string]time.Duration{"Cooldown": p.Cooldown, "Boot": p.Boot, "Zero.After": p.Zero.After, "Thresholds.IdleFor": p.Thresholds.IdleFor, "Up.Hold": p.Up.Hold} {
		add(d < 0, "%s must not be negative, is %s", name, d)
	}
	add(p.ChangesPerHour < 0, "ChangesPerHour must not be negative, is %d", p.ChangesPerHour)
	p.validateThresholds(add)
	p.validateTargets(add)
	validateRates("Up", p.Up.Rates, add)
	validateRates("Down", p.Down.Rates, add)
	for i, s := range p.Schedules {
		add(s.Name == "", "Schedules[%d].Name is missing", i)
		add(s.Min < 0 || s.Max < 0 || s.Min > maxInstances || s.Max > maxInstances, "Schedules[%d]: Min and Max must be between 0 and %d", i, maxInstances)
		add(s.Max > 0 && s.Min > s.Max, "Schedules[%d].Min must be at most Max, %d, is %d", i, s.Max, s.Min)
	}
	if p.Capacity != nil {
		p.Capacity.validate(p.withDefaults().Max, add)
	}
	p.Panic.validate(add)
	p.Budget.validate(add)
	p.Mode.validate(add)
	slices.SortFunc(all, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errors.Join(all...)
}

// maxInstances bounds what a policy may ask for.
const maxInstances = 100_000

// complain notes what is wrong.
type complain func(wrong bool, format string, args ...any)

func (p Policy) validateThresholds(add complain) {
	t := &p.Thresholds
	for _, name := range slices.Sorted(maps.Keys(t.Up)) {
		add(!finite(t.Up[name]), "Thresholds.Up[%s] must be a number", name)
		down, both := t.Down[name]
		add(both && down >= t.Up[name], "Thresholds.Down[%s], %v, must be below Thresholds.Up, %v: instances would come and go for ever", name, down, t.Up[name])
	}
	for _, name := range slices.Sorted(maps.Keys(t.Down)) {
		add(!finite(t.Down[name]), "Thresholds.Down[%s] must be a number", name)
	}
	for i, s := range t.Steps {
		add(s.Over < 0 || !finite(s.Over) || !finite(s.Percent), "Thresholds.Steps[%d]: Over and Percent must be numbers, and not negative", i)
		add(s.Add < 0 || s.Add > maxInstances || s.Percent < 0 || s.Percent > maxPercent || s.Add == 0 && s.Percent == 0, "Thresholds.Steps[%d] must add something", i)
	}
	for i, s := range t.StepsDown {
		add(!finite(s.Under) || s.Under < 0 || s.Under > 100, "Thresholds.StepsDown[%d].Under must be between 0 and 100, is %v", i, s.Under)
		add(s.Remove < 0 || s.Remove > maxInstances || !finite(s.Percent) || s.Percent < 0 || s.Percent > 100 || s.Remove == 0 && s.Percent == 0, "Thresholds.StepsDown[%d] must remove something, and at most 100 percent", i)
	}
	add(t.Remove < 0 || t.Remove > maxInstances, "Thresholds.Remove must be between 0 and %d, is %d", maxInstances, t.Remove)
}

// maxPercent keeps numbers of instances in bounds.
const maxPercent = 10_000

func (p Policy) validateTargets(add complain) {
	for i, t := range p.Targets {
		add(t.Signal == "", "Targets[%d].Signal is missing", i)
		add(!finite(t.Value) || t.Value <= 0, "Targets[%d].Value must be more than 0, is %v", i, t.Value)
		add(!slices.Contains([]Kind{Automatic, Mean, Total, Ratio}, t.Kind), "Targets[%d].Kind must be mean, total or ratio, is %q", i, t.Kind)
	}
}

func validateRates(name string, list []Rate, add complain) {
	for i, r := range list {
		add(r.Per <= 0 || r.Per > hour, "%s.Rates[%d].Per must be more than 0 and at most an hour, is %s", name, i, r.Per)
		add(r.Instances < 0 || r.Instances > maxInstances, "%s.Rates[%d].Instances must be between 0 and %d, is %d", name, i, maxInstances, r.Instances)
		add(!finite(r.Percent) || r.Percent < 0 || r.Percent > maxPercent, "%s.Rates[%d].Percent must be between 0 and %d, is %v", name, i, maxPercent, r.Percent)
		add(r.Instances == 0 && r.Percent == 0, "%s.Rates[%d] needs Instances or Percent", name, i)
	}
}
