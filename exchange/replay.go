package exchange

import "fmt"

// Replay runs the rules again on the recorded inputs and returns an error that
// names the first decision that comes out differently. A difference means that
// the rules changed since the record was made, or that they look at something
// the record does not hold, which is a bug.
func (r *Record) Replay() error {
	for k := range r.Visits[:r.V] {
		v := &r.Visits[k]
		if got := v.Place.Decide(); got != v.Verdict {
			return fmt.Errorf("admission to %s: recorded %s, replayed %s", v.Function.Name(), v.Verdict, got)
		}
	}
	for n := range r.Attempts[:r.N] {
		if err := r.replayAttempt(n); err != nil {
			return fmt.Errorf("attempt %d: %w", n+1, err)
		}
	}
	return nil
}

func (r *Record) replayAttempt(n int) error {
	a := &r.Attempts[n]
	if got := a.Pick.Replay(); got != a.Instance {
		id := "nobody"
		if got != nil {
			id = got.ID()
		}
		return fmt.Errorf("pick: recorded %s, replayed %s", a.Instance.ID(), id)
	}
	if a.policy != nil { // else it is still running, or the client left
		if d := a.policy.Decide(a.Retry); d != a.Decision {
			return fmt.Errorf("retry: recorded %q, replayed %q", a.Decision.Reason, d.Reason)
		}
	}
	if r.goesOn(n) && !a.Decision.Retry {
		return fmt.Errorf("retry: recorded %q, and yet there is another attempt", a.Decision.Reason)
	}
	return nil
}

// goesOn says whether attempt n is followed by another on the same function.
func (r *Record) goesOn(n int) bool {
	for k := range r.Visits[:r.V] {
		if int(r.Visits[k].First) == n+1 {
			return false
		}
	}
	return n+1 < int(r.N)
}
