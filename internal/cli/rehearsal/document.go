// Package rehearsal shows what `holdfast simulate` found as one page: tables,
// and charts of demand and instances over time and of cost against safety. It
// loads nothing and runs no script.
package rehearsal

import "holdfast/autoscale/simulate"

// Document is a rehearsal.
type Document struct {
	Trace    simulate.Trace    `json:"trace"`
	World    simulate.World    `json:"world"`
	Policies []simulate.Result `json:"policies"`
	// Reactive and Sized are the two lines of the Pareto chart; empty unless
	// they were asked for.
	Reactive []simulate.Result `json:"reactive,omitempty"`
	Sized    []simulate.Result `json:"capacity,omitempty"`
	// Goal is the percentage of slow minutes that suggestions kept to.
	Goal      float64               `json:"goal_percent"`
	Suggested []simulate.Suggestion `json:"suggested,omitempty"`
}

// Plain is the document without the demand itself and the timelines, which are
// as long as the trace.
func (d *Document) Plain() *Document {
	c := *d
	c.Trace.Counts = nil
	c.Policies = nil
	for _, p := range d.Policies {
		runs := make([]*simulate.Outcome, len(p.Runs))
		for i, o := range p.Runs {
			copied := *o
			copied.Timeline = nil
			runs[i] = &copied
		}
		p.Runs = runs
		c.Policies = append(c.Policies, p)
	}
	return &c
}
