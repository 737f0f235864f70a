package scaler

import (
	"slices"
	"time"

	"holdfast/autoscale"
)

// view keeps the decisions about a function. Guarded by the Scaler's mu.
type view struct {
	latest  autoscale.Decision
	earlier []autoscale.Decision // a ring
	n       int                  // that were ever put in
	kept    time.Time            // when one was last told of
}

const (
	// keptDecisions bounds what is remembered of a function.
	keptDecisions = 32
	// often is how often a mere change of reasons is worth keeping.
	often = time.Minute
)

// keep remembers a decision and says whether it is worth telling.
func (s *Scaler) keep(function string, d *autoscale.Decision) (worth bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.views[function]
	first := v == nil
	if first {
		v = &view{}
		s.views[function] = v
	}
	same := !first && d.Same(&v.latest)
	changes := d.Result != d.Current || first || d.Incident != v.latest.Incident
	v.latest = *d
	if same {
		return false
	}
	v.put(d)
	if !changes && d.At.Sub(v.kept) < often {
		return false
	}
	v.kept = d.At
	return true
}

func (v *view) put(d *autoscale.Decision) {
	if len(v.earlier) < keptDecisions {
		v.earlier = append(v.earlier, *d)
	} else {
		v.earlier[v.n%keptDecisions] = *d
	}
	v.n++
}

// list returns those kept, the oldest first.
func (v *view) list() []autoscale.Decision {
	if len(v.earlier) < keptDecisions {
		return slices.Clone(v.earlier)
	}
	at := v.n % keptDecisions
	return slices.Concat(v.earlier[at:], v.earlier[:at])
}
