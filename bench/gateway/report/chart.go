package report

import (
	"bytes"
	"fmt"
	"html"
)

// Measures of the chart, in px.
const (
	chartWidth = 760
	labelWidth = 130
	barHeight  = 13
	groupGap   = 16
	headHeight = 62
	valueWidth = 64 // right of the longest bar
)

// bar is a proxy in the chart.
type bar struct{ proxy, class string }

func bars() []bar {
	return []bar{{Reference, "a"}, {"nginx", "b"}, {"caddy", "c"}, {Ours, "d"}}
}

// style works on light and on dark pages: the chart has no background of its
// own and follows the reader's scheme.
const style = `<style>
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 14px }
.note { fill: #57606a }
.line { stroke: #57606a; stroke-dasharray: 3 3 }
.a { fill: #8c959f } .b { fill: #54aeff } .c { fill: #d4a72c } .d { fill: #1a7f37 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.note { fill: #9198a1 }
.line { stroke: #9198a1 }
.a { fill: #6e7681 } .b { fill: #1f6feb } .c { fill: #bb8009 } .d { fill: #3fb950 }
}
</style>
`

// chart draws the CPU time per request of the main proxies as multiples of the
// reference's, a group of bars per case.
func (r *Run) chart() []byte {
	groups := r.chartGroups()
	longest := 1.0
	for _, g := range groups {
		for _, ratio := range g.ratios {
			longest = max(longest, ratio)
		}
	}
	scale := (chartWidth - labelWidth - valueWidth) / longest
	var body bytes.Buffer
	y := headHeight
	for _, g := range groups {
		fmt.Fprintf(&body, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", labelWidth-10, y+len(g.ratios)*barHeight/2+4, html.EscapeString(g.title))
		for i, ratio := range g.ratios {
			width := ratio * scale
			fmt.Fprintf(&body, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n", g.bars[i].class, labelWidth, y, width, barHeight-2)
			fmt.Fprintf(&body, "<text class=\"note\" x=\"%.1f\" y=\"%d\">%s</text>\n", labelWidth+max(width, scale)+5, y+barHeight-3, g.values[i])
			y += barHeight
		}
		y += groupGap
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%[1]d\" height=\"%[2]d\" role=\"img\">\n", chartWidth, y)
	b.WriteString("<title>CPU time per request by HAProxy's</title>\n" + style)
	b.WriteString("<text class=\"title\" x=\"0\" y=\"16\">CPU time per request, by HAProxy's in the same round (less is better)</text>\n")
	x := labelWidth
	for _, k := range bars() {
		fmt.Fprintf(&b, "<rect class=\"%s\" x=\"%d\" y=\"30\" width=\"12\" height=\"12\"/><text x=\"%d\" y=\"40\">%s</text>\n", k.class, x, x+18, k.proxy)
		x += 100
	}
	one := float64(labelWidth) + scale
	fmt.Fprintf(&b, "<line class=\"line\" x1=\"%.1f\" x2=\"%.1[1]f\" y1=\"%d\" y2=\"%d\"/>\n", one, headHeight-8, y-groupGap/2)
	b.Write(body.Bytes())
	b.WriteString("</svg>\n")
	return b.Bytes()
}

type chartGroup struct {
	title  string
	bars   []bar
	ratios []float64
	values []string
}

// chartGroups leaves out what was not measured.
func (r *Run) chartGroups() []chartGroup {
	var groups []chartGroup
	for _, name := range requestCases() {
		g := chartGroup{title: title(name)}
		reference := r.Find(name, 0, Reference)
		for _, k := range bars() {
			ratio, ok := Ratio(r.Find(name, 0, k.proxy), reference, cpu)
			if !ok {
				continue
			}
			value := fmt.Sprintf("%.2fx", ratio.Mid)
			if k.proxy == Reference {
				value = cell(reference, cpu, 1) + " us"
			}
			g.bars, g.ratios, g.values = append(g.bars, k), append(g.ratios, ratio.Mid), append(g.values, value)
		}
		if len(g.bars) > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}
