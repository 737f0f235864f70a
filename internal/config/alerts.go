package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"holdfast/autoscale/schedule"
	"holdfast/internal/formula"
)

// AlertRules say what alerts are about, and how often people are told.
type AlertRules struct {
	// Where links in notifications lead: the address at which people reach the admin interface, `https://holdfast.example.com`. Empty: the address of the admin listener.
	Link string `yaml:"link" format:"signal-url"`
	// How long after the first alert of a function is waited for what belongs to it.
	Wait Duration `yaml:"wait" default:"5s" range:"0..10m"`
	// Time between two notifications about one function.
	Interval Duration `yaml:"interval" default:"1m" range:"0..24h"`
	// Time after which what still fires is told again.
	Repeat Duration `yaml:"repeat" default:"4h" range:"1m..720h"`
	// Time between two heartbeats to channels that want them.
	Heartbeat Duration `yaml:"heartbeat" default:"1m" range:"5s..24h"`
	// Rules by name: those built in, to change them, and your own.
	Rules map[string]*AlertRule `yaml:"rules" format:"rule-name" max:"200"`
	// Times in which nobody is told, by name.
	Maintenance map[string]*AlertMaintenance `yaml:"maintenance" format:"label" max:"100"`
}

// AlertRule changes a rule that is built in (docs/alerts.md lists them), or is
// one of your own: `expr` or `objective`.
type AlertRule struct {
	// Look for it at all.
	Enabled bool `yaml:"enabled" default:"true"`
	// How bad it is. Empty: as built in; of your own, warning, and of an objective as fast as its budget burns.
	Severity string `yaml:"severity" enum:"critical|warning|info"`
	// How long it must last before it fires. 0: as built in.
	For Duration `yaml:"for" range:"0..24h"`
	// How long it must be well before it is resolved. 0: as built in.
	Keep Duration `yaml:"keep" range:"0..24h"`
	// Functions it looks at. Empty: all.
	Functions []string `yaml:"functions" format:"nonempty" max:"1000"`
	// A condition of the figures of a function: `error_percent > 5 and requests_per_second > 10`. Figures are requests_per_second, error_percent, p50_ms, p95_ms, p99_ms, in_flight, waiting, cpu_percent, memory_percent, event_loop_lag_ms, instances, available, failed and breaker_open.
	Expr string `yaml:"expr"`
	// A condition for it to be well again: `error_percent < 2`. Between the two what fires goes on. Empty: when `expr` does not hold.
	Until string `yaml:"until"`
	// Share of requests that shall be good, in percent: `99.9`. It fires when the budget of bad ones burns too fast.
	Objective float64 `yaml:"objective" range:"0..99.9999"`
	// With `objective`: good is what is answered within this time. 0: what does not fail.
	Latency Duration `yaml:"latency" range:"0..1h"`
	// Of the rule `certificate`: days before the end. 0: as built in.
	Days float64 `yaml:"days" range:"0..365"`
	// A sentence of your own instead of one with the numbers. Only of your own rules.
	Summary string `yaml:"summary"`
	// The likely cause.
	Cause string `yaml:"cause"`
	// The next step: a command, or the address of a page.
	Next string `yaml:"next"`
	// Labels for whoever routes alerts further.
	Labels map[string]string `yaml:"labels" format:"label" max:"32"`
}

// AlertMaintenance is a time in which alerts are shown and nobody is told: one
// that comes back (`cron`), or one (`from` and `until`).
type AlertMaintenance struct {
	// When it begins: minute, hour, day of the month, month, day of the week, as in cron: `0 3 * * sun`.
	Cron string `yaml:"cron"`
	// Time zone of `cron`: `Europe/Berlin`.
	Zone string `yaml:"zone" default:"UTC" format:"zone"`
	// How long it lasts, with `cron`.
	Duration Duration `yaml:"duration" range:"0..744h"`
	// When it begins: `2026-12-01T06:00:00Z`.
	From string `yaml:"from" format:"time"`
	// When it ends.
	Until string `yaml:"until" format:"time"`
	// Functions it is about. Empty: everything.
	Functions []string `yaml:"functions" format:"nonempty" max:"1000"`
	// Why.
	Reason string `yaml:"reason"`
}

// BuiltInAlerts are the names of the rules that are built in.
func BuiltInAlerts() []string {
	return []string{
		"breaker_half_open", "breaker_open", "certificate", "channel", "disk_full", "errors", "failover", "incident", "instance_failed",
		"latency", "loop_lag", "memory", "no_instance", "panic", "platform_unknown", "scaling_action", "scaling_failed", "scaling_limit", "store_down",
	}
}

// alertsOfHoldfast are the rules that are about no function.
func alertsOfHoldfast() []string {
	return []string{"certificate", "channel", "disk_full", "store_down"}
}

// alertsOfMoments are the rules about what merely happened.
func alertsOfMoments() []string { return []string{"failover", "scaling_action"} }

// AlertFigures are the names that conditions may use.
func AlertFigures() []string {
	return []string{
		"available", "breaker_open", "cpu_percent", "error_percent", "event_loop_lag_ms", "failed", "in_flight", "instances", "memory_percent",
		"p50_ms", "p95_ms", "p99_ms", "requests_per_second", "waiting",
	}
}

