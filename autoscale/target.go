package autoscale

import (
	"math"
	"slices"
)

// byTarget proposes what keeps a signal at its target, as the Kubernetes
// Horizontal Pod Autoscaler calculates it (pkg/controller/podautoscaler,
// replica_calculator.go).
func (d *deciding) byTarget(t Target) {
	if t.Value <= 0 {
		return // Validate refuses it
	}
	switch t.kind() {
	case Mean:
		if v, ok := d.in.Values[t.Signal]; ok {
			d.byRatio(t, v)
		} else {
			d.byMean(t)
		}
	case Ratio:
		if v, _, ok := d.in.value(t.Signal); ok {
			d.byRatio(t, v)
		} else {
			d.missed(ByTarget, t.Signal)
		}
	case Total, Automatic:
		d.byTotal(t)
	}
}

func (d *deciding) target(t Target, n int, v float64, reason string) {
	if d.asksForWork(t, v) {
		d.work = t.Signal
	}
	d.add(Proposal{Rule: ByTarget, Signal: t.Signal, Instances: n, Value: v, Limit: t.Value}, "%s is %.4g of %.4g: %s", t.Signal, v, t.Value, reason)
}

// asksForWork says whether a target is worth the last instance: it is about work
// that waits, be it little. What tells how answers are, or how instances fare, is
// not; of what each instance says a share within tolerance is not either, since it
// is rarely nothing at all.
func (d *deciding) asksForWork(t Target, v float64) bool {
	switch {
	case t.Signal == ResponseTimeMS || t.Signal == ErrorRatePercent || slices.Contains(ofInstances(), t.Signal):
		return false
	case t.kind() == Mean:
		return v > t.Value*d.tolerance()
	}
	return v > 0
}

// byRatio: with one number for all, as many times more instances as the number
// is too large; from none, as many as it is too large.
func (d *deciding) byRatio(t Target, v float64) {
	ratio := v / t.Value
	if d.current == 0 {
		if d.asksForWork(t, v) {
			d.target(t, whole(ratio), v, "in proportion")
		}
		return
	}
	if d.tolerated(ratio) {
		d.target(t, d.current, v, "within tolerance")
		return
	}
	d.target(t, whole(ratio*float64(d.ready)), v, "in proportion")
}

// byTotal: with a sum, as many instances as it takes.
func (d *deciding) byTotal(t Target) {
	v, ok := d.in.Values[t.Signal]
	if !ok && !d.in.isZero(t.Signal) {
		d.missed(ByTarget, t.Signal)
		return
	}
	if n := max(d.current, d.ready); n > 0 && d.tolerated(v/(t.Value*float64(n))) {
		d.target(t, d.current, v, "within tolerance")
		return
	}
	d.target(t, whole(v/t.Value), v, "in proportion")
}

// byMean works on the signals of instances. Those that start or say nothing are
// assumed to be at rest when instances are missing and busy when there are too
// many, and the proposal must not turn round because of that.
func (d *deciding) byMean(t Target) {
	var sum float64
	n, silent, unready := 0, 0, 0
	for i := range d.in.Instances {
		in := &d.in.Instances[i]
		v, said := in.Values[t.Signal]
		switch {
		case in.State == Draining || in.State == Failed:
		case in.State != Ready:
			unready++
		case said:
			sum, n = sum+v, n+1
		default:
			silent++
		}
	}
	if n == 0 {
		d.meanOfNone(t, unready+silent)
		return
	}
	mean := sum / float64(n)
	ratio := mean / t.Value
	if silent == 0 && (ratio <= 1 || unready == 0) {
		if d.tolerated(ratio) {
			d.target(t, d.current, mean, "within tolerance")
		} else {
			d.target(t, whole(ratio*float64(n)), mean, "in proportion")
		}
		return
	}
	d.meanAssumed(t, sum, n, silent, unready)
}

// meanOfNone: where there is no instance at all nothing is missing either.
func (d *deciding) meanOfNone(t Target, others int) {
	if d.current == 0 && others == 0 {
		return
	}
	if v, _, ok := d.in.value(t.Signal); ok {
		d.target(t, 0, v, "no instance was ever ready, and nobody asks")
		return
	}
	d.missed(ByTarget, t.Signal)
}

func (d *deciding) meanAssumed(t Target, sum float64, n, silent, unready int) {
	mean := sum / float64(n)
	ratio, all := mean/t.Value, n+silent
	if ratio > 1 {
		all += unready
	} else {
		sum += float64(silent) * t.Value
	}
	assumed := sum / (float64(all) * t.Value)
	wanted := whole(assumed * float64(all))
	turned := ratio > 1 && assumed < 1 || ratio < 1 && assumed > 1 || assumed < 1 && wanted > d.current || assumed > 1 && wanted < d.current
	if turned || d.tolerated(assumed) {
		d.target(t, d.current, mean, "enough with those that start or say nothing")
		return
	}
	d.target(t, wanted, mean, "in proportion, others assumed")
}

func (d *deciding) tolerated(ratio float64) bool { return math.Abs(ratio-1) <= d.tolerance()+crumb }
