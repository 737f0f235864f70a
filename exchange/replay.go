package exchange

import "fmt"

// Replay runs the rules again on the recorded inputs and returns an error that
// names the first decision that comes out differently. A difference means that
// the rules changed since the record was made, or that they look at something
// the record does not hold, which is a bug.
func (r *Record) Replay() error {
	if r.Function == nil {
		return nil
	}
	if v := r.Place.decide(); r.Joined == 0 && v != r.Verdict {
		return fmt.Errorf("admission: recorded %d, replayed %d", r.Verdict, v)
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
		return fmt.Errorf("pick: recorded %s, replayed %v", a.Instance.ID(), got)
	}
	if a.policy == nil {
		return nil // nothing was decided: it is still running, or the client left
	}
	if d := a.policy.Retry.Decide(a.Retry); d != a.Decision {
		return fmt.Errorf("retry: recorded %+v, replayed %+v", a.Decision, d)
	}
	return nil
}
