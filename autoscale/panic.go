package autoscale

import (
	"cmp"
	"time"
)

// Panic reacts to a few seconds (Signals.Burst) of far too much work. It needs
// InFlight there, and a Target for InFlight or a Capacity to know what an
// instance can have. It skips Up.Hold and Cooldown, and keeps what it asked for
// until it is over.
//
// What waits while instances start is not demand that stays: the queue counts
// as the instances it takes to work it off within Drain, and those that are
// starting already are not asked for again.
type Panic struct {
	Off bool `json:"off,omitempty"`
	// Factor is how many times more instances than are ready must be needed.
	// 0 is 2.
	Factor float64 `json:"factor,omitempty"`
	// For is how long panic lasts after the last time that was so. 0 is 60 s.
	For time.Duration `json:"for,omitempty"`
	// Drain is the time in which a queue shall be worked off. 0 is 10 s.
	Drain time.Duration `json:"drain,omitempty"`
}

func (p Panic) withDefaults() Panic {
	p.Factor = cmp.Or(p.Factor, 2)
	set(&p.For, time.Minute)
	set(&p.Drain, 10*time.Second)
	return p
}

func (p Panic) validate(add complain) {
	add(!finite(p.Factor) || p.Factor != 0 && p.Factor <= 1, "Panic.Factor must be more than 1, is %v", p.Factor)
	add(p.For < 0, "Panic.For must not be negative, is %s", p.For)
	add(p.Drain < 0, "Panic.Drain must not be negative, is %s", p.Drain)
}

func (d *deciding) byPanic() {
	share := d.share()
	if d.Panic.Off || share <= 0 {
		d.next.PanicUntil, d.next.PanicFloor = time.Time{}, 0
		return
	}
	inside, ok := d.in.Burst[InFlight]
	need := d.ready + d.starting
	if ok {
		need = whole(inside/share + d.backlog()/d.clears(share))
		if float64(need) >= d.Panic.Factor*float64(max(d.ready, 1)) && need > 1 {
			d.next.PanicUntil = d.now.Add(d.Panic.For)
		}
	}
	if !d.now.Before(d.next.PanicUntil) {
		d.next.PanicUntil, d.next.PanicFloor = time.Time{}, 0
		return
	}
	d.panicking = true
	// Those that start are part of what there is, so they are not asked for
	// twice. What is beyond the bounds is not worth keeping.
	d.next.PanicFloor = min(max(d.next.PanicFloor, d.current, need), d.high)
	d.add(Proposal{Rule: ByPanic, Signal: InFlight, Instances: d.next.PanicFloor, Value: inside, Limit: share},
		"panic: %.4g in flight and %.4g waiting need %d instances, %d are ready and %d starting", inside, d.backlog(), need, d.ready, d.starting)
}

// share is how many exchanges an instance can have at once; 0: not known.
func (d *deciding) share() float64 {
	for _, t := range d.Targets {
		if t.Signal == InFlight && t.kind() == Total {
			return t.Value
		}
	}
	if d.Capacity != nil {
		return float64(d.Capacity.Slots)
	}
	return 0
}

func (d *deciding) backlog() float64 {
	if n, ok := d.in.Burst[QueueLength]; ok {
		return max(n, 0)
	}
	return max(d.in.Values[QueueLength], 0)
}

// clears is how much of a queue an instance works off within Drain.
func (d *deciding) clears(share float64) float64 {
	ms, _, ok := d.in.value(ServiceTimeMS)
	if !ok || ms <= 0 {
		return share
	}
	return max(share*float64(d.Panic.Drain/time.Millisecond)/ms, share)
}
