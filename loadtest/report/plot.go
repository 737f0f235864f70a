package report

import (
	"fmt"
	"html/template"
	"strings"
)

// Style is the style sheet of the pages, for pages that use a Plot.
func Style() template.CSS {
	_, rest, _ := strings.Cut(page, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	return template.CSS(style) //nolint:gosec // it is part of the program
}

// Plot draws curves for pages and pictures that are of no load test, as the
// charts of a Document are drawn: its classes are c1 to c3, grid, line, area and
// dot.
type Plot struct {
	// About is what a reader who cannot see it is told.
	About  string
	X, Y   Extent
	Curves []Curve
}

// Extent is what an axis covers. Text writes a value of it; nil writes numbers.
type Extent struct {
	From, To float64
	Text     func(float64) string
	// Decades makes the axis logarithmic, from the decade of From, which is then
	// above 0. Values below are drawn at its begin.
	Decades bool
}

// Curve is a line, filled to the x axis with Area, with its points with Dots.
type Curve struct {
	Name, Class string
	X, Y        []float64
	Area, Dots  bool
}

func (r Extent) axis() axis {
	text := r.Text
	if text == nil {
		text = plain
	}
	if r.Decades {
		return decades(r.From, r.To, text)
	}
	a := linear(r.To - r.From)
	a.from, a.to, a.text = r.From, r.From+a.to, text
	for i := range a.ticks {
		a.ticks[i] += r.From
	}
	return a
}

// SVG is the picture, without a style.
func (p Plot) SVG() string {
	c := newCanvas(p.X.axis(), p.Y.axis(), p.About)
	for i := range p.Curves {
		k := &p.Curves[i]
		y := k.Y
		if c.y.log {
			y = make([]float64, len(k.Y))
			for n, v := range k.Y {
				y[n] = max(v, c.y.from)
			}
		}
		c.draw(&line{name: k.Name, class: k.Class, x: k.X, y: y, area: k.Area})
		if !k.Dots {
			continue
		}
		for n := range k.X {
			fmt.Fprintf(c, `<circle class="dot %s" cx="%.1f" cy="%.1f" r="3"/>`, k.Class, c.x.at(k.X[n]), c.y.at(y[n]))
		}
	}
	return c.end()
}

// Legend names the curves of a plot for a page.
func (p Plot) Legend() string {
	lines := make([]line, len(p.Curves))
	for i, k := range p.Curves {
		lines[i] = line{name: k.Name, class: k.Class}
	}
	return legend(lines)
}

// Picture is the plot as a file of its own, with a title and its curves named,
// readable on light and dark pages.
func (p Plot) Picture(title string) []byte {
	_, inside, _ := strings.Cut(p.SVG(), ">")
	var b strings.Builder
	const head = 44.0
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" role="img">`+"\n<title>%s</title>\n%s",
		chartWidth, chartHeight+head, chartWidth, chartHeight+head, attribute(p.About), pictureStyle)
	fmt.Fprintf(&b, "<text class=\"title\" x=\"0\" y=\"14\">%s</text>\n", attribute(title))
	for i, k := range p.Curves {
		fmt.Fprintf(&b, `<circle class="dot %s" cx="%d" cy="30" r="5"/><text x="%d" y="34">%s</text>`+"\n", k.Class, 8+i*240, 20+i*240, attribute(k.Name))
	}
	fmt.Fprintf(&b, "<g transform=\"translate(0 %g)\">%s\n", head, strings.TrimSuffix(inside, "</svg>"))
	b.WriteString("</g>\n</svg>\n")
	return []byte(b.String())
}

const pictureStyle = `<style>
text { font: 11px system-ui, sans-serif; fill: #57606a }
.title { font-weight: 600; font-size: 14px; fill: #24292f }
.grid { stroke: #d0d7de } .line { fill: none; stroke-width: 2 }
.line.c1 { stroke: #57606a } .dot.c1 { fill: #57606a }
.line.c2 { stroke: #1a7f37 } .dot.c2 { fill: #1a7f37 }
@media (prefers-color-scheme: dark) {
text { fill: #9198a1 } .title { fill: #e6edf3 } .grid { stroke: #3d444d }
.line.c1 { stroke: #9198a1 } .dot.c1 { fill: #9198a1 }
.line.c2 { stroke: #3fb950 } .dot.c2 { fill: #3fb950 }
}
</style>
`
