package admin

import (
	"fmt"
	"strings"
	"time"

	"holdfast/autoscale"
	"holdfast/internal/telemetry"
)

// ScalingMode is what becomes of decisions.
type ScalingMode struct {
	Kind  string    `json:"kind" doc:"on, up_only, advisory, paused or pinned"`
	Until time.Time `json:"until,omitzero" doc:"when on comes back by itself; missing: never"`
	At    int       `json:"at,omitempty" doc:"instances of pinned"`
}

// ScalingBudget is what instances cost in this hour and month, UTC, in the money
// of the caps or in instance-hours.
type ScalingBudget struct {
	PerHour   float64 `json:"per_hour,omitempty" doc:"cap; missing: none"`
	UsedHour  float64 `json:"used_this_hour"`
	PerMonth  float64 `json:"per_month,omitempty" doc:"cap; missing: none"`
	UsedMonth float64 `json:"used_this_month"`
	AtCap     string  `json:"at_cap" doc:"hold, shrink or warn"`
}

// ScalingSignal is a signal of the configuration.
type ScalingSignal struct {
	Name   string `json:"name"`
	Source string `json:"source" doc:"health_json, prometheus, http_json or formula"`
	What   string `json:"what,omitempty" doc:"place, query or formula"`
	// Value is what the last decision had; missing: it was unknown.
	Value *float64 `json:"value,omitempty"`
	// AgeMS is how long ago the value was measured; missing: it never was.
	AgeMS *int64 `json:"age_ms,omitempty"`
	// Problem says why the last attempt to fetch it brought none.
	Problem string `json:"problem,omitempty"`
}

// ScalingSource is where a signal of the configuration comes from.
type ScalingSource struct {
	Name   string
	Signal autoscale.Signal
	// Kind is the key it is defined by, What its place, query or formula.
	Kind, What string
	// At is when what is known of it was measured; zero: never.
	At      time.Time
	Problem string
}

func (s *Server) sources(function string) []ScalingSource {
	if s.config.ScalingSources == nil {
		return nil
	}
	return s.config.ScalingSources(function)
}

// standing fills in what holds besides the decision.
func (v *Scaling) standing(d *autoscale.Decision, sources []ScalingSource, now time.Time) {
	v.Mode = modeNow(&d.Inputs.Policy.Mode, now)
	v.Schedules = d.Inputs.Signals.Schedules
	if b, spent := &d.Inputs.Policy.Budget, &d.Next.Spent; b.PerHour > 0 || b.PerMonth > 0 {
		v.Budget = &ScalingBudget{b.PerHour, b.Price * spent.InHour, b.PerMonth, b.Price * spent.InMonth, string(b.AtCap)}
	}
	for _, s := range sources {
		x := ScalingSignal{Name: s.Name, Source: s.Kind, What: s.What, Problem: s.Problem}
		if n, ok := d.Inputs.Signals.Value(s.Signal); ok {
			x.Value = &n
		}
		if !s.At.IsZero() {
			age := max(now.Sub(s.At).Milliseconds(), 0)
			x.AgeMS = &age
		}
		v.Signals = append(v.Signals, x)
	}
}

// modeNow is the mode in force: one that has ended is over.
func modeNow(m *autoscale.Mode, now time.Time) *ScalingMode {
	if m.Kind == autoscale.On || !m.Until.IsZero() && !now.Before(m.Until) {
		return &ScalingMode{Kind: "on"}
	}
	return &ScalingMode{string(m.Kind), m.Until, m.At}
}

func (v *Scaling) standingLines(l *lines) {
	if m := v.Mode; m != nil && m.Kind != "on" {
		line := "mode: " + m.Kind
		if m.Kind == string(autoscale.Pinned) {
			line += fmt.Sprintf(" at %d", m.At)
		}
		if !m.Until.IsZero() {
			line += " until " + m.Until.Format(time.RFC3339)
		}
		l.add("%s", line)
	}
	if len(v.Schedules) > 0 {
		l.add("schedules in force: %s", strings.Join(v.Schedules, ", "))
	}
	if b := v.Budget; b != nil {
		l.add("budget: %s", b)
	}
	for i := range v.Signals {
		l.add("signal %s", &v.Signals[i])
	}
}

func (b *ScalingBudget) String() string {
	var parts []string
	if b.PerHour > 0 {
		parts = append(parts, fmt.Sprintf("%.4g of %.4g used this hour", b.UsedHour, b.PerHour))
	}
	if b.PerMonth > 0 {
		parts = append(parts, fmt.Sprintf("%.4g of %.4g this month", b.UsedMonth, b.PerMonth))
	}
	return strings.Join(parts, ", ")
}

func (s *ScalingSignal) String() string {
	text := s.Name + " is "
	if s.Value == nil {
		text += "unknown"
	} else {
		text += fmt.Sprintf("%.4g", *s.Value)
	}
	text += ", from " + s.Source
	if s.AgeMS != nil && s.Source != "formula" {
		text += fmt.Sprintf(", %.1f s old", float64(*s.AgeMS)/1000)
	}
	if s.Problem != "" {
		text += ": " + s.Problem
	}
	return text
}

// figures are the same as metrics show them.
func (v *Scaling) figures(f *telemetry.Scaling) {
	if b := v.Budget; b != nil && b.PerHour > 0 {
		f.Left["hour"] = b.PerHour - b.UsedHour
	}
	if b := v.Budget; b != nil && b.PerMonth > 0 {
		f.Left["month"] = b.PerMonth - b.UsedMonth
	}
	for i := range v.Signals {
		s := &v.Signals[i]
		x := telemetry.ScalingSignal{Value: s.Value}
		if s.AgeMS != nil {
			age := float64(*s.AgeMS) / 1000
			x.Age = &age
		}
		f.Signals[s.Name] = x
	}
}
