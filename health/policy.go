package health

import (
	"fmt"
	"time"
)

// Policy says how often a target is checked and how many results change the
// verdict. The zero value is the default policy.
type Policy struct {
	// Interval is the time from the start of one check to the start of the
	// next while the target is up. Default 30s.
	Interval time.Duration
	// SuspectInterval replaces Interval while the target is down, unknown or
	// suspect: its last check failed, or traffic through it did. Default 5s; never longer than Interval.
	SuspectInterval time.Duration
	// Timeout bounds one check. Default 2s.
	Timeout time.Duration
	// Rise is how many OK results in a row bring a target that was up before
	// back up. Default 2.
	Rise int
	// Fall is how many failures in a row take it down. Default 3.
	Fall int
	// JitterPercent moves each interval by up to this share, in both
	// directions, so that targets do not march in step. Default 10, negative
	// is none, at most 50.
	JitterPercent float64
}

// WithDefaults returns the policy with every zero or unusable field replaced
// by its default.
func (p Policy) WithDefaults() Policy {
	p.Interval = positive(p.Interval, 30*time.Second)
	p.SuspectInterval = min(positive(p.SuspectInterval, 5*time.Second), p.Interval)
	p.Timeout = positive(p.Timeout, defaultTimeout)
	p.Rise = positive(p.Rise, 2)
	p.Fall = positive(p.Fall, 3)
	switch {
	case p.JitterPercent == 0:
		p.JitterPercent = 10
	case !(p.JitterPercent > 0): // NaN too
		p.JitterPercent = -1
	}
	p.JitterPercent = min(p.JitterPercent, 50)
	return p
}

func positive[T ~int | ~int64](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// Validate returns an error naming the first field with a value that makes no
// sense. Zero fields are fine, they mean the default.
func (p Policy) Validate() error {
	switch {
	case p.Interval < 0 || p.Interval > 0 && p.Interval < 10*time.Millisecond:
		return fmt.Errorf("check interval %v: must be at least 10ms", p.Interval)
	case p.SuspectInterval < 0 || p.SuspectInterval > 0 && p.SuspectInterval < 10*time.Millisecond:
		return fmt.Errorf("check suspect interval %v: must be at least 10ms", p.SuspectInterval)
	case p.Timeout < 0 || p.Timeout > 0 && p.Timeout < time.Millisecond:
		return fmt.Errorf("check timeout %v: must be at least 1ms", p.Timeout)
	case p.Rise < 0:
		return fmt.Errorf("check rise %d: must not be negative", p.Rise)
	case p.Fall < 0:
		return fmt.Errorf("check fall %d: must not be negative", p.Fall)
	case !(p.JitterPercent <= 50):
		return fmt.Errorf("check jitter %v %%: must not be over 50", p.JitterPercent)
	}
	return nil
}

// jittered moves d by up to JitterPercent, as far as draw says.
func (p Policy) jittered(d time.Duration, draw uint64) time.Duration {
	if p.JitterPercent <= 0 {
		return d
	}
	share := 2*fraction(draw) - 1
	return d + time.Duration(share*p.JitterPercent/100*float64(d))
}

// fraction maps 64 random bits to [0, 1).
func fraction(draw uint64) float64 { return float64(draw>>11) / (1 << 53) }
