package loadtest

import (
	"time"

	"holdfast/loadtest/histogram"
	"holdfast/loadtest/selfcheck"
)

// collector makes the points of the series, one a second, from what the recorder has in all. So the series and the result
// cannot disagree.
type collector struct {
	of     *run
	series *series
	seen   *Summary // all that was recorded until the last point
	last   time.Duration
	ended  time.Duration // of the last point in which a request ended

	meter   *selfcheck.Meter
	judge   selfcheck.Judge
	doubts  []selfcheck.Sample // seconds that wait to be judged
	since   *Summary           // all that was recorded before the first of them
	aborted string             // the objective that ended the run
}

func newCollector(r *run) *collector {
	return &collector{of: r, series: newSeries(maxPoints), seen: newSummary(), meter: selfcheck.NewMeter(r.origin)}
}

// run makes points until done is closed, and a last one then. When an objective that aborts is missed it stops the run.
func (c *collector) run(done <-chan struct{}, stop func()) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			c.collect()
			c.judged(c.seen, true)
			return
		case <-ticker.C:
			c.collect()
			if text, missed := c.of.missed(c.last); missed && c.aborted == "" {
				c.aborted = text
				stop()
			}
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
		p.Offered = c.of.plan.demand.due(now) - c.of.plan.demand.due(c.last)
	}
	p.measure(sum.Response.Since(c.seen.Response), sum.Service.Since(c.seen.Service), sum.TimerLag.Since(c.seen.TimerLag))
	c.doubt(&p)
	c.judged(sum, false)
	if p.Done > 0 {
		c.ended = now
	}
	c.last, c.seen = now, sum
	c.series.add(p)
	if c.of.config.OnPoint != nil {
		c.of.config.OnPoint(p)
	}
}

// least is how long a step has to be for its CPU and lag to mean something.
const least = time.Second / 2

// doubt notes what the step was like for this machine. The warm-up and what is left of a second are judged by nobody.
func (c *collector) doubt(p *Point) {
	p.Self = c.meter.Read(time.Now())
	p.Self.TimerLag, p.Self.ServiceP50, p.Self.ServiceP99 = p.TimerLagP99, p.ServiceP50, p.ServiceP99
	if p.Length < least || p.At <= c.of.plan.warmup+least {
		return
	}
	if len(c.doubts) == 0 {
		c.since = c.seen
	}
	c.doubts = append(c.doubts, p.Self)
}

// enough is how many requests a p99 takes, and how many seconds are waited for them.
const (
	enough     = 1000
	enoughTime = 60
)

// judged gives the seconds that wait to the judge once there are requests enough for a p99 of their lag: the worst of some
// ten in a second is none, and on a busy machine over every limit. At the end it is what there is.
func (c *collector) judged(sum *Summary, end bool) {
	lag, service := (*histogram.Histogram)(nil), (*histogram.Histogram)(nil)
	if len(c.doubts) > 0 {
		lag, service = sum.TimerLag.Since(c.since.TimerLag), sum.Service.Since(c.since.Service)
	}
	if lag == nil || !end && lag.Count() < enough && len(c.doubts) < enoughTime {
		return
	}
	q := 0.99
	for _, less := range []float64{0.9, 0.5} {
		if !histogram.Sound(q, lag.Count()) {
			q = less
		}
	}
	for i := range c.doubts {
		d := &c.doubts[i]
		d.TimerLag, d.ServiceP50, d.ServiceP99 = lag.Quantile(q), service.Quantile(0.5), service.Quantile(0.99)
		c.judge.Add(d)
	}
	c.doubts = c.doubts[:0]
}

// WarmUp is the Phase of points in the warm-up.
const WarmUp = "warm-up"

// phaseName is the name of what the schedule says at a moment.
func (r *run) phaseName(at time.Duration) string {
	if phase := r.plan.phase(at); phase > 0 {
		return r.config.Stages[phase-1].Name
	}
	return WarmUp
}
