package simulate

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"holdfast/autoscale"
)

// fleet are the instances of a function. Times are seconds after the begin of
// the trace.
type fleet struct {
	world    *World
	chance   *rand.Rand
	speeds   *rand.Rand // of instances
	ready    []running  // in order
	starting []booting  // in the order they were launched
	spares   []booting  // those that have booted too
	draining []float64  // until when
	started  int
	since    time.Time
}

type booting struct {
	launched, ready float64
	fails           bool
}

// running is an instance that is ready.
type running struct {
	since float64
	speed float64 // 1 is what the policy takes it for
	ramps bool    // others were there when it came
	share float64 // added to slots that are there in part: as many become whole as are there on average
}

// set launches or takes out instances until there are n.
func (f *fleet) set(n int, now float64) {
	for len(f.ready)+len(f.starting) < n {
		f.starting = append(f.starting, f.take(now))
		f.started++
	}
	for len(f.starting) > 0 && len(f.ready)+len(f.starting) > n {
		f.starting = f.starting[:len(f.starting)-1] // those have nothing to lose
	}
	for len(f.ready) > n {
		f.ready = f.ready[:len(f.ready)-1]
		f.draining = append(f.draining, now+f.world.Drain.Seconds())
	}
}

// take gives the spare that is ready first, and begins another, or launches an
// instance where there are no spares.
func (f *fleet) take(now float64) booting {
	if len(f.spares) == 0 {
		return f.launch(now, now)
	}
	first := 0
	for i := range f.spares {
		if f.spares[i].ready < f.spares[first].ready {
			first = i
		}
	}
	b := f.spares[first]
	f.spares = append(slices.Delete(f.spares, first, first+1), f.launch(now, now))
	b.launched = now // nobody was to be seen booting before
	return b
}

// run makes an instance of what has booted.
func (f *fleet) run(since float64) running {
	r := running{since: since, speed: 1}
	if v := f.world.SpeedSpread; v > 0 {
		sigma := math.Sqrt(math.Log(1 + v*v))
		r.speed = math.Exp(sigma*f.speeds.NormFloat64() - sigma*sigma/2)
	}
	if f.world.SlowStart > 0 {
		r.ramps, r.share = len(f.ready) > 0, f.speeds.Float64()
	}
	return r
}

// lanes adds the speed of each slot that takes requests now to a list.
func (f *fleet) lanes(list []float64, now float64) []float64 {
	for i := range f.ready {
		r, slots := &f.ready[i], f.world.Slots
		if part := (now - r.since) / f.world.SlowStart.Seconds(); r.ramps && part < 1 {
			slots = int(float64(slots)*max(part, leastRamp) + r.share)
		}
		for range slots {
			list = append(list, r.speed)
		}
	}
	if len(list) == 0 && len(f.ready) > 0 { // shares are of what comes: all of it, where nobody has a whole one
		list = append(list, f.ready[0].speed)
	}
	return list
}

// leastRamp is the balancer's: a new instance gets a tenth at least.
const leastRamp = 0.1

func (f *fleet) launch(first, now float64) booting {
	boot := &f.world.Boot
	took := boot.Median.Seconds()
	if boot.P95 > boot.Median {
		const z95 = 1.6448536269514722 // of the normal distribution
		sigma := math.Log(boot.P95.Seconds()/took) / z95
		took *= math.Exp(sigma * f.chance.NormFloat64())
	}
	return booting{launched: first, ready: now + took, fails: boot.Fails > 0 && f.chance.Float64() < boot.Fails}
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
			f.ready = append(f.ready, f.run(max(b.ready, b.launched)))
		} else {
			left = append(left, b)
		}
	}
	f.starting = left
	for i := range f.spares {
		for b := &f.spares[i]; b.ready <= now && b.fails; {
			*b = f.launch(b.launched, b.ready)
		}
	}
	gone := f.draining[:0]
	for _, at := range f.draining {
		if at > now {
			gone = append(gone, at)
		}
	}
	f.draining = gone
}

// paid is how many instances cost money.
func (f *fleet) paid() int { return len(f.ready) + len(f.starting) + len(f.spares) + len(f.draining) }

// instances are what a platform would tell; none when all are ready, which is
// what Decide takes that for.
func (f *fleet) instances() []autoscale.Instance {
	if len(f.starting) == 0 {
		return nil
	}
	list := make([]autoscale.Instance, 0, len(f.ready)+len(f.starting))
	for i := range f.ready {
		list = append(list, autoscale.Instance{ID: strconv.Itoa(i), State: autoscale.Ready, Since: f.at(f.ready[i].since)})
	}
	for i := range f.starting {
		list = append(list, autoscale.Instance{ID: strconv.Itoa(len(f.ready) + i), State: autoscale.Starting, Since: f.at(f.starting[i].launched)})
	}
	return list
}

func (f *fleet) at(seconds float64) time.Time {
	return f.since.Add(time.Duration(math.Round(seconds * float64(time.Second))))
}