// Condition compiles a condition of alerts: 1 where it holds, else 0.
func Condition(text string) (*formula.Formula, error) {
	return formula.Compile(text+" ? 1 : 0", AlertFigures())
}

func (s *settler) alertRules() {
	a := &s.config.Alerts
	functions := slices.Sorted(maps.Keys(s.config.Functions))
	for _, name := range slices.Sorted(maps.Keys(a.Rules)) {
		path := "alerts.rules." + name
		s.alertRule(name, a.Rules[name], path)
		for i, function := range a.Rules[name].Functions {
			s.knownFunction(fmt.Sprintf("%s.functions[%d]", path, i), function, functions)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.Maintenance)) {
		path := "alerts.maintenance." + name
		s.alertMaintenance(a.Maintenance[name], path)
		for i, function := range a.Maintenance[name].Functions {
			s.knownFunction(fmt.Sprintf("%s.functions[%d]", path, i), function, functions)
		}
	}
}

func (s *settler) alertRule(name string, r *AlertRule, path string) {
	builtIn := slices.Contains(BuiltInAlerts(), name)
	own := r.Expr != "" || r.Objective > 0
	switch {
	case !s.sound(path):
		return
	case builtIn && own:
		s.add(path, "is built in and looks for something else", "choose another name")
	case !builtIn && !own:
		s.add(path, "looks for nothing", s.meantRule(name))
	case r.Expr != "" && r.Objective > 0:
		s.add(path+".objective", "excludes expr", "make two rules")
	case r.Latency > 0 && r.Objective == 0:
		s.add(path+".latency", "has no effect without objective", "give an objective, such as 99")
	case r.Until != "" && r.Expr == "":
		s.add(path+".until", "has no effect without expr", "remove it")
	case r.Days > 0 && name != "certificate":
		s.add(path+".days", "has an effect in the rule certificate only", "remove it")
	case len(r.Functions) > 0 && slices.Contains(alertsOfHoldfast(), name):
		s.add(path+".functions", "would switch the rule off: it is about Holdfast itself, not about a function", "remove it")
	case r.For > 0 && slices.Contains(alertsOfMoments(), name):
		s.add(path+".for", "has no use: the rule tells of what was done, which does not last", "remove it")
	case r.Summary != "" && builtIn:
		s.add(path+".summary", "is made of the numbers where a rule is built in", "remove it; cause and next can be changed")
	}
	s.condition(path+".expr", r.Expr)
	s.condition(path+".until", r.Until)
}

func (s *settler) meantRule(name string) string {
	if near := nearest(name, BuiltInAlerts()); near != "" {
		return "did you mean " + near + "? A rule of your own needs expr or objective"
	}
	return "give expr or objective; built in are " + strings.Join(BuiltInAlerts(), ", ")
}

func (s *settler) condition(path, text string) {
	if text == "" {
		return
	}
	if _, err := Condition(text); err != nil {
		hint := "write a comparison, such as error_percent > 5"
		message := clip(err.Error())
		if strings.Contains(message, "which is no signal") {
			hint = "figures: " + strings.Join(AlertFigures(), ", ")
		} else if strings.HasPrefix(err.Error(), fmt.Sprintf("does not work at character %d:", utf8.RuneCountInString(text)+2)) {
			message = "ends too early" // what is in the way is Condition's own
		}
		s.add(path, message, hint)
	}
}

func (s *settler) alertMaintenance(m *AlertMaintenance, path string) {
	if !s.sound(path) {
		return
	}
	if m.Cron == "" {
		from, until := m.Times()
		switch {
		case m.From == "" || m.Until == "":
			s.add(path, "is never", "give cron and duration, or from and until")
		case !from.Before(until):
			s.add(path+".until", "must be after from", "")
		case m.Duration > 0:
			s.add(path+".duration", "has no effect without cron", "remove it; until says when it ends")
		}
		return
	}
	if m.From != "" || m.Until != "" {
		s.add(path+".cron", "excludes from and until", "make two windows")
	} else if _, err := m.Window(); err != nil {
		s.add(path+".cron", "must be a time as in cron, with a duration: "+clip(err.Error()), "write minute, hour, day of the month, month, day of the week: 0 3 * * sun, and duration: 2h")
	}
}

// Window is when it comes back; nil: it does not.
func (m *AlertMaintenance) Window() (*schedule.Window, error) {
	if m.Cron == "" {
		return nil, nil //nolint:nilnil // as said above
	}
	zone, err := time.LoadLocation(m.Zone)
	if err != nil {
		return nil, fmt.Errorf("read maintenance: %w", err)
	}
	return schedule.Parse(m.Cron, zone, m.Duration.Std())
}

// Times are from and until; zero where they are not given.
func (m *AlertMaintenance) Times() (from, until time.Time) {
	from, _ = time.Parse(time.RFC3339, m.From) // reading refuses all that is none
	until, _ = time.Parse(time.RFC3339, m.Until)
	return from, until
}
