package loadtest

import (
	"time"
)

// collector makes the points of the series, one a second, from what the recorder has in all. So the series and the result
// cannot disagree.
type collector struct {
	of     *run
	series *series
	seen   *Summary // all that was recorded until the last point
	last   time.Duration
	ended  time.Duration // of the last point in which a request ended
}

func newCollector(r *run) *collector {
	return &collector{of: r, series: newSeries(maxPoints), seen: newSummary()}
}

// run makes points until done is closed, and a last one then.
func (c *collector) run(done <-chan struct{}) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			c.collect()
			return
		case <-ticker.C:
			c.collect()
		}
	}
}

func (c *collector) collect() {
	now := time.Since(c.of.origin)
	sum := c.of.recorder.tally()
	p := Point{At: now, Length: now - c.last, Phase: c.of.phaseName(now), InFlight: c.of.inFlight.Load(), Users: int(c.of.made.Load())}
	for class := range Class(NumClasses) {
		n := sum.Counts[class] - c.seen.Counts[class]
		p.Done += n
		if class.Failure() {
			p.Failed += n
		}
	}
	delta := func(class Class) int64 { return sum.Counts[class] - c.seen.Counts[class] }
	p.OK, p.NotSent, p.Timeouts, p.Limited = delta(OK), delta(NotSent), delta(Timeout), delta(RateLimited)
	p.BytesIn = sum.BytesIn - c.seen.BytesIn
	p.Offered = float64(p.Done)
	if c.of.config.Open {
		p.Offered = c.of.plan.curve.Arrivals(now) - c.of.plan.curve.Arrivals(c.last)
	}
	p.measure(sum.Response.Since(c.seen.Response), sum.Service.Since(c.seen.Service), sum.TimerLag.Since(c.seen.TimerLag))
	if p.Done > 0 {
		c.ended = now
	}
	c.last, c.seen = now, sum
	c.series.add(p)
	if c.of.config.OnPoint != nil {
		c.of.config.OnPoint(p)
	}
}

// phaseName is the name of what the schedule says at a moment.
func (r *run) phaseName(at time.Duration) string {
	if phase := r.plan.phase(at); phase > 0 {
		return r.config.Stages[phase-1].Name
	}
	return "warm-up"
}
