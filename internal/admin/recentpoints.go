package admin

import (
	"context"
	"slices"
	"time"

	"holdfast/exchange"
)

// Lately is the last quarter of an hour of a function, the oldest point first.
type Lately struct {
	Function    string  `json:"function_name"`
	StepSeconds float64 `json:"step_seconds"`
	// LatencyBoundsMS are where the buckets of latency end; the last has no end.
	LatencyBoundsMS []float64     `json:"latency_bounds_ms"`
	Points          []LatelyPoint `json:"points"`
}

// LatelyPoint is 5 s of a function. What is not known is missing, and so are
// the percentiles of a time in which nobody asked.
type LatelyPoint struct {
	At            time.Time    `json:"at" doc:"the end of the 5 s"`
	Rate          float64      `json:"rate" doc:"requests per second"`
	Classes       ClassesLive  `json:"classes"`
	Retries       float64      `json:"retries" doc:"per second"`
	P50MS         *float64     `json:"p50_ms,omitempty"`
	P95MS         *float64     `json:"p95_ms,omitempty"`
	P99MS         *float64     `json:"p99_ms,omitempty"`
	Latency       []uint32     `json:"latency,omitempty" doc:"requests by bucket of latency_bounds_ms; missing: there was none"`
	InFlight      int          `json:"in_flight"`
	Waiting       int          `json:"waiting"`
	Instances     LatelyCounts `json:"instances"`
	Desired       *int         `json:"desired,omitempty"`
	CPUPercent    *float64     `json:"cpu_percent,omitempty" doc:"mean of the instances, of one core"`
	MemoryPercent *float64     `json:"memory_percent,omitempty" doc:"mean of the instances, of what they may use"`
}

// LatelyCounts are instances by status.
type LatelyCounts struct {
	Active     int `json:"active"`
	Recovering int `json:"recovering"`
	Inactive   int `json:"inactive"`
	Failed     int `json:"failed"`
}

// whichLately selects points of a function.
type whichLately struct {
	Function string    `path:"function" doc:"name of the function" maxLength:"63"`
	Since    time.Time `query:"since" doc:"only points after it"`
}

func (s *Server) latelyOf(_ context.Context, in *whichLately) (Lately, error) {
	fn, err := s.function(in.Function)
	if err != nil {
		return Lately{}, err
	}
	v := Lately{Function: fn.Name(), StepSeconds: latelyStep.Seconds(), Points: []LatelyPoint{}}
	for i := range heatBounds {
		v.LatencyBoundsMS = append(v.LatencyBoundsMS, ms(heatBound(i)))
	}
	points := s.lately.of(fn)
	for i := range points {
		if points[i].at.After(in.Since) {
			v.Points = append(v.Points, points[i].shown())
		}
	}
	return v, nil
}

// of are the points of a function, the oldest first.
func (l *lately) of(fn *exchange.Function) []point {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.functions[fn]
	if t == nil {
		return nil
	}
	if len(t.points) < latelyKept {
		return slices.Clone(t.points)
	}
	at := t.n % latelyKept
	return slices.Concat(t.points[at:], t.points[:at])
}

func (p *point) shown() LatelyPoint {
	v := LatelyPoint{
		At: p.at.UTC(), Rate: figure(float64(p.rate)), Classes: p.classes.shown(), Retries: figure(float64(p.retries)),
		P50MS: known32(p.p50), P95MS: known32(p.p95), P99MS: known32(p.p99), InFlight: int(p.inFlight), Waiting: int(p.waiting),
		Instances:  LatelyCounts{int(p.instances.active), int(p.instances.recovering), int(p.instances.inactive), int(p.instances.failed)},
		CPUPercent: known32(p.cpu), MemoryPercent: known32(p.memory),
	}
	if p.latency != nil {
		v.Latency = slices.Clone(p.latency[:])
	}
	if p.desired >= 0 {
		n := int(p.desired)
		v.Desired = &n
	}
	return v
}

func known32(v float32) *float64 { return known(figure(float64(v))) }

func (c *classRates) shown() ClassesLive {
	return ClassesLive{
		figure(float64(c.info)), figure(float64(c.good)), figure(float64(c.moved)), figure(float64(c.refused)),
		figure(float64(c.failing)), figure(float64(c.failed)), figure(float64(c.left)),
	}
}
