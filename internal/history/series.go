package history

import (
	"encoding/json"
	"math"
	"math/bits"
	"time"
)

// Point is how a function did in a minute, or in a longer step. NaN is unknown.
type Point struct {
	At          time.Time // when it began
	Rate        float64   // requests per second
	P50         float64   // milliseconds
	P95         float64   // milliseconds
	P99         float64   // milliseconds
	Errors      float64   // requests that failed, in all of the time
	SuccessRate float64   // percent
	CPU         float64   // percent
	Memory      float64   // percent
	Connections float64
	Instances   float64
	Own         float64 // of a signal, see SignalOf
}

// Series numbers the values of a Point, in the order in which they are stored. New ones are added at the end.
type Series int

// The series.
const (
	Rate Series = iota
	P50
	P95
	P99
	Errors
	SuccessRate
	CPU
	Memory
	Connections
	Instances
	Own
	seriesCount
)

var seriesNames = [seriesCount]string{"rate", "p50_ms", "p95_ms", "p99_ms", "errors", "success_rate", "cpu_percent", "memory_percent", "connections", "instances", "own"}

// String returns the name of the series, also its key in JSON.
func (s Series) String() string { return seriesNames[s] }

// Unit returns the step in which small values are kept: up to 255 units exactly, above within 0.4 %. The success rate is
// kept as what is missing to 100, so that it is precise where it matters.
func (s Series) Unit() float64 {
	switch s {
	case Rate:
		return 1.0 / 60 // one request a minute
	case P50, P95, P99:
		return 0.01
	case SuccessRate, Own:
		return 0.001
	case CPU, Memory:
		return 0.1
	case Errors, Connections, Instances, seriesCount:
	}
	return 1
}

// Unknown returns a point without any value.
func Unknown(at time.Time) Point {
	var v values
	for s := range v {
		v[s] = math.NaN()
	}
	return v.point(at)
}

// Value returns the value of a series.
func (p Point) Value(s Series) float64 { return p.values()[s] }

// MarshalJSON leaves out what is unknown.
func (p Point) MarshalJSON() ([]byte, error) {
	out := map[string]any{"at": p.At}
	for s, v := range p.values() {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[Series(s).String()] = v
		}
	}
	return json.Marshal(out)
}

// values are those of a Point by Series.
type values [seriesCount]float64

func (p Point) values() values {
	return values{p.Rate, p.P50, p.P95, p.P99, p.Errors, p.SuccessRate, p.CPU, p.Memory, p.Connections, p.Instances, p.Own}
}

func (v values) point(at time.Time) Point {
	return Point{
		At: at, Rate: v[Rate], P50: v[P50], P95: v[P95], P99: v[P99], Errors: v[Errors], SuccessRate: v[SuccessRate],
		CPU: v[CPU], Memory: v[Memory], Connections: v[Connections], Instances: v[Instances], Own: v[Own],
	}
}

// row is a minute as stored: a code for each series. The zero row is a gap.
type row [seriesCount]code

// code stands for a value: 0 is unknown, n+1 is the n-th step of a scale whose steps are one unit wide up to 255 units and
// grow by doubling every 128 steps from there, like the buckets of an HDR histogram.
type code uint16

const (
	mantissa = 8                                // bits
	half     = 1 << (mantissa - 1)              // steps per doubling
	maxUnits = uint64(1)<<52 - 1                // what a float64 holds exactly
	maxCode  = code(half * (52 - mantissa + 2)) // of maxUnits, plus 1 for unknown
)

func (p Point) row() row {
	var r row
	for s, v := range p.values() {
		r[s] = encodeValue(Series(s), v)
	}
	return r
}

func (r row) known() bool { return r != row{} }

func (r row) values() values {
	var v values
	for s, c := range r {
		v[s] = decodeValue(Series(s), c)
	}
	return v
}

func encodeValue(s Series, v float64) code {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	if s == SuccessRate {
		v = 100 - v
	}
	units := math.Round(v / s.Unit())
	n := uint64(min(max(units, 0), float64(maxUnits)))
	e := max(bits.Len64(n)-mantissa, 0)
	return code(uint64(e*half)+n>>e) + 1
}

func decodeValue(s Series, c code) float64 {
	if c == 0 {
		return math.NaN()
	}
	n := uint64(c - 1)
	if n >= 2*half {
		e := n/half - 1
		n = (n-e*half)<<e + 1<<e/2 // the middle of the step
	}
	v := float64(n) * s.Unit()
	if s == SuccessRate {
		v = 100 - v
	}
	return v
}
