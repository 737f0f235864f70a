// Package schedule says when requests are due: pure functions of a plan, in virtual time, so that what a load test
// offers is known before it starts and can be tested without waiting.
//
// # Curve and arrivals
//
// A Curve is a rate over time made of stages. Its integral A(t) is how many requests are due before t, and request i,
// counted from 0, is due when A(t) reaches i:
//
//	planned(i) = A⁻¹(i)
//
// which has a closed form for constant and linear stages and is solved by bisection for sine waves. So evenly spaced
// arrivals drift by nothing over hours, and each can be found without those before it.
//
// Poisson arrivals are the same with random counts: the sums S(i) of exponential gaps with mean 1 take the place of i
// (the time-rescaling theorem), whatever shape the curve has. Evenly spaced arrivals queue less than those of independent
// clients do, so they understate waiting; Poisson arrivals do not.
package schedule

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Shape is how a stage gets from the rate before it to its own.
type Shape uint8

// The shapes.
const (
	// Step has its rate from its first moment to its last.
	Step Shape = iota
	// Linear goes straight from the rate before it to its own.
	Linear
	// Sine swings around its rate by Amplitude, once each Period, upwards first.
	Sine
	// Spike has its rate like Step; after it the rate before it holds again.
	Spike
	// Listed has requests at the moments of Times, as they were recorded, and no Rate. No name stands for it.
	Listed
)

var shapeNames = [...]string{Step: "step", Linear: "linear", Sine: "sine", Spike: "spike"}

// String is the shape's name.
func (s Shape) String() string {
	if int(s) < len(shapeNames) {
		return shapeNames[s]
	}
	if s == Listed {
		return "listed"
	}
	return fmt.Sprintf("Shape(%d)", s)
}

// ParseShape reads a shape's name.
func ParseShape(name string) (Shape, error) {
	for s, n := range shapeNames {
		if n == name {
			return Shape(s), nil
		}
	}
	return 0, fmt.Errorf("want step, linear, sine or spike as shape, not %q", name)
}

// Stage is a part of a curve.
type Stage struct {
	Name     string // for reports; may be empty
	Shape    Shape
	Rate     float64 // per second; of a curve of users, users
	Duration time.Duration
	// Amplitude and Period are Sine's; a Period of 0 is the whole stage.
	Amplitude float64
	Period    time.Duration
	// Times are Listed's: when its requests are due, after its begin, in order and before its end.
	Times []time.Duration
}

// Curve is a rate over time. The zero value is zero at all times.
type Curve struct {
	segments []segment
}

// segment is a stage with what its predecessors lead to. Times are in seconds.
type segment struct {
	begin, end float64
	from, to   float64 // rate at both ends; of Sine its mean, twice
	amplitude  float64
	omega      float64 // 2π/period
	times      []time.Duration
	before     float64 // arrivals before it
}

// NewCurve puts stages one after the other, beginning at rate 0. It names the stage that cannot be.
func NewCurve(stages ...Stage) (Curve, error) {
	var c Curve
	rate, at, sum := 0.0, 0.0, 0.0
	for i := range stages {
		s := &stages[i]
		if err := s.check(); err != nil {
			return Curve{}, fmt.Errorf("stage %d %s: %w", i+1, s.Name, err)
		}
		g := segment{begin: at, end: at + s.Duration.Seconds(), from: s.Rate, to: s.Rate, before: sum}
		after := s.Rate
		switch s.Shape {
		case Linear:
			g.from = rate
		case Spike:
			after = rate
		case Sine:
			g.amplitude, g.omega = s.Amplitude, 2*math.Pi/s.period().Seconds()
		case Listed:
			g.times = s.Times
			g.from, g.to, after = g.busiest(), g.busiest(), 0
		case Step:
		}
		c.segments = append(c.segments, g)
		rate, at, sum = after, g.end, sum+g.arrivals(g.end-g.begin)
	}
	return c, nil
}

func (s *Stage) period() time.Duration {
	if s.Period > 0 {
		return s.Period
	}
	return s.Duration
}

func (s *Stage) check() error {
	switch {
	case s.Shape == Listed:
		return s.checkTimes()
	case len(s.Times) > 0:
		return errors.New("only a list has times")
	case s.Shape > Listed:
		return fmt.Errorf("there is no %v", s.Shape)
	case s.Duration <= 0:
		return errors.New("the duration must be longer than 0")
	case !(s.Rate >= 0) || math.IsInf(s.Rate, 0):
		return fmt.Errorf("the rate must be 0 or more, not %v", s.Rate)
	case s.Shape != Sine && s.Amplitude != 0:
		return fmt.Errorf("only sine has an amplitude, not %v", s.Shape)
	case !(s.Amplitude >= 0) || s.Amplitude > s.Rate:
		return fmt.Errorf("the amplitude must be from 0 to the rate %v, not %v: rates below 0 cannot be", s.Rate, s.Amplitude)
	case s.Period < 0:
		return errors.New("the period must not be negative")
	}
	return nil
}

// Duration is how long the curve is.
func (c Curve) Duration() time.Duration {
	if len(c.segments) == 0 {
		return 0
	}
	return seconds(c.segments[len(c.segments)-1].end)
}

