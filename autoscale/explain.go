package autoscale

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Explain tells a decision to people, a line for each thing that counted.
func (d *Decision) Explain() []string {
	lines := []string{d.headline(), fmt.Sprintf("instances: %d wanted so far, %d ready, %d starting; %d to %d allowed", d.Current, d.Ready, d.Starting, d.Min, d.Max)}
	for i := range d.Proposals {
		p := &d.Proposals[i]
		line := fmt.Sprintf("%s: %d, %s", p.Rule, p.Instances, p.Reason)
		if p.Dismissed != "" {
			line += "; does not count: " + string(p.Dismissed)
		}
		lines = append(lines, line)
	}
	if len(d.Proposals) == 0 {
		lines = append(lines, "no rule proposes anything")
	}
	for _, c := range d.Constraints {
		lines = append(lines, fmt.Sprintf("%s: %d becomes %d, %s", c.Rule, c.From, c.To, c.Reason))
	}
	if d.Incident != "" {
		lines = append(lines, "incident: "+d.Incident)
	}
	if f := d.Forecast; f != nil {
		lines = append(lines, fmt.Sprintf("forecast: proposes %d, which would have made it %d; it decides nothing", f.Proposal.Instances, f.Result))
	}
	return append(lines, d.signals()...)
}

func (d *Decision) headline() string {
	at := d.At.Format(time.RFC3339)
	does := "stays at"
	switch {
	case d.Result > d.Current:
		does = fmt.Sprintf("scales up from %d to", d.Current)
	case d.Result < d.Current:
		does = fmt.Sprintf("scales down from %d to", d.Current)
	}
	line := fmt.Sprintf("%s %s %d: %s", at, does, d.Result, d.Reason)
	if !d.Act {
		line += " (not carried out)"
	}
	return line
}

// Measured returns every signal that was handed in: the function's own, of those
// of instances the mean over the ready ones that have it.
func (d *Decision) Measured() map[Signal]float64 {
	known := map[Signal]float64{}
	for _, name := range slices.Concat(Standard(), d.others()) {
		if v, _, ok := d.Inputs.Signals.measured(name); ok {
			known[name] = v
		}
	}
	return known
}

// Inferred returns the signals that nobody measured and that were taken for 0,
// since nobody asks for anything; in order. The package comment says which may be.
func (d *Decision) Inferred() []Signal {
	var list []Signal
	for _, name := range slices.Concat(Standard(), d.others()) {
		if _, _, ok := d.Inputs.Signals.measured(name); !ok && d.Inputs.Signals.isZero(name) {
			list = append(list, name)
		}
	}
	return list
}

// Unknown returns the signals that the policy looks at and nobody knew; in order.
// While there is any, no instance is removed because of the rule that needs it.
func (d *Decision) Unknown() []Signal {
	var list []Signal
	for _, name := range d.Inputs.Policy.signals() {
		if _, _, ok := d.Inputs.Signals.value(name); !ok {
			list = append(list, name)
		}
	}
	return list
}

// signals are the signals the rules look at, in order.
func (p Policy) signals() []Signal {
	list := slices.AppendSeq(slices.Collect(maps.Keys(p.Thresholds.Up)), maps.Keys(p.Thresholds.Down))
	for _, t := range p.Targets {
		list = append(list, t.Signal)
	}
	if p.Capacity != nil {
		list = append(list, OfferedRate, ServiceTimeMS)
	}
	if p.Min == 0 {
		list = append(list, IdleSeconds, InFlight)
	}
	if len(p.Thresholds.Down) > 0 && p.Thresholds.IdleFor > 0 {
		list = append(list, IdleSeconds)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// signals tell what was measured, what was not, and what that counts for: the
// signals the rules know first, then others, each in the order of their names.
func (d *Decision) signals() []string {
	var list []string
	known := d.Measured()
	for _, name := range slices.Concat(Standard(), d.others()) {
		if v, ok := known[name]; ok {
			list = append(list, fmt.Sprintf("%s %.4g", name, v))
		}
	}
	lines := []string{"measured: " + cmp.Or(strings.Join(list, ", "), "nothing")}
	if names := d.Inferred(); len(names) > 0 {
		lines = append(lines, "not measured, and 0 since nobody asks: "+joined(names))
	}
	if names := d.Unknown(); len(names) > 0 {
		lines = append(lines, "unknown: "+joined(names))
	}
	return lines
}

func joined(names []Signal) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = string(name)
	}
	return strings.Join(list, ", ")
}

// others are the signals the rules do not know by themselves.
func (d *Decision) others() []Signal {
	list := slices.Clone(d.Inputs.Signals.OfInstances)
	add := func(values map[Signal]float64) {
		for name := range values {
			if !slices.Contains(Standard(), name) {
				list = append(list, name)
			}
		}
	}
	add(d.Inputs.Signals.Values)
	for i := range d.Inputs.Signals.Instances {
		add(d.Inputs.Signals.Instances[i].Values)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
