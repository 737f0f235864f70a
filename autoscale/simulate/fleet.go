package simulate

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"holdfast/autoscale"
)

// fleet are the instances of a function. Times are seconds after the begin of
// the trace.
type fleet struct {
	boot     Boot
	drain    float64
	chance   *rand.Rand
	ready    []float64 // since when, in order
	starting []booting // in the order they were launched
	draining []float64 // until when
	started  int
	since    time.Time
}

type booting struct {
	launched, ready float64
	fails           bool
}

// set launches or takes out instances until there are n.
func (f *fleet) set(n int, now float64) {
	for len(f.ready)+len(f.starting) < n {
		f.starting = append(f.starting, f.launch(now, now))
		f.started++
	}
	for len(f.starting) > 0 && len(f.ready)+len(f.starting) > n {
		f.starting = f.starting[:len(f.starting)-1] // those have nothing to lose
	}
	for len(f.ready) > n {
		f.ready = f.ready[:len(f.ready)-1]
		f.draining = append(f.draining, now+f.drain)
	}
}

func (f *fleet) launch(first, now float64) booting {
	took := f.boot.Median.Seconds()
	if f.boot.P95 > f.boot.Median {
		const z95 = 1.6448536269514722 // of the normal distribution
		sigma := math.Log(f.boot.P95.Seconds()/took) / z95
		took *= math.Exp(sigma * f.chance.NormFloat64())
	}
	return booting{launched: first, ready: now + took, fails: f.boot.Fails > 0 && f.chance.Float64() < f.boot.Fails}
}

// next is when something happens by itself after now.
func (f *fleet) next(now, until float64) float64 {
	for i := range f.starting {
		if at := f.starting[i].ready; at > now && at < until {
			until = at
		}
	}
	for _, at := range f.draining {
		if at > now && at < until {
			until = at
		}
	}
	return until
}

// advance lets happen what is due.
func (f *fleet) advance(now float64) {
	left := f.starting[:0]
	for _, b := range f.starting {
		for b.ready <= now && b.fails {
			b = f.launch(b.launched, b.ready)
		}
		if b.ready <= now {
			f.ready = append(f.ready, b.ready)
		} else {
			left = append(left, b)
		}
	}
	f.starting = left
	gone := f.draining[:0]
	for _, at := range f.draining {
		if at > now {
			gone = append(gone, at)
		}
	}
	f.draining = gone
}

// paid is how many instances cost money.
func (f *fleet) paid() int { return len(f.ready) + len(f.starting) + len(f.draining) }

// instances are what a platform would tell; none when all are ready, which is
// what Decide takes that for.
func (f *fleet) instances() []autoscale.Instance {
	if len(f.starting) == 0 {
		return nil
	}
	list := make([]autoscale.Instance, 0, len(f.ready)+len(f.starting))
	for i, at := range f.ready {
		list = append(list, autoscale.Instance{ID: strconv.Itoa(i), State: autoscale.Ready, Since: f.at(at)})
	}
	for i := range f.starting {
		list = append(list, autoscale.Instance{ID: strconv.Itoa(len(f.ready) + i), State: autoscale.Starting, Since: f.at(f.starting[i].launched)})
	}
	return list
}

func (f *fleet) at(seconds float64) time.Time {
	return f.since.Add(time.Duration(math.Round(seconds * float64(time.Second))))
}
