package loadtest

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"holdfast/loadtest/objective"
	"holdfast/loadtest/schedule"
)

// Pacing is how the generator of an open run waits for the next request.
type Pacing uint8

// The pacings.
const (
	// Precise waits by a timer of the kernel, within some 0.1 ms. Where that is not there (all but Linux) it is Coarse.
	Precise Pacing = iota
	// Coarse waits by Go's timers, which may be late by 1 to 5 ms. It is what virtual time (testing/synctest) needs.
	Coarse
)

// Config says what a run does. The zero value of a field takes the default in its comment.
type Config struct {
	// Client makes the users. There is no default.
	Client Client
	// Endpoints names what is asked for: one "" by default. Weights says how often each is, in relation to the others:
	// all 1 by default. Which one request i goes to depends on i and Seed only.
	Endpoints []Endpoint

	// Rate is how many requests are due per second, all users together: an open run. 0: closed.
	Rate float64
	// Concurrency is the number of users of a closed run: 10. Of an open one it only sets the default of MaxInFlight.
	Concurrency int
	// Duration is how long the load lasts after RampUp: 10 s. RampUp raises it evenly from nothing to all: 0.
	Duration, RampUp time.Duration
	// Stages takes the place of Rate, Concurrency, Duration and RampUp. Their rates are requests per second when Open is
	// set, and users otherwise.
	Stages []schedule.Stage
	Open   bool
	// Order says to which of Endpoints request i goes, as a log did: by Weights and chance. It repeats when it is short.
	Order []int32
	// Warmup comes first, at the load of the first stage: 0. It is counted by itself and judged by nobody.
	Warmup time.Duration
	// Requests ends a closed run after so many requests, warm-up included: 0, never.
	Requests int64

	// Spacing is how arrivals lie around the rate: evenly. Seed makes Poisson arrivals and the choice of endpoints
	// repeat.
	Spacing schedule.Spacing
	Seed    uint64
	// MaxInFlight bounds the users of an open run: four times Concurrency, at least 1,000.
	MaxInFlight int
	// MaxWait is how long a request may wait for a free user; then it is NotSent: Timeout.
	MaxWait time.Duration
	// CatchUp bounds how fast requests that had to wait are sent, as a multiple of the planned rate: 10. A target that
	// comes back is not knocked over again by a backlog that no real set of clients would send at once.
	CatchUp float64
	// Timeout bounds a request from dispatch to its last byte: 10 s.
	Timeout time.Duration
	// Polite honours Retry-After, up to a minute: a closed user waits, an open run sends nothing and counts what is due
	// meanwhile as NotSent.
	Polite bool
	// Pacing is Precise.
	Pacing Pacing

	// Objectives are what the run has to reach; those with Abort are looked at every second and end it when they are
	// missed: none.
	Objectives []objective.Objective

	// Throttle changes the rate of an open run while it is under way: nobody does.
	Throttle *Throttle

	// OnPoint is told of every second, from one goroutine, which waits for it. It may keep the Point.
	OnPoint func(Point)
}

// Endpoint is a kind of request. Reports and objectives use its name.
type Endpoint struct {
	Name   string
	Weight int // 0 counts as 1
}

// most phases times endpoints: each has histograms in every shard.
const maxCells = 1024

const maxPause = time.Minute

func (c *Config) withDefaults() {
	if len(c.Endpoints) == 0 {
		c.Endpoints = []Endpoint{{}}
	}
	orElse(&c.Concurrency, 10)
	orElse(&c.Duration, 10*time.Second)
	orElse(&c.Timeout, 10*time.Second)
	orElse(&c.MaxWait, c.Timeout)
	orElse(&c.MaxInFlight, max(4*c.Concurrency, 1000))
	orElse(&c.CatchUp, 10)
	if len(c.Stages) == 0 {
		c.Open = c.Rate > 0
		c.Stages = c.plainStages()
	}
}

