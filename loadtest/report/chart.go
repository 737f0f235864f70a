package report

import (
	"fmt"
	"math"
	"strings"
)

// The size of a chart in SVG units, and of what is around the plot.
const (
	chartWidth  = 720.0
	chartHeight = 220.0
	marginLeft  = 56.0
	marginRight = 12.0
	marginTop   = 10.0
	marginUnder = 26.0
)

// line is a series of a chart; a NaN breaks it. Class is its colour in the
// style sheet.
type line struct {
	name  string
	class string
	x, y  []float64
	area  bool // filled down to the x axis
}

// axis maps values to places.
type axis struct {
	from, to float64 // values
	log      bool
	a, b     float64 // places
	ticks    []float64
	text     func(float64) string
}

func (a *axis) at(v float64) float64 {
	f, t := a.from, a.to
	if a.log {
		v, f, t = math.Log(max(v, a.from)), math.Log(f), math.Log(t)
	}
	return a.a + (v-f)/(t-f)*(a.b-a.a)
}

// linear is an axis from 0 to a round number above most.
func linear(most float64) axis {
	step := roundStep(most / 4)
	a := axis{to: max(math.Ceil(most/step-1e-9), 1) * step, text: plain}
	for v := 0.0; v <= a.to+step/2; v += step {
		a.ticks = append(a.ticks, v)
	}
	return a
}

// roundStep is 1, 2 or 5 times a power of ten, at least v.
func roundStep(v float64) float64 {
	if !(v > 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// decades is a logarithmic axis of whole decades around least and most.
func decades(least, most float64, text func(float64) string) axis {
	a := axis{log: true, from: math.Pow(10, math.Floor(math.Log10(least))), to: math.Pow(10, math.Ceil(math.Log10(most))), text: text}
	if a.from == a.to {
		a.to *= 10
	}
	for v := a.from; v <= a.to*1.001; v *= 10 {
		a.ticks = append(a.ticks, v)
	}
	return a
}

// canvas draws one chart.
type canvas struct {
	strings.Builder

	x, y axis
}

func newCanvas(x, y axis, about string) *canvas {
	x.a, x.b = marginLeft, chartWidth-marginRight
	y.a, y.b = chartHeight-marginUnder, marginTop
	c := &canvas{x: x, y: y}
	fmt.Fprintf(c, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, chartWidth, chartHeight, attribute(about))
	for _, v := range y.ticks {
		p := c.y.at(v)
		fmt.Fprintf(c, `<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/><text x="%.1f" y="%.1f" text-anchor="end">%s</text>`,
			c.x.a, c.x.b, p, p, c.x.a-6, p+4, y.text(v))
	}
	for _, v := range x.ticks {
		if p := c.x.at(v); p <= c.x.b+1 {
			fmt.Fprintf(c, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, p, chartHeight-8, x.text(v))
		}
	}
	return c
}

// mostDrawn is how many points of a line are drawn: more than pixels show
// nothing.
const mostDrawn = 1000

func (c *canvas) draw(l *line) {
	var path strings.Builder
	up, every := false, len(l.x)/mostDrawn+1
	first, last := math.NaN(), math.NaN()
	for i := 0; i < len(l.x); i += every {
		y := l.y[i]
		for _, v := range l.y[i:min(i+every, len(l.y))] {
			y = max(y, v) // a peak must not fall between two points
		}
		if math.IsNaN(y) || c.y.log && y <= 0 {
			up = false
			continue
		}
		to := byte('M')
		if up {
			to = 'L'
		}
		x := c.x.at(l.x[i])
		fmt.Fprintf(&path, "%c%.1f %.1f", to, x, c.y.at(y))
		if up = true; math.IsNaN(first) {
			first = x
		}
		last = x
	}
	if path.Len() == 0 {
		return
	}
	if l.area {
		fmt.Fprintf(c, `<path class="area %s" d="%sL%.1f %.1fL%.1f %.1fZ"/>`, l.class, &path, last, c.y.a, first, c.y.a)
		return
	}
	fmt.Fprintf(c, `<path class="line %s" d="%s"/>`, l.class, &path)
}

func (c *canvas) end() string { return c.String() + "</svg>" }

// legend names lines.
func legend(lines []line) string {
	var b strings.Builder
	b.WriteString(`<ul class="legend">`)
	for i := range lines {
		fmt.Fprintf(&b, `<li><i class="%s"></i>%s</li>`, lines[i].class, attribute(lines[i].name))
	}
	return b.String() + "</ul>"
}

// plotted draws lines over the time of a run.
func plotted(about string, seconds float64, y axis, lines ...line) string {
	x := linear(seconds)
	x.to = max(seconds, 1)
	x.text = clock
	c := newCanvas(x, y, about)
	for i := range lines {
		c.draw(&lines[i])
	}
	return c.end() + legend(lines)
}

// largest is the largest value of some series that is a number.
func largest(series ...[]float64) float64 {
	most := 0.0
	for _, s := range series {
		for _, v := range s {
			if v > most {
				most = v
			}
		}
	}
	return most
}

func plain(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%gk", v/1e3)
	}
	return fmt.Sprintf("%.4g", v)
}

// millis writes a time given in milliseconds.
func millis(v float64) string {
	switch {
	case v >= 1000:
		return fmt.Sprintf("%.3g s", v/1000)
	case v >= 1:
		return fmt.Sprintf("%.3g ms", v)
	}
	return fmt.Sprintf("%.3g us", v*1000)
}

func clock(v float64) string {
	s := int(v + 0.5)
	switch {
	case s >= 3600:
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	case s >= 60:
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%g s", v)
}

// attribute escapes a text for markup and attributes.
func attribute(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(s)
}
