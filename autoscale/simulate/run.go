package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"holdfast/autoscale"
)

// Run is one rehearsal: a policy on a trace in a world.
type Run struct {
	Policy autoscale.Policy
	// Around is what the policy is told besides.
	Around Around
	Trace  *Trace
	World  World
	// Seed is what all randomness comes from.
	Seed uint64
	// Decided is told every decision, in order; may be nil.
	Decided func(d *autoscale.Decision)
	// Each is called before every tick; an error ends the run with it. May be nil.
	Each func() error
	// Timeline keeps what happened step by step in the Outcome.
	Timeline bool
}

// Do simulates. It fails on a policy, world or trace that makes no sense.
func (r Run) Do() (*Outcome, error) {
	if err := r.Policy.Validate(); err != nil {
		return nil, fmt.Errorf("simulate policy: %w", err)
	}
	if err := r.World.Validate(); err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	if len(r.Trace.Counts) == 0 || r.Trace.Step <= 0 {
		return nil, fmt.Errorf("simulate: %s has no steps", r.Trace.Name)
	}
	s := newSimulation(r)
	for now := 0.0; now < s.end; now += s.tick {
		if r.Each != nil {
			if err := r.Each(); err != nil {
				return nil, fmt.Errorf("simulate: %w", err)
			}
		}
		s.decide(now)
		s.pass(now, min(now+s.tick, s.end))
	}
	return s.count.outcome(s), nil
}

// simulation is a run under way. Times are seconds after the begin of the
// trace.
type simulation struct {
	Run

	world     World
	tick, end float64
	fleet     fleet
	queue     *queue
	fluid     *fluid
	flowing   bool // the fluid has what waits
	meter     *meter
	desired   int
	state     autoscale.State
	flow      flow // of the tick
	lane      []float64
	power     float64 // of the slots, in the last piece
	last      float64
	count     *counting

	values, burst map[autoscale.Signal]float64 // of one decision after the other
}

func newSimulation(r Run) *simulation {
	w := r.World.withDefaults()
	chance := func(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(r.Seed, stream)) } //nolint:gosec // it shall be the same again
	s := &simulation{
		Run: r, world: w, tick: w.Tick.Seconds(), end: r.Trace.Length().Seconds(),
		fleet: fleet{chance: chance(1), speeds: chance(4), since: r.Trace.Begin},
		queue: newQueue(&w, chance(2), chance(5)), fluid: newFluid(&w, chance(3)), meter: newMeter(&w),
		values: map[autoscale.Signal]float64{}, burst: map[autoscale.Signal]float64{},
	}
	s.queue.world, s.fluid.world, s.fleet.world = &s.world, &s.world, &s.world
	s.desired = s.initial()
	for range s.desired {
		s.fleet.ready = append(s.fleet.ready, s.fleet.run(-w.SlowStart.Seconds()))
	}
	s.fleet.spares = make([]booting, w.Spares)
	s.count = newCounting(s)
	return s
}

// initial is what the first step needs, within the bounds: a function that is
// found running.
func (s *simulation) initial() int {
	n := int(math.Ceil(s.Trace.Rate(0)/s.world.PerInstance()/0.7 - 1e-9))
	return min(max(n, s.Policy.Min, 1), max(s.Policy.Max, s.Policy.Min, 1))
}

// decide asks the policy. Before anything was measured there is nothing to
// decide.
func (s *simulation) decide(now float64) {
	s.fleet.advance(now)
	recent, ok := s.meter.recent(s.meter.window)
	if !ok {
		return
	}
	recent.values(s.values, &s.world, now, len(s.fleet.ready))
	in := autoscale.Signals{Desired: s.desired, Instances: s.fleet.instances(), Values: s.values}
	if !s.Policy.Panic.Off { // nothing else looks at it
		burst, _ := s.meter.recent(1)
		burst.values(s.burst, &s.world, now, len(s.fleet.ready))
		in.Burst = s.burst
	}
	s.surround(&in, now)
	d := autoscale.Decide(s.Policy, s.state, in, s.fleet.at(now))
	s.state = d.Next
	if s.Decided != nil {
		told := d // so that what is not told stays on the stack
		s.Decided(&told)
	}
	if n := d.Target(); n != s.desired {
		s.count.changed(s.desired, n, now)
		s.desired = n
		s.fleet.set(n, now)
	}
}

// pass lets a tick pass, in pieces in which nothing changes.
func (s *simulation) pass(now, until float64) {
	s.flow.begin(s.last)
	for now < until {
		s.fleet.advance(now)
		step := s.step(now)
		to := s.fleet.next(now, min(until, float64(step+1)*s.Trace.Step.Seconds()))
		s.piece(now, to, s.Trace.Rate(step))
		now = to
	}
	if !s.flowing {
		s.flow.age = s.queue.age(until)
	}
	s.last = s.flow.last
	s.meter.add(&s.flow)
}

// step is the one of the trace that a time is in.
func (s *simulation) step(now float64) int {
	return min(int(now/s.Trace.Step.Seconds()+1e-9), len(s.Trace.Counts)-1)
}

// piece simulates a time in which rate and instances stay what they are.
func (s *simulation) piece(now, to, rate float64) {
	before := s.flow.amounts
	ready := len(s.fleet.ready)
	discrete := ready < discreteBelow && rate*s.tick <= float64(s.world.Discrete)
	s.change(discrete, now)
	slots, power := s.lanes(now)
	if discrete {
		s.queue.advance(now, to, slots, rate, &s.flow)
	} else {
		s.fluid.advance(now, to, slots, power, rate, &s.flow)
	}
	s.flow.seconds += to - now
	s.flow.slots += float64(slots) * (to - now)
	s.power = power
	s.count.add(s, now, to, rate, discrete, amounts{
		offered: s.flow.offered - before.offered, late: s.flow.late - before.late, lost: s.flow.lost - before.lost,
	})
}

// lanes are the slots there are now and what they can do together: as much as so
// many of speed 1.
func (s *simulation) lanes(now float64) (slots int, power float64) {
	if !s.world.uneven() {
		slots = len(s.fleet.ready) * s.world.Slots
		return slots, float64(slots)
	}
	s.lane = s.fleet.lanes(s.lane[:0], now)
	s.queue.lanes(s.lane)
	for _, speed := range s.lane {
		power += speed
	}
	return len(s.lane), power
}

// change hands over what waits between the two ways to simulate.
func (s *simulation) change(discrete bool, now float64) {
	if discrete != s.flowing {
		return
	}
	s.flowing = !discrete
	if discrete {
		ready := float64(len(s.fleet.ready) * s.world.Slots)
		under := min(s.flow.inside/max(s.flow.seconds, s.tick), ready)
		if last, ok := s.meter.recent(1); ok && s.flow.seconds == 0 {
			under = min(last.inside/last.seconds, ready)
		}
		rest := s.fluid.waiting
		s.fluid.waiting = 0
		oldest := s.world.Patience.Seconds()
		if ready > 0 {
			oldest = min(oldest, rest*s.world.Service.Seconds()/ready)
		}
		s.queue.take(now, under, rest, oldest)
		return
	}
	s.fluid.waiting = float64(s.queue.length())
	s.queue.waiting, s.queue.head, s.queue.busy = s.queue.waiting[:0], 0, s.queue.busy[:0]
}

// wall is a time of the simulation as that of the trace.
func (s *simulation) wall(now float64) time.Time { return s.fleet.at(now) }
