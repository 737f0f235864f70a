package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/autoscale"
	"holdfast/autoscale/schedule"
	"holdfast/internal/formula"
)

func (s *settler) scaling(f *Function, path string) {
	c := &f.Scaling
	s.atMost(path+".min_instances", c.MinInstances, path+".max_instances", c.MaxInstances)
	s.calm(c, path)
	s.thresholds(c, path)
	s.signals(f, path+".signals")
	s.targets(c, path)
	s.paces(c, path)
	s.capacity(c, path)
	s.schedules(c, path+".schedules")
	s.budget(&c.Budget, path+".budget")
	s.mode(c, path)
}

// Tracks reports whether targets or a capacity say how many instances there
// should be, so that thresholds are only what somebody adds to them.
func (c *Scaling) Tracks() bool { return len(c.Targets) > 0 || c.Capacity != nil }

// calm takes back the defaults that would stand against targets and capacity:
// thresholds hold instances until they are idle, and the cooldown keeps a rise
// from being followed.
func (s *settler) calm(c *Scaling, path string) {
	if !c.Tracks() {
		return
	}
	up, down := &c.ScaleUpThreshold, &c.ScaleDownThreshold
	for key, v := range map[string]*float64{
		"scale_up_threshold.cpu_percent": &up.CPUPercent, "scale_up_threshold.memory_percent": &up.MemoryPercent,
		"scale_up_threshold.response_time_ms": &up.ResponseTimeMs, "scale_up_threshold.error_rate_percent": &up.ErrorRatePercent,
		"scale_down_threshold.cpu_percent": &down.CPUPercent, "scale_down_threshold.memory_percent": &down.MemoryPercent,
		"scale_down_threshold.response_time_ms": &down.ResponseTimeMs, "scale_down_threshold.error_rate_percent": &down.ErrorRatePercent,
		"scale_down_threshold.idle_time_minutes": &down.IdleTimeMinutes,
	} {
		if !s.origins.written(path + "." + key) {
			*v = 0
		}
	}
	for key, v := range map[string]*int{"scale_up_threshold.active_connections": &up.ActiveConnections, "scale_down_threshold.active_connections": &down.ActiveConnections} {
		if !s.origins.written(path + "." + key) {
			*v = 0
		}
	}
	if !s.origins.written(path + ".cooldown_period") {
		c.CooldownPeriod = 0
	}
}

