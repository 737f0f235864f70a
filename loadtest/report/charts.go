package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"holdfast/loadtest"
)

// figure is a chart with its caption, which says what to read from it.
type figure struct {
	Title, Caption string
	Chart          template.HTML
}

func figureOf(title, caption, chart string) figure {
	return figure{title, caption, template.HTML(chart)} //nolint:gosec // every text in it went through attribute
}

// figures draws what a document has series for.
func (d *Document) figures() []figure {
	list := append(d.searched(), d.scaled()...)
	if len(d.Series) > 1 {
		list = append(list, d.shaded(d.rates()), d.shaded(d.heat()), d.shaded(d.gap()))
	}
	if len(d.Total.Response.Spectrum) > 2 {
		list = append(list, d.spectrum())
	}
	if len(d.Series) > 1 {
		if d.Total.Failed > 0 {
			list = append(list, d.shaded(d.failures()))
		}
		list = append(list, d.shaded(d.inFlight()), d.shaded(d.generator()))
	}
	return list
}

// shaded lays the windows behind a chart over time.
func (d *Document) shaded(f figure) figure {
	head, rest, ok := strings.Cut(string(f.Chart), ">")
	if !ok || len(d.Windows) == 0 {
		return f
	}
	x := axis{to: max(d.end(), 1), a: marginLeft, b: chartWidth - marginRight}
	var b strings.Builder
	for _, w := range d.Windows {
		from, to := x.at(min(max(w.From, 0), x.to)), x.at(min(max(w.To, 0), x.to))
		fmt.Fprintf(&b, `<rect class="window" x="%.1f" y="%g" width="%.1f" height="%g"><title>%s</title></rect>`,
			from, marginTop, max(to-from, 1.5), chartHeight-marginTop-marginUnder, attribute(w.What))
	}
	f.Chart = template.HTML(head + ">" + b.String() + rest) //nolint:gosec // every text in it went through attribute
	return f
}

// column takes a value of each point, at the middle of its step.
func (d *Document) column(of func(*Point) float64) (x, y []float64) {
	for i := range d.Series {
		p := &d.Series[i]
		x = append(x, p.At-p.Length/2)
		y = append(y, of(p))
	}
	return x, y
}

func (d *Document) line(name, class string, of func(*Point) float64) line {
	x, y := d.column(of)
	return line{name: name, class: class, x: x, y: y}
}

// end is when the last step ended.
func (d *Document) end() float64 { return d.Series[len(d.Series)-1].At }

func (d *Document) rates() figure {
	offered := d.line("asked for", "c1", func(p *Point) float64 { return p.Offered })
	good := d.line("good answers", "c2", func(p *Point) float64 { return p.OK })
	failed := d.line("failed", "c3", func(p *Point) float64 { return p.Failed })
	good.area = true
	y := linear(largest(offered.y, good.y, failed.y))
	return figureOf("Rate", "Requests per second: where good answers fall below what was asked for, the service does not keep up.",
		plotted("requests per second over time", d.end(), y, good, offered, failed))
}

// heat draws how many response times of which length there were, with the
// percentiles over them.
func (d *Document) heat() figure {
	p50 := d.line("p50", "c1", func(p *Point) float64 { return p.P50 })
	p99 := d.line("p99", "c3", func(p *Point) float64 { return p.P99 })
	least, most := math.Inf(1), 0.0
	for i := range d.Series {
		for _, h := range d.Series[i].Heat {
			from, to := loadtest.HeatRange(h[0])
			least, most = min(least, max(ms(from), 1e-3)), max(most, ms(to))
		}
	}
	if !(most > 0) {
		least, most = 1, 10
	}
	x := linear(d.end())
	x.to, x.text = max(d.end(), 1), clock
	c := newCanvas(x, decades(least, most, millis), "response times over time")
	for i := range d.Series {
		c.heatColumn(&d.Series[i])
	}
	c.draw(&p50)
	c.draw(&p99)
	return figureOf("Response times", "The darker, the more requests took as long. One band is a healthy service; two say that some requests wait for something.",
		c.end()+legend([]line{p50, p99}))
}

