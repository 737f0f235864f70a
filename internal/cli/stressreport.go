package cli

import (
	"fmt"
	"slices"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/capacity"
	"holdfast/loadtest/report"
	"holdfast/loadtest/stress"
)

// reportSearch writes the files that --report names about a search. Its totals
// are of the rate that was held, as a sum over all rates would say nothing.
func (f *stressFlags) reportSearch(t *target, r *stress.Result, v *foundView) error {
	if len(f.reports) == 0 || r.Load == nil {
		return nil
	}
	of := r.Held
	if of == nil {
		of = r.Load
	}
	d := document(t, of)
	d.Interrupted, d.Search, d.Stages, d.Warmup = r.Interrupted, &v.Search, nil, nil
	d.Show(r.Series)
	for i := range r.Spans {
		s := &r.Spans[i]
		if s.Phase == capacity.Confirm || s.Phase == capacity.Overload || s.Phase == capacity.Recover {
			d.Windows = append(d.Windows, report.Window{From: s.From.Seconds(), To: s.To.Seconds(), What: fmt.Sprintf("%s at %s/s", s.Phase, perSecond(s.Rate))})
		}
	}
	sustained := report.Objective{Text: fmt.Sprintf("a rate keeps p99<=%v and errors<=%g%%", f.p99, f.errors), Value: "none of those tried", Met: v.Sustainable > 0}
	if sustained.Met {
		sustained.Value = fmt.Sprintf("%s/s for %v", perSecond(v.Sustainable), v.held)
	}
	d.Verdict.Objectives = []report.Objective{sustained}
	if v.Recovered != nil {
		recovered := report.Objective{Text: "it is well again after an overload", Value: "not in time", Met: *v.Recovered >= 0}
		if recovered.Met {
			recovered.Value = fmt.Sprintf("after %.0f s", *v.Recovered)
		}
		d.Verdict.Objectives = append(d.Verdict.Objectives, recovered)
	}
	d.Verdict.Passed = !slices.ContainsFunc(d.Verdict.Objectives, func(o report.Objective) bool { return !o.Met })
	if v.Cause == capacity.Generator.String() {
		d.Verdict.Generator = "INVALID"
		d.Verdict.Reasons = append(d.Verdict.Reasons, "the generator broke first, so the target carries more than was found")
	}
	retitle(d, "load", fmt.Sprintf("search from %s/s, %v for each rate", perSecond(f.least), f.step))
	return f.write(d)
}

// reportScale writes them about a fit of the scalability law.
func (f *stressFlags) reportScale(t *target, last *loadtest.Result, law *report.Law) error {
	if len(f.reports) == 0 || last == nil {
		return nil
	}
	d := document(t, last)
	d.Law, d.Stages, d.Warmup = law, nil, nil
	retitle(d, "load", fmt.Sprintf("1 to %.0f users, %v for each number", law.Tested, f.step.Round(time.Millisecond)))
	return f.write(d)
}

// retitle changes what the setup says of something.
func retitle(d *report.Document, name, value string) {
	for i := range d.Setup {
		if d.Setup[i].Name == name {
			d.Setup[i].Value = value
		}
	}
}
