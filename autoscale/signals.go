package autoscale

import (
	"maps"
	"math"
	"slices"
	"time"
)

// Signal names something measured. Names of your own are as good as these;
// call them custom:NAME so that they never meet a later one of these.
type Signal string

// The signals that rules know. Those of instances are means over the instances
// that are ready unless Signals.Values has them.
const (
	// CPUPercent and MemoryPercent are what an instance uses of what it may.
	CPUPercent    Signal = "cpu_percent"
	MemoryPercent Signal = "memory_percent"
	// ActiveConnections are those of one instance.
	ActiveConnections Signal = "active_connections"

	// ResponseTimeMS is the 95th percentile of response times.
	ResponseTimeMS Signal = "response_time_ms"
	// ErrorRatePercent is the share of exchanges that failed.
	ErrorRatePercent Signal = "error_rate_percent"
	// InFlight is how many exchanges were inside on average: the integral over
	// time (see Integral), since a sample would miss what comes in between.
	// Those in QueueLength are not in it.
	InFlight Signal = "in_flight"
	// QueueLength is how many exchanges wait, QueueAgeMS for how long the first
	// one has.
	QueueLength Signal = "queue_length"
	QueueAgeMS  Signal = "queue_age_ms"
	// IdleSeconds is how long ago the last request came.
	IdleSeconds Signal = "idle_seconds"
	// OfferedRate is all requests per second that came: served, queued and
	// refused. What was only served would hide the demand that found no place.
	OfferedRate Signal = "offered_rate"
	// ServedRate is the requests per second that were answered by instances.
	ServedRate Signal = "served_rate"
	// ServiceTimeMS is how long an instance works on a request when it has
	// nothing else to do: response times of quiet hours, not of busy ones.
	ServiceTimeMS Signal = "service_time_ms"
)

// Standard returns the signals that rules know, in order.
func Standard() []Signal {
	return []Signal{
		ActiveConnections, CPUPercent, ErrorRatePercent, IdleSeconds, InFlight, MemoryPercent,
		OfferedRate, QueueAgeMS, QueueLength, ResponseTimeMS, ServedRate, ServiceTimeMS,
	}
}

// InstanceState is where an instance is in its life.
type InstanceState string

// The states. The zero value counts as Ready.
const (
	// Ready instances take traffic.
	Ready InstanceState = "ready"
	// Starting instances have never been ready.
	Starting InstanceState = "starting"
	// Failed instances have never been ready and did not start, perhaps
	// several times.
	Failed InstanceState = "failed"
	// Unready instances were ready and take no traffic now.
	Unready InstanceState = "unready"
	// Draining instances are on their way out.
	Draining InstanceState = "draining"
)

// Instance is one instance as it was measured.
type Instance struct {
	ID    string        `json:"id"`
	State InstanceState `json:"state"`
	// Since is when it came into this state; a zero time is unknown.
	Since time.Time `json:"since,omitzero"`
	// Version tells a new program from an old one; may be empty.
	Version string `json:"version,omitempty"`
	// Values are its own signals; what is missing is unknown.
	Values map[Signal]float64 `json:"values,omitempty"`
}

// Signals are everything measured for one decision. What is not in the maps is
// unknown, not zero. NaN and infinities are unknown too.
type Signals struct {
	// Desired is how many instances the platform was last told to run. A result
	// equal to it changes nothing.
	Desired int `json:"desired"`
	// Instances are those there are; empty: all that are desired are ready.
	Instances []Instance `json:"instances,omitempty"`
	// Values are the function's own signals over the usual window, about a
	// minute. A signal of instances in here goes before their mean.
	Values map[Signal]float64 `json:"values,omitempty"`
	// Burst are the same over a few seconds, for Panic; may be empty.
	Burst map[Signal]float64 `json:"burst,omitempty"`
	// OfInstances are the signals of your own that only instances can tell, as
	// CPUPercent is one: nobody who was never ready has any of them.
	OfInstances []Signal `json:"of_instances,omitempty"`
	// Schedules are the names of those in force now. Decide knows no time zones.
	Schedules []string `json:"schedules,omitempty"`

	// BreakerOpen: the circuit breaker refuses requests, so that errors say
	// nothing about load.
	BreakerOpen bool `json:"breaker_open,omitempty"`
	// Deploying: instances are being replaced, and counted twice.
	Deploying bool `json:"deploying,omitempty"`
	// VersionSince is when the present version came; zero: long ago.
	VersionSince time.Time `json:"version_since,omitzero"`

	// Forecast is what a forecast proposes; nil: there is none. It changes
	// nothing, the Decision says what it would have changed.
	Forecast *Forecast `json:"forecast,omitempty"`
}

