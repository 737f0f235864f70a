package rehearsal

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"

	"holdfast/autoscale/simulate"
	"holdfast/loadtest/report"
)

//go:embed page.html
var page string

// HTML writes the page.
func (d *Document) HTML(w io.Writer) error {
	t, err := template.New("rehearsal").Funcs(template.FuncMap{"percent": percent, "hours": hours}).Parse(page)
	if err != nil {
		return err
	}
	return t.Execute(w, struct {
		*Document

		Peak    string
		Length  string
		Style   template.CSS
		Figures []figure
	}{d, fmt.Sprintf("%.3g", d.Trace.Peak()), d.Trace.Length().String(), report.Style(), d.figures()})
}

// figure is a chart with its caption, which says what to read from it.
type figure struct {
	Title, Caption string
	Chart          template.HTML
}

func draw(title, caption string, p report.Plot) figure {
	return figure{title, caption, template.HTML(p.SVG() + p.Legend())} //nolint:gosec // Plot escapes every text
}

func (d *Document) figures() []figure {
	var list []figure
	if len(d.Reactive) > 0 {
		for _, m := range simulate.Measures() {
			list = append(list, draw("Cost against "+m.Name, "Each point is a policy: the further down and to the left, the better. Percent on a logarithmic scale; none at all is drawn at its begin.",
				Pareto(d.Reactive, d.Sized, m)))
		}
	}
	for i := range d.Policies {
		if line := d.Policies[i].Runs[0].Timeline; len(line) > 1 {
			list = append(list, overTime(d.Policies[i].Name, line)...)
		}
	}
	return list
}

// Pareto draws two lines of policies: hours across, a measure up.
func Pareto(reactive, sized []simulate.Result, m simulate.Measure) report.Plot {
	least, most, from, to := math.Inf(1), 0.0, math.Inf(1), 0.0
	curve := func(name, class string, line []simulate.Result) report.Curve {
		c := report.Curve{Name: name, Class: class, Dots: true}
		for i := range line {
			h, v := line[i].Mean.Ratio, m.Of(&line[i].Mean)
			c.X, c.Y = append(c.X, h), append(c.Y, v)
			if from, to, most = min(from, h), max(to, h), max(most, v); v > 0 {
				least = min(least, v)
			}
		}
		return c
	}
	a, b := curve("hpa-85 to hpa-50", "c1", reactive), curve("capacity", "c2", sized)
	if most == 0 {
		least, most = 0.1, 1
	}
	return report.Plot{
		About:  "instance-hours over the ideal against " + m.Name,
		X:      report.Extent{From: math.Floor(from*10) / 10, To: to, Text: func(v float64) string { return fmt.Sprintf("%.2gx", v) }},
		Y:      report.Extent{From: max(least, most/1e5), To: most, Decades: true, Text: func(v float64) string { return fmt.Sprintf("%g %%", v) }},
		Curves: []report.Curve{a, b},
	}
}

func overTime(name string, line []simulate.Moment) []figure {
	demand := report.Curve{Name: "demand, in instances that are busy all the time", Class: "c1", Area: true}
	ready := report.Curve{Name: "ready", Class: "c2"}
	paid := report.Curve{Name: "paid for", Class: "c3"}
	bad := report.Curve{Name: "late or lost", Class: "c3", Area: true}
	most, worst := 1.0, 1.0
	begin := line[0].At
	for i := range line {
		m := &line[i]
		at := m.At.Sub(begin).Hours() / 24
		for c, v := range map[*report.Curve]float64{&demand: m.Demand, &ready: m.Ready, &paid: m.Paid, &bad: m.Violations} {
			c.X, c.Y = append(c.X, at), append(c.Y, v)
		}
		most, worst = max(most, m.Demand, m.Paid), max(worst, m.Violations)
	}
	x := report.Extent{To: demand.X[len(demand.X)-1], Text: func(v float64) string { return fmt.Sprintf("day %.3g", v) }}
	return []figure{
		draw(name+": instances", "Where the demand comes above what is ready, requests wait or are lost.",
			report.Plot{About: "demand and instances over time", X: x, Y: report.Extent{To: most}, Curves: []report.Curve{demand, paid, ready}}),
		draw(name+": violations", "Requests of each minute that waited too long or got no answer, in percent.",
			report.Plot{About: "violations over time", X: x, Y: report.Extent{To: worst}, Curves: []report.Curve{bad}}),
	}
}

func percent(v float64) string { return fmt.Sprintf("%.3g %%", v) }

func hours(v float64) string { return fmt.Sprintf("%.0f", v) }
