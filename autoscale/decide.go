package autoscale

import (
	"fmt"
	"time"
)

// Decide says how many instances there should be. It is pure: it changes none
// of its arguments and depends on nothing else. The package comment says in
// which order things count.
func Decide(p Policy, s State, in Signals, now time.Time) Decision {
	var d deciding // stays on the stack
	d.begin(&p, &s, &in, now)
	d.propose()
	d.dismiss()
	wanted := d.largest()
	wish := d.guard(wanted)
	d.next.wish(Wish{d.now, wish}, d.Up.Hold, d.Down.Hold)
	result := d.settle(wish)

	out := Decision{
		At: d.now, Current: d.current, Result: result, Act: d.acts(),
		Ready: d.ready, Starting: d.starting, Min: d.low, Max: d.high,
		Proposals: d.proposals, Wanted: wanted, Constraints: d.constraints, Incident: d.incident,
		Inputs: Inputs{d.Policy, d.before, d.in, d.now},
	}
	out.Rule, out.Reason = d.because(result)
	if f := d.in.Forecast; f != nil {
		d.constraints = nil // those are of the decision, not of what might have been
		out.Forecast = &Outlook{*f, d.settle(d.guard(max(wanted, min(f.Instances, maxInstances))))}
	}
	out.Next = d.next
	return out
}

// deciding is one decision being made.
type deciding struct {
	Policy

	before, next State
	in           Signals
	now          time.Time

	current, ready, starting int
	low, high                int

	proposals   []Proposal
	constraints []Constraint
	incident    string
	panicking   bool
	waking      bool   // somebody waits, and there is no instance
	work        Signal // whose target sees work that is worth the last instance
}

func (d *deciding) begin(p *Policy, s *State, in *Signals, now time.Time) {
	d.Policy, d.before, d.in, d.now = p.withDefaults(), s.clone(), in.normal(), plain(now)
	d.next = d.before // whose lists are replaced, never changed
	d.current = d.in.Desired
	d.ready, d.starting = d.in.count(Ready), d.in.count(Starting)
	if len(d.in.Instances) == 0 {
		d.ready = d.current
	}
	d.low, d.high = d.bounds()
	d.next.see(&d.in, d.now)
	d.next.Spent.add(&d.before, d.now)
}

// propose lets every rule say what it wants.
func (d *deciding) propose() {
	d.byThresholds()
	for _, t := range d.Targets {
		d.byTarget(t)
	}
	d.byCapacity()
	d.byPanic()
	d.byZero()
}

// add notes a proposal. Only byZero takes the last instance away.
func (d *deciding) add(p Proposal, format string, args ...any) {
	p.Reason = fmt.Sprintf(format, args...)
	if p.Rule != ByZero && d.current > 0 {
		p.Instances = max(p.Instances, 1)
	}
	d.proposals = append(d.proposals, p)
}

// missed notes that a rule's signal is unknown.
func (d *deciding) missed(rule Rule, name Signal) {
	d.add(Proposal{Rule: rule, Signal: name, Instances: d.current, Missing: true}, "%s is unknown", name)
}

// largest is what the rules want together. A dismissed proposal wants what
// there is. The last instance goes only when no other rule wants two.
func (d *deciding) largest() int {
	want, lastGoes := 0, false
	known := 0
	for i := range d.proposals {
		p := &d.proposals[i]
		if !p.Missing {
			known++
		}
		switch {
		case p.Missing: // what it forbids comes later, see notUnknown
		case p.Rule == ByZero && p.Instances == 0:
			lastGoes = true
		case p.Dismissed != "":
			want = max(want, min(p.Instances, d.current))
		default:
			want = max(want, p.Instances)
		}
	}
	switch {
	case lastGoes && want <= 1:
		return 0
	case known == 0:
		return d.current
	}
	return want
}

// constrain notes what stands against a wish, if it does, and returns what is
// left of it.
func (d *deciding) constrain(rule Rule, from, to int, format string, args ...any) int {
	if from != to {
		d.constraints = append(d.constraints, Constraint{rule, from, to, fmt.Sprintf(format, args...)})
	}
	return to
}

// settle takes a wish through everything that may stand against it.
func (d *deciding) settle(want int) int {
	want = d.held(want)
	want = d.rated(want)
	want = d.cooled(want)
	want = d.unflapped(want)
	want = d.woken(want)
	want = d.afforded(want)
	want = d.moded(want)
	return d.bounded(want)
}

// bounded keeps to the bounds, whatever was said before.
func (d *deciding) bounded(want int) int {
	return d.constrain(ByBounds, want, max(d.low, min(d.high, want)), "%d to %d instances are allowed", d.low, d.high)
}

// bounds are the policy's, moved by the schedules in force.
func (d *deciding) bounds() (low, high int) {
	low, high = d.Min, max(d.Max, d.Min)
	floor, ceiling := 0, 0
	for _, name := range d.in.Schedules {
		for _, s := range d.Schedules {
			if s.Name == name {
				floor, ceiling = max(floor, s.Min), max(ceiling, s.Max)
			}
		}
	}
	if ceiling > 0 {
		high = max(low, min(high, ceiling))
	}
	return min(max(low, floor), high), high
}

// because names what the result comes from.
func (d *deciding) because(result int) (Rule, string) {
	if n := len(d.constraints); n > 0 {
		c := d.constraints[n-1]
		return c.Rule, c.Reason
	}
	var best *Proposal
	for i := range d.proposals {
		p := &d.proposals[i]
		if p.Instances == result && !p.Missing && p.Dismissed == "" && result != d.current && best == nil {
			best = p
		}
	}
	if best == nil {
		return ByNothing, "nothing is to be changed"
	}
	return best.Rule, best.Reason
}
