package app

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"holdfast/internal/alerting"
	"holdfast/internal/alerting/channel"
	"holdfast/internal/config"
)

// alertRulesOf are the rules built in, as the configuration changes them, and
// those it adds.
func alertRulesOf(c map[string]*config.AlertRule) []alerting.Rule {
	rules := alerting.BuiltIn()
	for i := range rules {
		if x := c[rules[i].Name]; x != nil {
			change(&rules[i], x)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c)) {
		x := c[name]
		if x.Expr == "" && x.Objective == 0 {
			continue
		}
		r := alerting.Rule{Name: name, Keep: time.Minute, Settle: alerting.Measured}
		if x.Expr != "" {
			r.Severity, r.Formula = channel.Warning, conditionOf(x)
		} else {
			r.Objective = &alerting.Objective{Percent: x.Objective, Slow: x.Latency.Std(), Summary: x.Summary}
		}
		change(&r, x)
		rules = append(rules, r)
	}
	return rules
}

func change(r *alerting.Rule, x *config.AlertRule) {
	r.Off, r.Functions, r.Labels = !x.Enabled, x.Functions, x.Labels
	r.Severity = cmp.Or(channel.Severity(x.Severity), r.Severity)
	r.For, r.Keep, r.Below = cmp.Or(x.For.Std(), r.For), cmp.Or(x.Keep.Std(), r.Keep), cmp.Or(x.Days, r.Below)
	r.SaidCause, r.SaidNext = x.Cause, x.Next
}

// conditionOf compiles what the configuration has compiled once already.
func conditionOf(x *config.AlertRule) *alerting.Formula {
	f := &alerting.Formula{Text: x.Expr, Summary: x.Summary}
	f.Wrong, _ = config.Condition(x.Expr)
	if x.Until != "" {
		f.Well, _ = config.Condition(x.Until)
	}
	return f
}

func maintenanceOf(c map[string]*config.AlertMaintenance) []alerting.Window {
	var list []alerting.Window
	for _, name := range slices.Sorted(maps.Keys(c)) {
		m := c[name]
		w := alerting.Window{Name: name, Functions: m.Functions, Reason: m.Reason}
		w.From, w.Until = m.Times()
		w.Cron, _ = m.Window() // checked with the configuration
		list = append(list, w)
	}
	return list
}
