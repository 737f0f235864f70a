package alerting

import (
	"time"

	"holdfast/internal/alerting/channel"
)

// RuleView is a rule as people see it.
type RuleView struct {
	Name     string           `json:"name"`
	Kind     string           `json:"kind" enum:"built in,formula,objective"`
	Enabled  bool             `json:"enabled"`
	Severity channel.Severity `json:"severity,omitempty" doc:"missing: it depends on how fast the budget burns"`
	// ForSeconds and KeepSeconds are how long it must be wrong, and well.
	ForSeconds  float64  `json:"for_seconds"`
	KeepSeconds float64  `json:"keep_seconds"`
	Functions   []string `json:"functions,omitempty" doc:"missing: all"`
	Text        string   `json:"text,omitempty" doc:"the formula or the objective"`
	Firing      int      `json:"firing" doc:"alerts of this rule"`
}

// Rules returns the rules in force.
func (s *Service) Rules() []RuleView {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []RuleView{}
	for i := range s.settings.Rules {
		r := &s.settings.Rules[i]
		v := RuleView{
			Name: r.Name, Kind: "built in", Enabled: !r.Off, Severity: r.Severity, ForSeconds: r.For.Seconds(), KeepSeconds: r.Keep.Seconds(), Functions: r.Functions,
		}
		switch {
		case r.Formula != nil:
			v.Kind, v.Text = "formula", r.Formula.Text
		case r.Objective != nil:
			v.Kind, v.Text = "objective", r.Objective.String()
		}
		for _, x := range s.book.states {
			if x.Rule == r.Name && !x.Pending {
				v.Firing++
			}
		}
		list = append(list, v)
	}
	return list
}

// String says the objective in words.
func (o *Objective) String() string {
	if o.Slow > 0 {
		return short(o.Percent) + " % of the requests are answered within " + o.Slow.Round(time.Millisecond).String()
	}
	return short(o.Percent) + " % of the requests do not fail"
}
