package simulate

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"holdfast/autoscale"
)

// Suggestion is a policy with what it would have come to.
type Suggestion struct {
	Result
	// Why says how it was chosen.
	Why string `json:"why"`
	// Lines are the policy as keys of a function's scaling in a configuration.
	Lines []string `json:"lines"`
	// Met says whether it kept the goal.
	Met bool `json:"met"`
}

// candidate is a policy that may be suggested.
type candidate struct {
	Contender
	kind  string
	lines []string
}

// room is what all candidates have in common: their bounds, as numbers and as
// lines, and the world.
type room struct {
	lowest, highest int
	lines           []string
	world           World
	schedules       []autoscale.Schedule
	around          Around
}

// candidate is a policy in the room, with its lines besides those of the bounds.
func (r room) candidate(name string, p autoscale.Policy, kind string, lines ...string) candidate {
	p.Schedules = r.schedules
	return candidate{Contender{name, p, r.around}, kind, append(slices.Clone(r.lines), lines...)}
}

// Suggest proposes of each kind, thresholds, target and capacity, the policy
// that would have been cheapest on a trace with at most goal percent of the
// minutes below the objective; where none kept that, the one that came nearest.
// The schedules of present stay with all of them; its zero value has none.
func Suggest(t *Trace, w World, goal float64, seeds int, present Contender) ([]Suggestion, error) {
	list := candidates(t, w, present)
	contenders := make([]Contender, len(list))
	for i := range list {
		contenders[i] = list[i].Contender
	}
	results, err := Comparison{Contenders: contenders, Trace: t, World: w, Seeds: seeds}.Do()
	if err != nil {
		return nil, err
	}
	var out []Suggestion
	for _, kind := range []string{"thresholds", "target", "capacity"} {
		best := -1
		for i := range list {
			if list[i].kind == kind && (best < 0 || better(&results[i].Mean, &results[best].Mean, goal)) {
				best = i
			}
		}
		met := results[best].Mean.ViolatedTime <= goal
		why := fmt.Sprintf("the cheapest of its kind with at most %g %% slow minutes", goal)
		if !met {
			why = fmt.Sprintf("none of its kind kept %g %% slow minutes, this one came nearest", goal)
		}
		out = append(out, Suggestion{results[best], why, list[best].lines, met})
	}
	return out, nil
}

// better says whether a is to be preferred to b.
func better(a, b *Figures, goal float64) bool {
	okA, okB := a.ViolatedTime <= goal, b.ViolatedTime <= goal
	switch {
	case okA && okB:
		return a.InstanceHours < b.InstanceHours
	case okA != okB:
		return okA
	}
	return a.ViolatedTime < b.ViolatedTime
}

// candidates are the policies tried. Their bounds come from the trace: the
// fewest are what its quietest hundredth keeps busy, the most what makes waiting
// very rare at a fifth more than its highest step.
func candidates(t *Trace, w World, present Contender) []candidate {
	need := func(rate float64) int { return int(math.Ceil(rate/w.PerInstance() - 1e-9)) }
	lowest := max(need(t.Quantile(0.01)), 1)
	calm := *Sized(0.001, 1, 1, w).Capacity
	highest := max(calm.Instances(1.2*t.Quantile(1), w.withDefaults().Service, 10_000), lowest+1)
	r := room{
		lowest, highest,
		[]string{fmt.Sprintf("min_instances: %d", lowest), fmt.Sprintf("max_instances: %d", highest)},
		w,
		present.Policy.Schedules,
		Around{Windows: present.Around.Windows},
	}
	var list []candidate
	for _, up := range []float64{40, 50, 60, 70, 80} {
		for _, down := range []float64{0.3, 0.5, 0.6} {
			for _, rest := range []time.Duration{time.Minute, 5 * time.Minute} {
				list = append(list, r.threshold(up, math.Round(up*down), rest))
			}
		}
	}
	for percent := 40.0; percent <= 85; percent += 5 {
		list = append(list, r.target(percent))
	}
	for _, waiting := range []float64{0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.001} {
		list = append(list, r.capacity(waiting))
	}
	return list
}

func (r room) threshold(up, down float64, rest time.Duration) candidate {
	p := autoscale.Policy{
		Min: r.lowest, Max: r.highest, Cooldown: rest, Boot: r.world.withDefaults().Boot.P95, Panic: autoscale.Panic{Off: true},
		Thresholds: autoscale.Thresholds{
			Up:   map[autoscale.Signal]float64{autoscale.CPUPercent: up},
			Down: map[autoscale.Signal]float64{autoscale.CPUPercent: down},
		},
		Down: autoscale.Limits{Hold: rest, Rates: []autoscale.Rate{{Instances: 1, Per: time.Second}}},
	}
	name := fmt.Sprintf("cpu %.0f/%.0f, %s", up, down, short(rest))
	return r.candidate(name, p, "thresholds",
		"cooldown_period: "+short(rest), fmt.Sprintf("scale_up_threshold: {cpu_percent: %.0f}", up),
		fmt.Sprintf("scale_down_threshold: {cpu_percent: %.0f, idle_time_minutes: 0}", down))
}

func (r room) target(percent float64) candidate {
	p := Reactive(percent, r.lowest, r.highest, r.world)
	value := p.Targets[0].Value
	return r.candidate(fmt.Sprintf("target %.3g/s", value), p, "target", "cooldown_period: 0s", "targets:", fmt.Sprintf("  offered_rate: %.3g", value))
}

func (r room) capacity(waiting float64) candidate {
	p := Sized(waiting, r.lowest, r.highest, r.world)
	c := p.Capacity
	return r.candidate(fmt.Sprintf("capacity %.3g%%", 100*waiting), p, "capacity",
		"cooldown_period: 0s", "capacity:", fmt.Sprintf("  concurrency: %d", c.Slots), "  service_time: "+r.world.withDefaults().Service.String(),
		"  wait: "+c.MaxWait.String(), fmt.Sprintf("  waiting_percent: %.3g", 100*waiting), fmt.Sprintf("  variation: %.3g", c.Variation))
}

// short writes whole minutes as such.
func short(d time.Duration) string { return strings.TrimSuffix(d.String(), "0s") }
