package alerting

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"holdfast/autoscale/schedule"
)

// Silence keeps alerts from being told, for a time.
type Silence struct {
	ID string `json:"id"`
	Match
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Author string    `json:"author"`
	Reason string    `json:"reason"`
}

// Match selects alerts: all that is given must fit. `*` stands for any text, ?
// for one character. Empty fits all.
type Match struct {
	Rule     string            `json:"rule,omitempty" maxLength:"128" doc:"as in breaker_open, or scaling_*"`
	Function string            `json:"function_name,omitempty" maxLength:"128"`
	Instance string            `json:"instance_id,omitempty" maxLength:"256"`
	Severity string            `json:"severity,omitempty" maxLength:"16" doc:"critical, warning or info"`
	Labels   map[string]string `json:"labels,omitempty"`
}

// Everything reports whether it fits all alerts there are.
func (m *Match) Everything() bool {
	return m.Rule == "" && m.Function == "" && m.Instance == "" && m.Severity == "" && len(m.Labels) == 0
}

// check says what is wrong with the patterns.
func (m *Match) check() error {
	patterns := map[string]string{"rule": m.Rule, "function_name": m.Function, "instance_id": m.Instance, "severity": m.Severity}
	for name, value := range m.Labels {
		patterns["label "+name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(patterns)) {
		p := patterns[name]
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("%s %q: a bracket is not closed", name, p)
		}
	}
	return nil
}

func (m *Match) fits(s *state) bool {
	if !like(m.Rule, s.Rule) || !like(m.Function, s.Function) || !like(m.Instance, or(s.Instance, s.Part)) || !like(m.Severity, string(s.Severity)) {
		return false
	}
	for k, v := range m.Labels {
		if !like(v, s.Labels[k]) {
			return false
		}
	}
	return true
}

// like reports whether the pattern fits. A slash is a character like any other:
// the name of an instance may have some.
func like(pattern, text string) bool {
	if pattern == "" {
		return true
	}
	flat := func(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
	ok, err := path.Match(flat(pattern), flat(text))
	return ok && err == nil
}

// Window is a maintenance window: alerts that fit are not told while it is
// open. It comes back (Cron), or is open From until Until.
type Window struct {
	Name      string
	Functions []string // none: everything
	Cron      *schedule.Window
	From      time.Time
	Until     time.Time
	Reason    string
}

// open reports whether the window is open.
func (w *Window) open(now time.Time) bool {
	if w.Cron != nil {
		return w.Cron.Open(now)
	}
	return !now.Before(w.From) && now.Before(w.Until)
}

func (w *Window) covers(function string) bool {
	return len(w.Functions) == 0 || slices.Contains(w.Functions, function)
}

const (
	maxSilences = 1000
	// silenceShown is how long a silence is listed after its end.
	silenceShown = time.Hour
	// longestSilence: what is to be quiet for good is switched off in the
	// configuration, where others see it.
	longestSilence = 90 * 24 * time.Hour
)

// Errors of silences.
var (
	ErrBadSilence = errors.New("silence is not possible")
	ErrNoSilence  = errors.New("there is no such silence")
)

func (s *Silence) check(now time.Time) error {
	long := s.Until.Sub(now)
	switch {
	case s.Everything():
		return fmt.Errorf("%w: it would fit everything; give a rule, function, instance, severity or label (rule: \"*\" means all)", ErrBadSilence)
	case s.Reason == "":
		return fmt.Errorf("%w: the reason is missing", ErrBadSilence)
	case long <= 0 || !s.From.Before(s.Until):
		return fmt.Errorf("%w: it would have ended already", ErrBadSilence)
	case long > longestSilence:
		return fmt.Errorf("%w: it may last 90 days at most; what is to be quiet for good is alerts.rules.NAME.enabled: false", ErrBadSilence)
	}
	if err := s.Match.check(); err != nil {
		return fmt.Errorf("%w: %w", ErrBadSilence, err)
	}
	return nil
}