func orElse[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (c *Config) plainStages() []schedule.Stage {
	level := float64(c.Concurrency)
	if c.Open {
		level = c.Rate
	}
	steady := schedule.Stage{Name: "steady", Rate: level, Duration: c.Duration}
	if c.RampUp == 0 {
		return []schedule.Stage{steady}
	}
	return []schedule.Stage{{Name: "ramp-up", Shape: schedule.Linear, Rate: level, Duration: c.RampUp}, steady}
}

func (c *Config) check() error {
	switch {
	case c.Client == nil:
		return errors.New("a run needs a Client")
	case c.Rate < 0, c.Concurrency < 0, c.Duration < 0, c.RampUp < 0, c.Warmup < 0, c.Requests < 0, c.MaxInFlight < 0,
		c.MaxWait < 0, c.CatchUp < 0, c.Timeout < 0:
		return errors.New("rate, concurrency, durations and limits must not be negative")
	case c.CatchUp < 1:
		return fmt.Errorf("catch-up is a multiple of the rate, at least 1, not %v", c.CatchUp)
	case c.Open && c.Requests > 0:
		return errors.New("the number of requests of an open run follows from rate and duration")
	case (len(c.Stages)+1)*len(c.Endpoints) > maxCells:
		return fmt.Errorf("%d stages of %d endpoints are too many to measure apart: at most %d together", len(c.Stages), len(c.Endpoints), maxCells)
	}
	for _, n := range c.Order {
		if n < 0 || int(n) >= len(c.Endpoints) {
			return fmt.Errorf("the order names endpoint %d of %d", n, len(c.Endpoints))
		}
	}
	if slices.ContainsFunc(c.Stages, func(s schedule.Stage) bool { return s.Shape == schedule.Listed }) {
		switch {
		case !c.Open:
			return errors.New("requests at listed times are an open run: set Open")
		case c.Warmup > 0 || c.Spacing != schedule.Uniform:
			return errors.New("requests at listed times have neither a warm-up nor a spacing of their own")
		}
	}
	for _, e := range c.Endpoints {
		if e.Weight < 0 {
			return fmt.Errorf("the weight of endpoint %q is %d: want 0 or more", e.Name, e.Weight)
		}
	}
	return c.checkObjectives()
}

// plan is what a Config comes to.
type plan struct {
	curve   schedule.Curve // warm-up included
	demand  *demand        // requests due by it
	stages  schedule.Curve // without it
	warmup  time.Duration
	order   []int32
	weights []int64 // sums of the weights so far
	seed    uint64
}

func newPlan(c *Config) (*plan, error) {
	stages, err := schedule.NewCurve(c.Stages...)
	if err != nil {
		return nil, err
	}
	p := &plan{curve: stages, stages: stages, warmup: c.Warmup, seed: c.Seed, order: c.Order}
	if c.Warmup > 0 {
		first, err := schedule.NewCurve(schedule.Stage{Rate: c.Stages[0].Rate, Duration: c.Warmup})
		if err != nil {
			return nil, fmt.Errorf("plan the warm-up: %w", err)
		}
		p.curve = schedule.Join(first, stages)
	}
	p.demand = &demand{curve: p.curve}
	var sum int64
	for _, e := range c.Endpoints {
		sum += int64(max(e.Weight, 1))
		p.weights = append(p.weights, sum)
	}
	return p, nil
}

// aim says what request seq is and which phase it belongs to.
func (p *plan) aim(s *Shot) {
	s.phase = p.phase(s.Planned)
	s.Endpoint = 0
	if n := int64(len(p.order)); n > 0 {
		s.Endpoint = int(p.order[s.Seq%n])
		return
	}
	if n := len(p.weights); n > 1 {
		draw := int64(mix(p.seed^uint64(s.Seq)) % uint64(p.weights[n-1])) //nolint:gosec // both are positive
		for p.weights[s.Endpoint] <= draw {
			s.Endpoint++
		}
	}
}

// phase is 0 in the warm-up, and 1 + the stage after it.
func (p *plan) phase(at time.Duration) int {
	if at < p.warmup {
		return 0
	}
	return 1 + p.stages.Stage(at-p.warmup)
}

// mix makes of a number one that looks like chance (the finaliser of splitmix64).
func mix(v uint64) uint64 {
	v += 0x9e3779b97f4a7c15
	v = (v ^ v>>30) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>27) * 0x94d049bb133111eb
	return v ^ v>>31
}

// shards is how many recorders a run has.
func shards() int { return min(runtime.GOMAXPROCS(0), 64) }
