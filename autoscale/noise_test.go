package autoscale_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast/autoscale"
)

const (
	noiseTick = 15 * time.Second
	noiseBoot = 30 * time.Second
)

// load is a function under a demand, with instances that take a while to start.
// Its numbers lag by nothing and are as noisy as asked for.
type load struct {
	policy autoscale.Policy
	state  autoscale.State
	// signals makes what is measured of a demand, as the number of instances it
	// keeps busy.
	signals func(demand float64, ready int) map[autoscale.Signal]float64

	desired int
	booted  []time.Time // of each instance; in the future: it starts
	changes []autoscale.Change
}

func (l *load) tick(demand float64, now time.Time) {
	in := autoscale.Signals{Desired: l.desired}
	ready := l.ready(now)
	for _, t := range l.booted {
		i := autoscale.Instance{ID: "i", State: autoscale.Ready, Since: t}
		if t.After(now) {
			i.State, i.Since = autoscale.Starting, t.Add(-noiseBoot)
		}
		in.Instances = append(in.Instances, i)
	}
	in.Values = l.signals(demand, ready)
	d := autoscale.Decide(l.policy, l.state, in, now)
	l.state = d.Next
	if n := d.Target(); n != l.desired {
		l.changes = append(l.changes, autoscale.Change{At: now, From: l.desired, To: n})
		l.desired = n
	}
	for len(l.booted) < l.desired {
		l.booted = append(l.booted, now.Add(noiseBoot))
	}
	l.booted = l.booted[:l.desired]
}

func (l *load) ready(now time.Time) int {
	n := 0
	for _, t := range l.booted {
		if !t.After(now) {
			n++
		}
	}
	return n
}

// follow lets 2 hours pass with noise around a level, and 20 minutes more in
// which the demand is three times as high and noisy too.
func follow(t *testing.T, l *load, level, noise float64) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	noisy := func(v float64) float64 { return v * (1 + noise*(2*r.Float64()-1)) }
	begin := at(0)
	l.desired = 1
	l.booted = []time.Time{begin.Add(-time.Hour)}
	for now := begin.Add(-10 * time.Minute); now.Before(begin); now = now.Add(noiseTick) {
		l.tick(level, now)
	}
	l.changes = nil
	step := begin.Add(2 * time.Hour)
	under, ticks, followed := 0, 0, time.Time{}
	for now := begin; now.Before(step.Add(20 * time.Minute)); now = now.Add(noiseTick) {
		demand := noisy(level)
		if !now.Before(step) {
			demand = noisy(3 * level)
		}
		if float64(l.ready(now)) < demand {
			under++
		}
		ticks++
		l.tick(demand, now)
		if followed.IsZero() && !now.Before(step) && float64(l.ready(now)) >= 3*level {
			followed = now
		}
		if now.Before(step) && now.Add(noiseTick).Equal(step) && len(l.changes) > 4 {
			t.Errorf("%d changes in 2 hours of noise: %v", len(l.changes), l.changes)
		}
	}
	if took := followed.Sub(step); followed.IsZero() || took > noiseBoot+2*noiseTick {
		t.Errorf("the step was followed after %s, want %s", took, noiseBoot+2*noiseTick)
	}
	if share := float64(under) / float64(ticks); share >= 0.02 {
		t.Errorf("too few instances for %.2f %% of the time", 100*share)
	}
}

// Every level is where a number of instances just suffices.
func TestNoiseOnABoundaryChangesLittleAndAStepIsFollowed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy  func() autoscale.Policy
		signals func(demand float64, ready int) map[autoscale.Signal]float64
		level   float64
	}{
		"in flight": {
			func() autoscale.Policy {
				return autoscale.Policy{Min: 1, Max: 40, Targets: []autoscale.Target{{Signal: autoscale.InFlight, Value: 7}}}
			},
			func(demand float64, _ int) map[autoscale.Signal]float64 {
				return map[autoscale.Signal]float64{autoscale.InFlight: 10 * demand}
			},
			2.8,
		},
		"capacity": {
			func() autoscale.Policy {
				return autoscale.Policy{Min: 1, Max: 40, Capacity: &autoscale.Capacity{Slots: 10}}
			},
			func(demand float64, _ int) map[autoscale.Signal]float64 {
				return map[autoscale.Signal]float64{autoscale.OfferedRate: 100 * demand, autoscale.ServiceTimeMS: 100}
			},
			2.3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, noise := range []float64{0.05, 0.1, 0.2} {
				follow(t, &load{policy: c.policy(), signals: c.signals}, c.level, noise)
			}
		})
	}
}

// The default thresholds add one instance and rest for five minutes, so that
// they follow a step slowly; noise moves them as little.
func TestNoiseOnTheThresholdsOfTheProfilesChangesLittle(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]autoscale.Policy{"function": autoscale.FunctionPolicy(), "service": autoscale.ServicePolicy()} {
		for _, edge := range []float64{p.Thresholds.Up[autoscale.CPUPercent], p.Thresholds.Down[autoscale.CPUPercent]} {
			r := rand.New(rand.NewPCG(3, 4))
			l := &load{policy: p, desired: 2, booted: []time.Time{at(-time.Hour), at(-time.Hour)}}
			l.signals = func(demand float64, ready int) map[autoscale.Signal]float64 {
				return map[autoscale.Signal]float64{
					autoscale.CPUPercent: min(100*demand/float64(max(ready, 1)), 100), autoscale.MemoryPercent: 20, autoscale.ActiveConnections: 5,
					autoscale.ResponseTimeMS: 100, autoscale.ErrorRatePercent: 0, autoscale.IdleSeconds: 0,
				}
			}
			for now := at(0); now.Before(at(2 * time.Hour)); now = now.Add(noiseTick) {
				l.tick(2*edge/100*(1+0.1*r.NormFloat64()), now)
			}
			if len(l.changes) > 4 {
				t.Errorf("%s around %v %%: %d changes: %v", name, edge, len(l.changes), l.changes)
			}
			if edge > 50 && math.Abs(float64(l.desired)-3) > 0 {
				t.Errorf("%s around %v %%: %d instances, want 3", name, edge, l.desired)
			}
		}
	}
}
