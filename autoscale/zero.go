package autoscale

import "slices"

// byZero proposes none when nobody needs any, and one when somebody waits and
// there is none. The first decision counts as a request, and so does work that
// only a signal of your own knows of: what was just made is not taken away.
func (d *deciding) byZero() {
	if d.work != "" && !slices.Contains(Standard(), d.work) {
		d.next.Worked = d.now
	}
	if d.current == 0 {
		d.wake()
		return
	}
	if d.low > 0 || d.current > 1 || d.Down.Never {
		return
	}
	idle, _, ok := d.in.value(IdleSeconds)
	after := d.Zero.After
	switch inside, known := d.in.Values[InFlight]; {
	case !ok:
		d.missed(ByZero, IdleSeconds)
	case !known:
		d.missed(ByZero, InFlight)
	case inside > 0 || d.in.Values[QueueLength] > 0:
		d.add(Proposal{Rule: ByZero, Signal: InFlight, Instances: 1, Value: inside}, "there are requests inside")
	case d.work != "":
		d.add(Proposal{Rule: ByZero, Signal: d.work, Instances: 1}, "%s asks for an instance", d.work)
	case d.now.Sub(d.next.Worked) < after:
		d.add(Proposal{Rule: ByZero, Instances: 1}, "there was work of another kind less than %s ago", after)
	case idle < after.Seconds() || d.now.Sub(d.next.Since) < after:
		d.add(Proposal{Rule: ByZero, Signal: IdleSeconds, Instances: 1, Value: idle, Limit: after.Seconds()}, "not idle for %s yet", after)
	default:
		d.add(Proposal{Rule: ByZero, Signal: IdleSeconds, Value: idle, Limit: after.Seconds()}, "nobody asked for anything for %.0f s", idle)
	}
}

// wake asks for the first instance. Nothing but the bounds, the budget and the
// mode may stand against it: somebody is waiting.
func (d *deciding) wake() {
	if idle, _, ok := d.in.value(IdleSeconds); ok && idle >= d.Zero.After.Seconds() {
		return // the averages still know of requests that are long over
	}
	for _, name := range []Signal{QueueLength, InFlight, OfferedRate} {
		v := max(d.in.Values[name], d.in.Burst[name])
		if v > 0 {
			d.waking = true
			d.add(Proposal{Rule: ByZero, Signal: name, Instances: 1, Value: v}, "somebody waits, and there is no instance")
			return
		}
	}
}
