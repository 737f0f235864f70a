package loadtest

import (
	"time"

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
	aborted string // the objective that ended the run
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
	p.Self.TimerLag, p.Self.ServiceP50 = p.TimerLagP99, p.ServiceP50
	if p.Length >= least && p.At > c.of.plan.warmup+least {
		c.judge.Add(&p.Self)
	}
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