// Forecast is the proposal of a forecast.
type Forecast struct {
	Instances int `json:"instances"`
	// Model and Quantile say where it comes from.
	Model    string  `json:"model,omitempty"`
	Quantile float64 `json:"quantile,omitempty"`
	// For is the time it is about.
	For time.Time `json:"for,omitzero"`
}

// normal returns a copy that shares nothing with s and reads the same after a
// way through JSON.
func (s *Signals) normal() Signals {
	c := *s
	c.Desired = max(c.Desired, 0)
	c.Values, c.Burst = known(c.Values), known(c.Burst)
	c.Schedules, c.OfInstances = cloned(c.Schedules), cloned(c.OfInstances)
	c.Instances = cloned(c.Instances)
	for i := range c.Instances {
		in := &c.Instances[i]
		in.Values, in.Since = known(in.Values), plain(in.Since)
		if in.State == "" {
			in.State = Ready
		}
	}
	c.VersionSince = plain(c.VersionSince)
	if c.Forecast != nil {
		f := *c.Forecast
		f.Instances, f.For = max(f.Instances, 0), plain(f.For)
		if !finite(f.Quantile) {
			f.Quantile = 0
		}
		c.Forecast = &f
	}
	return c
}

// count returns how many instances are in one of the states.
func (s *Signals) count(states ...InstanceState) int {
	n := 0
	for i := range s.Instances {
		if slices.Contains(states, s.Instances[i].State) {
			n++
		}
	}
	return n
}

// Value returns a signal of the function, or the mean of the instances that are
// ready; false: it is unknown, be it of one of them.
func (s *Signals) Value(name Signal) (float64, bool) {
	v, whole, ok := s.value(name)
	return v, ok && whole
}

// value returns what was measured of a signal, or the 0 that it has to be.
// whole says that all ready instances have it.
func (s *Signals) value(name Signal) (v float64, whole, ok bool) {
	if v, whole, ok = s.measured(name); !ok && s.isZero(name) {
		return 0, true, true
	}
	return v, whole, ok
}

// measured returns a signal of the function, or the mean of the ready instances
// that have it. whole says that each of them has.
func (s *Signals) measured(name Signal) (v float64, whole, ok bool) {
	if v, ok := s.Values[name]; ok {
		return v, true, true
	}
	sum, n, silent := 0.0, 0, 0
	for i := range s.Instances {
		if in := &s.Instances[i]; in.State == Ready {
			if v, ok := in.Values[name]; ok {
				sum, n = sum+v, n+1
			} else {
				silent++
			}
		}
	}
	if n == 0 {
		return 0, false, false
	}
	return sum / float64(n), silent == 0, true
}

// isZero says whether a signal that nobody measured has to be 0: without requests
// nothing is slow and nothing fails, and instances that were never ready use
// nothing.
func (s *Signals) isZero(name Signal) bool {
	switch {
	case !s.silent():
		return false
	case name == ResponseTimeMS || name == ErrorRatePercent:
		return true
	}
	return (slices.Contains(ofInstances(), name) || slices.Contains(s.OfInstances, name)) && s.unborn()
}

// ofInstances are the signals of instances that rules know.
func ofInstances() []Signal { return []Signal{CPUPercent, MemoryPercent, ActiveConnections} }

// unborn says whether all instances there are have never been ready, and nobody
// waits for them: there is no work that measuring them could show.
func (s *Signals) unborn() bool {
	inside, known := s.Values[InFlight]
	return known && inside == 0 && s.Values[QueueLength] == 0 &&
		s.count(Starting, Failed) > 0 && s.count(Ready, Unready) == 0
}

// silent says whether it is known that nobody asked for anything.
func (s *Signals) silent() bool {
	rate, ok := s.Values[OfferedRate]
	return ok && rate == 0
}

// known returns a copy without what cannot be a measurement.
func known(m map[Signal]float64) map[Signal]float64 {
	out := maps.Clone(m)
	maps.DeleteFunc(out, func(_ Signal, v float64) bool { return !finite(v) })
	if len(out) == 0 {
		return nil
	}
	return out
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// cloned keeps nil and empty the same, as JSON does.
func cloned[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return slices.Clone(list)
}

// plain is a time without what JSON does not keep.
func plain(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Round(0).UTC()
}
