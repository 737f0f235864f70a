package stress

import (
	"context"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/capacity"
)

// quota finds the limit that a target enforces by 429 (or 503 with Retry-After, which is obeyed): the rate goes by
// capacity.AIMD, changed once a second.
func (t *StressTester) quota(whole context.Context) (*Result, error) {
	c := t.Base
	begin := t.Search.Min
	if begin <= 0 {
		begin = 10
	}
	c.Open, c.Rate, c.Stages, c.RampUp, c.Warmup, c.Polite = true, begin, nil, 0, 0, true
	if c.Duration = t.Length; c.Duration <= 0 {
		c.Duration = Quota.usual()
	}
	c.Throttle = &loadtest.Throttle{}
	way := capacity.AIMD{Rate: begin}
	told := c.OnPoint
	var seconds []capacity.Served
	ctx, stop := context.WithCancel(whole)
	defer stop()
	beyond, broke, refuses := 0, false, false
	c.OnPoint = func(p loadtest.Point) {
		if told != nil {
			told(p)
		}
		seconds = append(seconds, capacity.Served{Good: p.OK, Refused: p.Limited, Held: p.NotSent})
		rate := way.Second(seconds[len(seconds)-1])
		if most := t.Search.Max; most > 0 && rate > most {
			rate, way.Rate = most, most
		}
		c.Throttle.Set(rate / begin)
		refuses = refuses || p.Limited > 0
		if beyond++; !overloaded(&p, refuses) {
			beyond = 0
		}
		if beyond == 2 { // it breaks before it refuses: more of it would only hurt
			broke = true
			stop()
		}
	}
	if c.Duration > maxQuota {
		c.Duration = maxQuota // a Throttle remembers as many changes
	}
	r, err := loadtest.Run(ctx, c)
	if err != nil {
		return nil, err
	}
	r.Interrupted = whole.Err() != nil
	found := capacity.FindQuota(seconds)
	found.Known = found.Known && !broke
	return &Result{Suite: Quota, Load: r, Quota: &found, Broke: broke, Interrupted: r.Interrupted}, nil
}

// overloaded says that a second went wrong otherwise than by refusals, and not because the target asked for a rest: it cannot
// have before it refused anything.
func overloaded(p *loadtest.Point, refuses bool) bool {
	failed, answered := p.Failed-p.Limited-p.NotSent, p.Done-p.NotSent
	late := p.Limited == 0 && (p.NotSent == 0 || !refuses) && float64(answered) < brokenPart*p.Offered-1
	return float64(failed) > (1-brokenPart)*float64(answered)+1 || late
}

// brokenPart is the part of the due requests that have to be answered.
const brokenPart = 0.8

// maxQuota bounds how long a limit is looked for.
const maxQuota = 15 * time.Minute
