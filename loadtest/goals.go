package loadtest

import (
	"fmt"
	"slices"
	"time"

	"holdfast/loadtest/objective"
)

// ParseObjective reads an objective; see package objective for what it may say. Errors name what is wrong with it.
func ParseObjective(text string) (objective.Objective, error) {
	var classes []string
	for class := range Class(NumClasses) {
		if class.Failure() {
			classes = append(classes, class.String())
		}
	}
	return objective.Parse(text, classes)
}

// CheckObjectives says whether the objectives of a Config speak of endpoints, stages and rates that it has, as Run would.
func CheckObjectives(c *Config) error {
	whole := *c
	whole.withDefaults()
	return whole.checkObjectives()
}

// checkObjectives looks whether what they speak of is there.
func (c *Config) checkObjectives() error {
	for i := range c.Objectives {
		o := &c.Objectives[i]
		switch {
		case o.Unit == objective.OfTarget && !c.Open:
			return fmt.Errorf("the objective %v needs a target rate, and a closed run has none: set a rate, or compare with a number", o)
		case o.Endpoint != "" && c.endpoint(o.Endpoint) < 0:
			return fmt.Errorf("the objective %v names no endpoint of this run", o)
		case o.Stage != "" && c.stage(o.Stage) < 0:
			return fmt.Errorf("the objective %v names no stage of this run", o)
		}
	}
	return nil
}

func (c *Config) endpoint(name string) int {
	return slices.IndexFunc(c.Endpoints, func(e Endpoint) bool { return e.Name == name })
}

func (c *Config) stage(name string) int {
	for i := range c.Stages {
		if c.Stages[i].Name == name {
			return i
		}
	}
	return -1
}

// measure collects what an objective is judged by; now is the end of what was measured, since the begin of the run.
func (r *run) measure(o *objective.Objective, now time.Duration) *objective.Measured {
	phase, endpoint := measured, all
	from, to := r.plan.warmup, now
	if o.Endpoint != "" {
		endpoint = r.config.endpoint(o.Endpoint)
	}
	if o.Stage != "" {
		stage := r.config.stage(o.Stage)
		phase = 1 + stage
		for i := range stage {
			from += r.config.Stages[i].Duration
		}
		to = min(now, from+r.config.Stages[stage].Duration)
	}
	sum := r.recorder.summary(phase, endpoint)
	m := &objective.Measured{
		Response: sum.Response, Service: sum.Service, Planned: sum.Planned(), Good: sum.Counts[OK], Failed: sum.Failures(),
		Classes: map[string]int64{}, Length: max(to-from, 0),
	}
	for class, n := range sum.Counts {
		m.Classes[Class(class).String()] = n
	}
	if r.config.Open {
		m.Target = r.target(from, to, endpoint)
	}
	return m
}

// target is how many requests per second were due from one moment to another; of an endpoint its share.
func (r *run) target(from, to time.Duration, endpoint int) float64 {
	to = min(to, r.plan.curve.Duration())
	rate := perSecond(r.plan.demand.due(to)-r.plan.demand.due(from), to-from)
	if endpoint == all {
		return rate
	}
	weights := r.plan.weights
	mine := weights[endpoint]
	if endpoint > 0 {
		mine -= weights[endpoint-1]
	}
	return rate * float64(mine) / float64(weights[len(weights)-1])
}

// settle is how long the measured part goes on before an objective may abort it.
const settle = 5 * time.Second

// missed returns the first objective that ends the run, judged by all that was measured so far. It has to have been
// measured well enough to say so.
func (r *run) missed(now time.Duration) (text string, ok bool) {
	for i := range r.config.Objectives {
		o := &r.config.Objectives[i]
		if !o.Abort || now < r.plan.warmup+settle {
			continue
		}
		m := r.measure(o, now)
		if m.Length < settle {
			continue
		}
		if out := o.Judge(m); out.Sound && !out.Passed {
			return out.Text, true
		}
	}
	return "", false
}

// outcomes judges all objectives.
func (r *run) outcomes(now time.Duration) []objective.Outcome {
	var list []objective.Outcome
	for i := range r.config.Objectives {
		list = append(list, r.config.Objectives[i].Judge(r.measure(&r.config.Objectives[i], now)))
	}
	return list
}
