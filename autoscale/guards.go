package autoscale

import (
	"slices"
	"time"
)

// Guards say when load is not what it looks like. All are on.
type Guards struct {
	// VersionIsNew is how long a version is to blame for its errors. 0 is 10 min.
	VersionIsNew time.Duration `json:"version_is_new,omitempty"`
	// Settle is how long added instances may take to show an effect, once they
	// are ready. 0 is 1 min.
	Settle time.Duration `json:"settle,omitempty"`
	// TryAgain is after how long without an effect more are tried again. 0 is
	// 15 min.
	TryAgain time.Duration `json:"try_again,omitempty"`
}

const second = time.Second

func (g Guards) withDefaults() Guards {
	set(&g.VersionIsNew, 10*time.Minute)
	set(&g.Settle, time.Minute)
	set(&g.TryAgain, 15*time.Minute)
	return g
}

// dismiss takes proposals out of account that are no signs of load.
func (d *deciding) dismiss() {
	d.incident = d.looksLikeIncident()
	saturated, useless := d.saturated(), false
	for i := range d.proposals {
		p := &d.proposals[i]
		if p.Instances <= d.current {
			continue
		}
		switch {
		case p.Signal == ErrorRatePercent && d.incident != "":
			p.Dismissed = ByIncident
		case saturated && p.Rule != ByZero && slices.Contains(congestion(), p.Signal):
			p.Dismissed = BySaturation
			useless = true
		}
	}
	if d.incident == "" && useless {
		d.incident = "more instances did not help: something behind them is the limit"
	}
}

// congestion are the signals that grow as well when something behind the
// instances is slow.
func congestion() []Signal {
	return []Signal{ResponseTimeMS, InFlight, QueueLength, QueueAgeMS, ActiveConnections}
}

// looksLikeIncident says why errors are not load.
func (d *deciding) looksLikeIncident() string {
	limit, used := d.Thresholds.Up[ErrorRatePercent]
	v, _, ok := d.in.value(ErrorRatePercent)
	switch {
	case !used || !ok || v <= limit:
		return ""
	case d.in.BreakerOpen:
		return "requests fail and the breaker is open: instances are not what is missing"
	case d.in.Deploying:
		return "requests fail during a deploy"
	case !d.in.VersionSince.IsZero() && d.now.Sub(d.in.VersionSince) < d.Guards.VersionIsNew:
		return "requests fail since a new version came"
	}
	return ""
}

// saturated: instances were added and are ready, responses take as long as
// before, and no more of them are served. That alone is nothing bad, a steady
// load looks the same; it is when still more are wanted because of it.
func (d *deciding) saturated() bool {
	was := d.next.LastUp
	if was == nil {
		return false
	}
	since := d.now.Sub(was.At)
	if since >= d.Guards.TryAgain {
		d.next.LastUp = nil
		return false
	}
	served, _, okServed := d.in.value(ServedRate)
	response, _, okResponse := d.in.value(ResponseTimeMS)
	t := d.tolerance()
	return okServed && okResponse && was.Served > 0 && since >= d.Guards.Settle && d.starting == 0 && d.ready > was.Ready &&
		served <= was.Served*(1+t) && response >= was.Response*(1-t)
}

// guard keeps a wish from doing harm.
func (d *deciding) guard(want int) int {
	want = d.notUnknown(want)
	switch {
	case want == d.current || d.waking:
		return want
	case d.in.Deploying:
		return d.constrain(ByDeploy, want, d.current, "nothing is changed while instances are being replaced")
	case want > d.current:
		return d.notHopeless(want)
	case d.incident != "":
		return d.constrain(ByIncident, want, d.current, "nothing is removed during an incident: %s", d.incident)
	case d.booting() > 0:
		return d.constrain(ByBooting, want, d.current, "%d instances are still starting", d.booting())
	}
	return want
}

// notUnknown removes nothing while a signal is unknown.
func (d *deciding) notUnknown(want int) int {
	if want >= d.current {
		return want
	}
	for i := range d.proposals {
		if p := &d.proposals[i]; p.Missing {
			return d.constrain(ByMissing, want, d.current, "%s is unknown, so nothing is removed", p.Signal)
		}
	}
	return want
}

// notHopeless adds nothing to instances that do not start: the next ones would
// not either.
func (d *deciding) notHopeless(want int) int {
	stuck, newest := 0, ""
	for i := range d.in.Instances {
		if in := &d.in.Instances[i]; d.stuck(in) {
			stuck, newest = stuck+1, in.Version
		}
	}
	if stuck == 0 {
		return want
	}
	ready := 0
	for i := range d.in.Instances {
		if in := &d.in.Instances[i]; (in.State == Ready || in.State == Unready) && in.Version == newest {
			ready++
		}
	}
	if stuck < ready {
		return want
	}
	return d.constrain(ByNeverReady, want, d.current, "%d instances do not start, more would not either", stuck)
}

func (d *deciding) stuck(in *Instance) bool {
	late := in.State == Starting && !in.Since.IsZero() && d.now.Sub(in.Since) > 2*d.Boot
	return in.State == Failed || late
}

// booting counts those that may still become ready.
func (d *deciding) booting() int {
	n := 0
	for i := range d.in.Instances {
		if in := &d.in.Instances[i]; in.State == Starting && !d.stuck(in) {
			n++
		}
	}
	return n
}
