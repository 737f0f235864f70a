package autoscale

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// Reading is one measurement.
type Reading struct {
	Signal Signal
	// Instance says whose it is; empty: the function's. ResponseTimeMS is the
	// function's in any case.
	Instance string
	Value    float64
	At       time.Time
}

// FeedConfig configures a Feed. Zero values are the defaults.
type FeedConfig struct {
	// Window is how far back Signals.Values look. 0 is 1 min.
	Window time.Duration
	// Burst is how far back Signals.Burst look. 0 is 6 s.
	Burst time.Duration
}

// Feed collects readings and makes Signals of them, for programs that measure
// themselves. Of a signal it keeps the last minute, at most 4096 readings, and
// makes of them
//
//	ResponseTimeMS           the 95th percentile
//	InFlight, QueueLength    the average over time: a reading holds until the next
//	IdleSeconds, QueueAgeMS  the last one
//	all others               the mean
//
// Signals without a reading in the window are unknown. Safe for concurrent use.
type Feed struct {
	config FeedConfig

	mu        sync.Mutex
	instances map[string]Instance
	series    map[source][]point
}

type source struct {
	signal   Signal
	instance string
}

type point struct {
	at    time.Time
	value float64
}

const mostPoints = 4096

// NewFeed makes an empty feed.
func NewFeed(c FeedConfig) *Feed {
	set(&c.Window, time.Minute)
	set(&c.Burst, 6*time.Second)
	return &Feed{config: c, instances: map[string]Instance{}, series: map[source][]point{}}
}

// Add takes a reading. Readings of a signal come in the order of their times; a
// value that is no number and a reading without a name or time are refused.
func (f *Feed) Add(r Reading) error {
	if r.Signal == "" || r.At.IsZero() || !finite(r.Value) {
		return fmt.Errorf("add reading of %q: it needs a name, a time and a number, has %v at %s", r.Signal, r.Value, r.At)
	}
	s := source{r.Signal, r.Instance}
	if r.Signal == ResponseTimeMS {
		s.instance = ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	list := append(f.series[s], point{r.At, r.Value})
	if len(list) > mostPoints {
		list = slices.Delete(list, 0, len(list)-mostPoints)
	}
	f.series[s] = list
	return nil
}

// SetInstances says which instances there are. Readings of others are kept no
// longer than the window.
func (f *Feed) SetInstances(list []Instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instances = make(map[string]Instance, len(list))
	for _, i := range list {
		f.instances[i.ID] = i
	}
}

// Signals returns what was measured up to now.
func (f *Feed) Signals(desired int, now time.Time) Signals {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := Signals{Desired: desired, Values: map[Signal]float64{}, Burst: map[Signal]float64{}}
	values := map[string]map[Signal]float64{}
	for key, list := range f.series {
		list = f.trim(key, list, now)
		v, ok := summary(key.signal, list, now.Add(-f.config.Window), now)
		if !ok {
			continue
		}
		if key.instance != "" {
			if values[key.instance] == nil {
				values[key.instance] = map[Signal]float64{}
			}
			values[key.instance][key.signal] = v
			continue
		}
		s.Values[key.signal] = v
		if v, ok := summary(key.signal, list, now.Add(-f.config.Burst), now); ok {
			s.Burst[key.signal] = v
		}
	}
	for _, id := range slices.Sorted(maps.Keys(f.instances)) {
		i := f.instances[id]
		i.Values = values[id]
		s.Instances = append(s.Instances, i)
	}
	return s
}

// trim forgets what is older than the window, except the level it began with.
func (f *Feed) trim(key source, list []point, now time.Time) []point {
	begin := now.Add(-f.config.Window)
	old := 0
	for old < len(list) && list[old].at.Before(begin) {
		old++
	}
	if old > 0 && level(key.signal) {
		old--
	}
	list = slices.Delete(list, 0, old)
	if len(list) == 0 {
		delete(f.series, key)
	} else {
		f.series[key] = list
	}
	return list
}

// level says whether a reading of a signal holds until the next one.
func level(s Signal) bool { return s == InFlight || s == QueueLength }

// summary makes one number of the readings since begin.
func summary(name Signal, list []point, begin, now time.Time) (float64, bool) {
	if level(name) {
		return average(list, begin, now)
	}
	first := slices.IndexFunc(list, func(p point) bool { return !p.at.Before(begin) })
	if first < 0 {
		return 0, false
	}
	list = list[first:]
	if name == ResponseTimeMS {
		values := make([]float64, len(list))
		for i, p := range list {
			values[i] = p.value
		}
		slices.Sort(values)
		return values[int(math.Ceil(0.95*float64(len(values))))-1], true
	}
	if name == IdleSeconds || name == QueueAgeMS {
		return list[len(list)-1].value, true
	}
	sum := 0.0
	for _, p := range list {
		sum += p.value
	}
	return sum / float64(len(list)), true
}

// average is that of a level from begin, or its first reading, until now.
func average(list []point, begin, now time.Time) (float64, bool) {
	if len(list) == 0 {
		return 0, false
	}
	var i Integral
	for _, p := range list {
		at := p.at
		if at.Before(begin) {
			at = begin
		}
		i.Set(p.value, at)
	}
	return i.Turn(now), true
}
