package fault

import (
	"math/rand/v2"
	"time"
)

// plan is what one set of faults means for one connection.
type plan struct {
	set    *set
	since  time.Time
	struck map[string]bool // by text, so that a fault which stays is told of once
	resets []Fault         // that need no bytes to pass
	up     lanePlan
	down   lanePlan
}

// lanePlan is what it means for one direction. Its dice belong to the direction's writer.
type lanePlan struct {
	changed <-chan struct{}
	delays  []drawn
	slices  []drawn
	ends    []Fault // Limit and Reset after so many bytes
	rate    int64   // the lowest; 0: any
	hold    bool    // blackhole
	swallow bool    // half-open
}

type drawn struct {
	Fault
	dice *rand.Rand
}

// planFor decides which faults hit connection id, and reports those that did not before.
func planFor(s *set, seed, id uint64, before map[string]bool, now time.Time) (p *plan, fresh []Fault) {
	p = &plan{set: s, since: now, struck: make(map[string]bool, len(s.faults))}
	p.up.changed, p.down.changed = s.changed, s.changed
	for _, f := range s.faults {
		text := f.String()
		if !Strikes(f.Percent, Dice(seed, id, text)) {
			continue
		}
		if !p.struck[text] && !before[text] {
			fresh = append(fresh, f)
		}
		p.struck[text] = true
		if f.Kind == Reset && f.Bytes == 0 {
			p.resets = append(p.resets, f)
			continue
		}
		if f.Direction.covers(Up) {
			p.up.add(f, Dice(seed, id, text+" up"))
		}
		if f.Direction.covers(Down) {
			p.down.add(f, Dice(seed, id, text+" down"))
		}
	}
	return p, fresh
}

func (l *lanePlan) add(f Fault, dice *rand.Rand) {
	switch f.Kind {
	case Latency:
		l.delays = append(l.delays, drawn{f, dice})
	case Slice:
		l.slices = append(l.slices, drawn{f, dice})
	case Bandwidth:
		if l.rate == 0 || f.Rate < l.rate {
			l.rate = f.Rate
		}
	case Limit, Reset:
		l.ends = append(l.ends, f)
	case Blackhole:
		l.hold = true
	case HalfOpen:
		l.swallow = true
	}
}

func (p *plan) lane(way Direction) *lanePlan {
	if way == Up {
		return &p.up
	}
	return &p.down
}

// delay draws how much later some bytes arrive.
func (l *lanePlan) delay() (d time.Duration) {
	for _, f := range l.delays {
		d += f.Delay.Draw(f.dice)
	}
	return d
}

// paceStep is how much time one piece may take at a limited rate: smaller is smoother, and dearer.
const paceStep = 20 * time.Millisecond

// piece says how many of n bytes to write next, and for how long to pause behind them if more follow.
func (l *lanePlan) piece(n int, passed int64) (size int, pause time.Duration) {
	for _, f := range l.slices {
		want := f.Bytes
		if f.Spread > 0 {
			want += f.dice.Int64N(2*f.Spread+1) - f.Spread
		}
		if want < int64(n) {
			n = int(want)
		}
		pause = max(pause, f.Delay.Mean)
	}
	if l.rate > 0 {
		n = int(min(int64(n), max(1, l.rate/int64(time.Second/paceStep))))
	}
	for _, f := range l.ends {
		n = int(min(int64(n), max(0, f.Bytes-passed)))
	}
	return n, pause
}

// ended returns the fault that ends the connection after so many bytes.
func (l *lanePlan) ended(passed int64) (f Fault, ok bool) {
	for _, f := range l.ends {
		if passed >= f.Bytes {
			return f, true
		}
	}
	return Fault{}, false
}

// resetDue returns which reset comes first, and when.
func (p *plan) resetDue() (f Fault, at time.Time, ok bool) {
	for _, r := range p.resets {
		if t := p.since.Add(r.Delay.Mean); !ok || t.Before(at) {
			f, at, ok = r, t, true
		}
	}
	return f, at, ok
}