// Rate is the rate at t, and 0 outside of the curve.
func (c Curve) Rate(t time.Duration) float64 {
	if g := c.at(t.Seconds()); g != nil {
		return g.rate(t.Seconds() - g.begin)
	}
	return 0
}

// Peak is the highest rate the curve reaches.
func (c Curve) Peak() float64 {
	peak := 0.0
	for i := range c.segments {
		g := &c.segments[i]
		peak = max(peak, g.from, g.to, g.from+g.amplitude)
	}
	return peak
}

// Stage is the index of the stage that t lies in, of all that came before or the last one.
func (c Curve) Stage(t time.Duration) int {
	for i := range c.segments {
		if t.Seconds() < c.segments[i].end-1e-9 {
			return i
		}
	}
	return max(len(c.segments)-1, 0)
}

// Arrivals is how many requests, not rounded, are due from 0 to t.
func (c Curve) Arrivals(t time.Duration) float64 {
	at, sum := t.Seconds(), 0.0
	for i := range c.segments {
		g := &c.segments[i]
		if at < g.begin {
			break
		}
		sum = g.before + g.arrivals(min(at, g.end)-g.begin)
	}
	return sum
}

// Total is how many evenly spaced requests the curve holds: those that are due before its end.
func (c Curve) Total() int64 { return int64(math.Ceil(c.Arrivals(c.Duration()) - 1e-6)) }

// When is the inverse of Arrivals: when x requests are due. ok is false when the curve has fewer.
func (c Curve) When(x float64) (t time.Duration, ok bool) {
	for i := range c.segments {
		g := &c.segments[i]
		if x < g.before+g.arrivals(g.end-g.begin)-1e-6 {
			return seconds(g.begin + g.inverse(max(x-g.before, 0))), true
		}
	}
	return 0, false
}

// Planned is when request i of evenly spaced ones is due, i from 0. ok is false when the curve has fewer.
func (c Curve) Planned(i int64) (t time.Duration, ok bool) { return c.When(float64(i)) }

func (c Curve) at(t float64) *segment {
	for i := range c.segments {
		if g := &c.segments[i]; t >= g.begin && t < g.end {
			return g
		}
	}
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(math.Round(s * 1e9)) }

func (s *Stage) checkTimes() error {
	switch {
	case len(s.Times) == 0:
		return errors.New("the list has no times")
	case s.Rate != 0 || s.Amplitude != 0:
		return errors.New("a list has times, and no rate")
	case !slices.IsSorted(s.Times) || s.Times[0] < 0 || s.Times[len(s.Times)-1] >= s.Duration:
		return errors.New("the times of the list have to be in order, from 0 to before the end")
	}
	return nil
}

// around is how many of the times lie within half a second of u.
func (g *segment) around(u float64) int {
	at, half := seconds(u), time.Second/2
	first, _ := slices.BinarySearch(g.times, at-half)
	last, _ := slices.BinarySearch(g.times, at+half)
	return last - first
}

// busiest is the most times that a second has.
func (g *segment) busiest() float64 {
	most, first := 0, 0
	for i, t := range g.times {
		for g.times[first] <= t-time.Second {
			first++
		}
		most = max(most, i+1-first)
	}
	return float64(most)
}

// rate is the rate u seconds after the segment's begin.
func (g *segment) rate(u float64) float64 {
	switch {
	case g.times != nil:
		return float64(g.around(u))
	case g.omega != 0:
		return g.from + g.amplitude*math.Sin(g.omega*u)
	}
	return g.from + (g.to-g.from)*u/(g.end-g.begin)
}

// arrivals is the integral of the rate over the segment's first u seconds.
func (g *segment) arrivals(u float64) float64 {
	switch {
	case g.times != nil:
		n, _ := slices.BinarySearch(g.times, seconds(u))
		return float64(n)
	case g.omega != 0:
		return g.from*u + g.amplitude/g.omega*(1-math.Cos(g.omega*u))
	}
	return g.from*u + (g.to-g.from)/(g.end-g.begin)*u*u/2
}

// inverse is after how many seconds x requests are due.
func (g *segment) inverse(x float64) float64 {
	length := g.end - g.begin
	if g.times != nil {
		return g.times[min(int(x+1e-6), len(g.times)-1)].Seconds()
	}
	if g.omega == 0 {
		// The root of slope/2 u² + from u - x = 0, in the form that does not divide by a slope of 0.
		slope := (g.to - g.from) / length
		under := max(g.from*g.from+2*slope*x, 0)
		if d := g.from + math.Sqrt(under); d > 0 {
			return min(2*x/d, length)
		}
		return 0
	}
	low, high := 0.0, length
	for high-low > 1e-10 { // a tenth of what a Duration can say
		if mid := (low + high) / 2; g.arrivals(mid) < x {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// Join is a with b behind it. b begins at the rates it has by itself.
func Join(a, b Curve) Curve {
	end, sum := 0.0, 0.0
	if n := len(a.segments); n > 0 {
		g := &a.segments[n-1]
		end, sum = g.end, g.before+g.arrivals(g.end-g.begin)
	}
	joined := Curve{segments: slices.Clip(slices.Clone(a.segments))}
	for _, g := range b.segments {
		g.begin, g.end, g.before = g.begin+end, g.end+end, g.before+sum
		joined.segments = append(joined.segments, g)
	}
	return joined
}
