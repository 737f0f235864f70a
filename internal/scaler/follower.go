package scaler

import (
	"maps"
	"time"

	"holdfast/autoscale"
	"holdfast/breaker"
	"holdfast/exchange"
)

// follower is what the scaler keeps of a function from tick to tick.
type follower struct {
	function *exchange.Function
	state    autoscale.State
	since    time.Time
	met      map[string]*acquaintance // instances, by id

	present       exchange.Presence // at the last tick
	ring          [windowTicks]ticked
	n             int // that were ever put in the ring
	ended, served uint64
	was           int       // exchanges there were at the last tick
	busy          time.Time // when somebody was last seen inside
	at            time.Time
	service       serviceTime
}

// acquaintance is what the scaler knows of an instance and its platform does
// not.
type acquaintance struct {
	since     time.Time // when it was first seen
	everReady bool
}

const (
	// windowTicks make the window of Values, 10 s: long enough to be calm, short
	// enough to see a rise. What the monitor measures covers a minute.
	windowTicks = 5
	// burstTicks make the window of Burst, 6 s.
	burstTicks = 3
)

// ticked is what happened in one tick.
type ticked struct {
	inside, queue   float64 // averages
	offered, served float64 // counts
	over            time.Duration
}

func newFollower(fn *exchange.Function, now time.Time) *follower {
	f := &follower{function: fn, since: now, at: now, met: map[string]*acquaintance{}, present: fn.Presence(now)}
	f.was = f.present.Count()
	f.ended, f.served = counted(fn)
	return f
}

func counted(fn *exchange.Function) (ended, served uint64) {
	stats := fn.Stats() // a call in the range would copy the counters, past their atomics
	for class := range stats.Exchanges {
		n := stats.Exchanges[class].Load()
		ended += n
		if class >= 1 && class <= 4 {
			served += n
		}
	}
	return ended, served
}

// turn ends a tick.
func (f *follower) turn(now time.Time) {
	ended, served := counted(f.function)
	present := f.function.Presence(now)
	there := present.Count()
	working, waiting := present.Since(f.present)
	f.ring[f.n%windowTicks] = ticked{
		inside: working, queue: waiting, over: now.Sub(f.at),
		offered: max(float64(ended-f.ended)+float64(there-f.was), 0), served: float64(served - f.served),
	}
	f.n++
	f.ended, f.served, f.was, f.at, f.present = ended, served, there, now, present
}

// recent sums up the last ticks.
func (f *follower) recent(ticks int) map[autoscale.Signal]float64 {
	var sum ticked
	for i := range min(ticks, f.n) {
		t := &f.ring[(f.n-1-i)%windowTicks]
		seconds := t.over.Seconds()
		sum.inside += t.inside * seconds
		sum.queue += t.queue * seconds
		sum.offered += t.offered
		sum.served += t.served
		sum.over += t.over
	}
	if sum.over <= 0 {
		return map[autoscale.Signal]float64{}
	}
	seconds := sum.over.Seconds()
	return map[autoscale.Signal]float64{
		autoscale.InFlight: sum.inside / seconds, autoscale.QueueLength: sum.queue / seconds,
		autoscale.OfferedRate: sum.offered / seconds, autoscale.ServedRate: sum.served / seconds,
	}
}

// signals are everything that is known now.
func (f *follower) signals(o *Observation, m Measured, now time.Time) autoscale.Signals {
	f.turn(now)
	f.service.look(&f.function.Stats().Latency, o.VersionSince, now)
	s := autoscale.Signals{
		Desired: o.Desired, Instances: o.Instances, Deploying: o.Deploying, VersionSince: o.VersionSince,
		Values: f.recent(windowTicks), Burst: f.recent(burstTicks), BreakerOpen: f.refuses(),
	}
	maps.Copy(s.Values, m.Function)
	_, oldest := f.function.Waiting(now)
	s.Values[autoscale.QueueAgeMS] = float64(oldest) / float64(time.Millisecond)
	s.Values[autoscale.IdleSeconds] = f.idle(o.VersionSince, now)
	f.meet(s.Instances, m, now)
	shareConnections(&s)
	return s
}

// refuses says whether the breaker keeps requests away.
func (f *follower) refuses() bool {
	b := f.function.Breaker()
	return b != nil && b.State() != breaker.Closed
}

// idle is how long nobody has asked for anything, and nobody is inside.
func (f *follower) idle(deployed, now time.Time) float64 {
	last := f.function.Stats().LastRequest()
	if f.was > 0 {
		f.busy = now // what takes long is a request for as long as it takes
	}
	for _, t := range []time.Time{f.busy, f.since, deployed} { // what was just made is not idle
		if last.Before(t) {
			last = t
		}
	}
	return max(now.Sub(last).Seconds(), 0)
}

// meet adds to instances what was measured of them, and calls those starting
// that were never ready, whatever became of them since: a health check that
// fails, or a process that is started again.
func (f *follower) meet(list []autoscale.Instance, m Measured, now time.Time) {
	met := map[string]*acquaintance{}
	for n := range list {
		i := &list[n]
		i.Values = m.Instances[i.ID]
		a := f.met[i.ID]
		if a == nil {
			a = &acquaintance{since: now}
		}
		met[i.ID] = a
		switch i.State {
		case autoscale.Ready:
			a.everReady = true
		case autoscale.Starting, autoscale.Unready:
			if !a.everReady {
				i.State, i.Since = autoscale.Starting, a.since
			} else {
				i.State = autoscale.Unready
			}
		case autoscale.Failed, autoscale.Draining:
		}
	}
	f.met = met
}

// shareConnections: they are the exchanges inside, shared among those that are ready. What
// health answers say of connections is as old as the last check. In the first
// decision nobody knows them yet.
func shareConnections(s *autoscale.Signals) {
	inside, ok := s.Values[autoscale.InFlight]
	if !ok {
		return
	}
	ready := 0
	for i := range s.Instances {
		if s.Instances[i].State == autoscale.Ready {
			ready++
		}
	}
	s.Values[autoscale.ActiveConnections] = inside / float64(max(ready, 1))
}