// thresholds: what removes instances must be below what adds them.
func (s *settler) thresholds(c *Scaling, path string) {
	up, down := c.ScaleUpThreshold, c.ScaleDownThreshold
	for _, pair := range []struct {
		key      string
		down, up float64
	}{
		{"cpu_percent", down.CPUPercent, up.CPUPercent},
		{"memory_percent", down.MemoryPercent, up.MemoryPercent},
		{"response_time_ms", down.ResponseTimeMs, up.ResponseTimeMs},
		{"error_rate_percent", down.ErrorRatePercent, up.ErrorRatePercent},
		{"active_connections", float64(down.ActiveConnections), float64(up.ActiveConnections)},
	} {
		if pair.up > 0 && pair.down >= pair.up {
			s.crossed(path, pair.key, pair.down, pair.up)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(up.Signals)) {
		s.thresholdSignal(c, path, path+".scale_up_threshold.signals."+name, name)
		if below, both := down.Signals[name]; both && below >= up.Signals[name] {
			s.crossed(path, "signals."+name, below, up.Signals[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(down.Signals)) {
		s.thresholdSignal(c, path, path+".scale_down_threshold.signals."+name, name)
	}
	for i, step := range up.Steps {
		if step.Add == 0 && step.AddPercent == 0 {
			s.add(fmt.Sprintf("%s.scale_up_threshold.steps[%d]", path, i), "adds nothing", "give add or add_percent")
		}
	}
}

func (s *settler) crossed(path, key string, down, up float64) {
	lower, upper := path+".scale_down_threshold."+key, path+".scale_up_threshold."+key
	if !s.sound(lower, upper) {
		return
	}
	at := lower
	if !s.origins.written(at) {
		at = upper
	}
	s.add(at, fmt.Sprintf("scale_down_threshold, %v%s, must be below scale_up_threshold, %v%s", down, s.byDefault(lower), up, s.byDefault(upper)), "instances would come and go for ever")
}

// ownKeys are the signals with keys of their own in thresholds.
func ownKeys() []string {
	return []string{
		string(autoscale.CPUPercent), string(autoscale.MemoryPercent), string(autoscale.ResponseTimeMS),
		string(autoscale.ErrorRatePercent), string(autoscale.ActiveConnections), string(autoscale.IdleSeconds),
	}
}

func (s *settler) thresholdSignal(c *Scaling, path, at, name string) {
	if slices.Contains(ownKeys(), name) {
		s.add(at, "has a key of its own", "write it one level up; idle_seconds is idle_time_minutes there")
		return
	}
	s.signalKnown(c, path, at, name)
}

// signalKnown: every name is that of a signal.
func (s *settler) signalKnown(c *Scaling, path, at, name string) {
	known := signalNames(c)
	if slices.Contains(known, name) || !s.sound(path+".signals", at) {
		return
	}
	s.add(at, "is no signal", signalHint(name, known))
}

func signalHint(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	return "there are " + strings.Join(known, ", ") + "; signals of your own are defined in scaling.signals"
}

// signalNames are the standard signals and those of the configuration.
func signalNames(c *Scaling) []string {
	var names []string
	for _, name := range autoscale.Standard() {
		names = append(names, string(name))
	}
	return append(names, slices.Sorted(maps.Keys(c.Signals))...)
}

func (s *settler) signals(f *Function, path string) {
	c := &f.Scaling
	formulas := map[string]*formula.Formula{}
	for _, name := range slices.Sorted(maps.Keys(c.Signals)) {
		at, g := path+"."+name, c.Signals[name]
		switch {
		case !s.sound(at):
		case slices.Contains(autoscale.Standard(), autoscale.Signal(name)):
			s.add(at, "is a signal that Holdfast measures itself", "choose another name")
		case !formula.IsName(name):
			s.add(at, "is a word of formulas", "choose another name")
		case g.HealthJSON == "" && g.Prometheus == nil && g.HTTPJSON == nil && g.Formula == "":
			s.add(at, "says not where the signal comes from", "give health_json, prometheus, http_json or formula")
		case g.HealthJSON == "" && g.Combine != "each":
			s.add(at+".combine", "has no effect without health_json", "remove it")
		case g.HealthJSON != "" && (f.Health.Disabled || f.Health.Type != "auto" && f.Health.Type != "http"):
			s.add(at+".health_json", "needs a health check over HTTP", "set health.type: http and health.path")
		case g.Formula != "":
			formulas[name] = s.formula(c, at+".formula", name, g.Formula)
		default:
			s.fetched(g, at)
		}
	}
	if _, err := formula.Order(formulas); err != nil {
		name, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "uses itself: "), " ")
		s.add(path+"."+name+".formula", err.Error(), "end the circle with a signal that is measured")
	}
}

func (s *settler) fetched(g *ScalingSignal, at string) {
	if p := g.Prometheus; p != nil {
		order(s, at+".prometheus.timeout", &p.Timeout, at+".prometheus.interval", &p.Interval)
	}
	if h := g.HTTPJSON; h != nil {
		order(s, at+".http_json.timeout", &h.Timeout, at+".http_json.interval", &h.Interval)
	}
}

// formula compiles one to see whether it can be.
func (s *settler) formula(c *Scaling, at, name, text string) *formula.Formula {
	known := slices.DeleteFunc(signalNames(c), func(n string) bool { return n == name })
	f, err := formula.Compile(text, known)
	if err == nil {
		return f
	}
	hint := "see docs/autoscaling.md for what a formula may hold"
	if e, ok := errors.AsType[*formula.NameError](err); ok {
		hint = signalHint(e.Name, known)
	}
	s.add(at, clip(err.Error()), hint)
	return nil
}

func (s *settler) targets(c *Scaling, path string) {
	for _, name := range slices.Sorted(maps.Keys(c.Targets)) {
		at := path + ".targets." + name
		if !s.sound(at) {
			continue
		}
		s.signalKnown(c, path, at, name)
		if c.Targets[name].Value <= 0 {
			s.add(at+".value", "must be more than 0", "remove it where the signal is to be no target")
		}
	}
	p, at := &c.Panic, path+".panic"
	if *p != NewFunction("").Scaling.Panic && s.sound(at) && !p.Disabled && c.Capacity == nil && c.Targets[string(autoscale.InFlight)] == nil {
		s.add(at, "has no effect without a target for in_flight, or capacity", "it has to know what an instance can have: targets: {in_flight: 8}")
	}
}

// paces fills in how long less must have been enough before an instance goes.
func (s *settler) paces(c *Scaling, path string) {
	if !s.origins.written(path + ".down.hold") {
		switch {
		case c.ScaleDownThreshold.IdleTimeMinutes > 0:
			c.Down.Hold = 0
		case c.CooldownPeriod == 0 && c.Tracks():
			c.Down.Hold = Duration(5 * time.Minute)
		default:
			c.Down.Hold = c.CooldownPeriod
		}
	}
	for name, pace := range map[string]*ScalingPace{"up": &c.Up, "down": &c.Down} {
		for i, r := range pace.Rates {
			at := fmt.Sprintf("%s.%s.rates[%d]", path, name, i)
			if r.Instances == 0 && r.Percent == 0 && s.sound(at) {
				s.add(at, "allows nothing", fmt.Sprintf("give instances or percent, or %s.never: true where that is meant", name))
			}
		}
	}
}

// maxPlaces is what autoscale.Capacity calculates with at most.
const maxPlaces = 1_000_000

func (s *settler) capacity(c *Scaling, path string) {
	if at := path + ".capacity.concurrency"; c.Capacity != nil && s.sound(at, path+".max_instances") && c.Capacity.Concurrency*c.MaxInstances > maxPlaces {
		s.add(at, fmt.Sprintf("times max_instances, %d, must be at most %d, is %d", c.MaxInstances, maxPlaces, c.Capacity.Concurrency*c.MaxInstances), "lower max_instances")
	}
}

func (s *settler) schedules(c *Scaling, path string) {
	for _, name := range slices.Sorted(maps.Keys(c.Schedules)) {
		w, at := c.Schedules[name], joinPath(path, name)
		if !s.sound(at) {
			continue
		}
		if _, err := w.Window(); err != nil {
			s.add(at+".cron", "must be a time as in cron: "+clip(cmp.Or(errors.Unwrap(err), err).Error()), "write minute, hour, day of the month, month, day of the week: 0 8 * * mon-fri")
			continue
		}
		if w.MinInstances == 0 && w.MaxInstances == 0 {
			s.add(at, "changes nothing", "give min_instances or max_instances")
		}
		if w.MaxInstances > 0 {
			s.atMost(at+".min_instances", w.MinInstances, at+".max_instances", w.MaxInstances)
		}
	}
}

// Window is when the schedule is in force.
func (w *ScalingSchedule) Window() (*schedule.Window, error) {
	zone, err := time.LoadLocation(w.Zone)
	if err != nil {
		return nil, fmt.Errorf("read schedule: %w", err)
	}
	return schedule.Parse(w.Cron, zone, w.Duration.Std())
}

func (s *settler) budget(b *ScalingBudget, path string) {
	if b.PerHour > 0 || b.PerMonth > 0 {
		return
	}
	const message, hint = "has no effect without per_hour or per_month", "give a cap, or remove it"
	if b.Price > 0 {
		s.add(path+".price", message, hint)
	}
	if b.AtCap != "hold" && s.sound(path+".at_cap") {
		s.add(path+".at_cap", message, hint)
	}
}

func (s *settler) mode(c *Scaling, path string) {
	m, at := &c.Mode, path+".mode"
	if !s.sound(at) {
		return
	}
	switch {
	case m.Kind == "paused" && m.Until == "":
		s.add(at+".until", "is missing", "say until when scaling is paused, such as 2026-12-01T06:00:00Z; for good it is mode: pinned or enabled: false")
	case m.Kind == "on" && m.Until != "":
		s.add(at+".until", "has no effect with kind on", "remove it")
	case m.Kind != "pinned" && m.At != 0:
		s.add(at+".at", "has no effect without kind pinned", "remove it")
	case m.Kind == "pinned" && m.At == 0:
		s.add(at+".at", "is missing", "say how many instances there are to be")
	case m.Kind == "pinned" && (m.At < c.MinInstances || m.At > c.MaxInstances):
		s.add(at+".at", fmt.Sprintf("must be between min_instances, %d, and max_instances, %d, is %d", c.MinInstances, c.MaxInstances, m.At), "bounds always hold; move them")
	}
}

// Ends is when the mode ends by itself; zero: never.
func (m *ScalingMode) Ends() time.Time {
	at, err := time.Parse(time.RFC3339, m.Until)
	if err != nil {
		return time.Time{} // empty; reading refuses all else
	}
	return at
}