func (c *canvas) heatColumn(p *Point) {
	all := 0
	for _, h := range p.Heat {
		all += h[1]
	}
	left, right := c.x.at(p.At-p.Length), c.x.at(p.At)
	for _, h := range p.Heat {
		from, to := loadtest.HeatRange(h[0])
		top, bottom := c.y.at(ms(to)), c.y.at(max(ms(from), 1e-3))
		share := math.Sqrt(float64(h[1]) / float64(all)) // few slow ones are what one looks for
		fmt.Fprintf(c, `<rect class="heat" x="%.1f" y="%.1f" width="%.1f" height="%.1f" opacity="%.2f"/>`,
			left, top, max(right-left, 0.7), max(bottom-top, 0.7), 0.08+0.92*share)
	}
}

func (d *Document) gap() figure {
	response := d.line("response p99", "c3", func(p *Point) float64 { return p.P99 })
	service := d.line("service p99", "c1", func(p *Point) float64 { return p.ServiceP99 })
	y := linear(largest(response.y, service.y))
	y.text = millis
	return figureOf("Waiting before the service", "What clients felt (response time) above what the service took once it had the request (service time) is time in a queue.",
		plotted("p99 of response and service time", d.end(), y, response, service))
}

// spectrum draws the percentiles so that each nine is as wide as the last.
func (d *Document) spectrum() figure {
	parts := []struct {
		name, class string
		of          *Times
	}{{"response time", "c3", &d.Total.Response}, {"service time", "c1", &d.Total.Service}}
	var lines []line
	least, most, nines := math.Inf(1), 0.0, 1.0
	for _, p := range parts {
		l := line{name: p.name, class: p.class}
		for _, q := range p.of.Spectrum {
			if q[0] >= 1 || q[1] <= 0 {
				continue
			}
			left := 1 / (1 - q[0])
			l.x, l.y = append(l.x, left), append(l.y, q[1])
			least, most, nines = min(least, q[1]), max(most, q[1]), max(nines, left)
		}
		lines = append(lines, l)
	}
	if !(most > 0) {
		least, most = 1, 10
	}
	x := decades(1, max(nines, 10), func(v float64) string {
		if v == 1 {
			return "min"
		}
		digits := int(math.Round(math.Log10(v)))
		if digits == 1 {
			return "p90"
		}
		return strings.TrimSuffix("p99."+strings.Repeat("9", digits-2), ".")
	})
	c := newCanvas(x, decades(least, most, millis), "percentiles of response and service time")
	for i := range lines {
		c.draw(&lines[i])
	}
	return figureOf("Percentiles", "How long all but one in ten, in a hundred, in a thousand took at most. A line that rises to the right is a long tail.",
		c.end()+legend(lines))
}

func (d *Document) failures() figure {
	lines := []line{
		d.line("failed", "c3", func(p *Point) float64 { return p.Failed }),
		d.line("of them timeouts", "c4", func(p *Point) float64 { return p.Timeouts }),
		d.line("told to slow down", "c5", func(p *Point) float64 { return p.Limited }),
		d.line("not sent", "c1", func(p *Point) float64 { return p.NotSent }),
	}
	y := linear(largest(lines[0].y))
	return figureOf("Failures", "Requests per second without a good answer, and what part of them has which cause.", plotted("failures per second over time", d.end(), y, lines...))
}

func (d *Document) inFlight() figure {
	flying := d.line("in flight", "c2", func(p *Point) float64 { return float64(p.InFlight) })
	law := d.line("rate x p50, as Little says", "c1", func(p *Point) float64 { return p.Done * p.P50 / 1000 })
	y := linear(largest(flying.y, law.y))
	return figureOf("In flight", "Requests under way. A line that only rises is a queue that grows: the load is beyond what the service carries.",
		plotted("requests in flight over time", d.end(), y, flying, law))
}

func (d *Document) generator() figure {
	lag := d.line("p99 of the lag", "c4", func(p *Point) float64 { return p.TimerLag })
	y := linear(largest(lag.y))
	y.text = millis
	return figureOf("The generator itself", "How late requests left this machine for its own reasons. As long as it is far below the times above, they are the service's.",
		plotted("lag of the generator over time", d.end(), y, lag))
}
