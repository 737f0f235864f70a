package breaker

import (
	"errors"
	"fmt"
)

// State says what a breaker does with calls. The zero value is Closed.
type State uint8

// The three states.
const (
	Closed   State = iota // every call passes
	Open                  // no call passes until NextAttempt
	HalfOpen              // a few calls pass as probes
)

// ErrUnknownState is returned for a state that is not one of the three.
var ErrUnknownState = errors.New("unknown breaker state")

// String gives closed, open or half_open.
func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case Open:
		return "open"
	case HalfOpen:
		return "half_open"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// ParseState reads what String writes.
func ParseState(text string) (State, error) {
	for s := Closed; s <= HalfOpen; s++ {
		if s.String() == text {
			return s, nil
		}
	}
	return Closed, fmt.Errorf("parse %q: %w", text, ErrUnknownState)
}

// AppendText appends the name of the state; unknown states are refused.
func (s State) AppendText(dst []byte) ([]byte, error) {
	if s > HalfOpen {
		return dst, fmt.Errorf("write state %d: %w", uint8(s), ErrUnknownState)
	}
	return append(dst, s.String()...), nil
}

// MarshalText gives the name of the state, for JSON and for stores.
func (s State) MarshalText() ([]byte, error) { return s.AppendText(nil) }

// UnmarshalText reads the name of a state.
func (s *State) UnmarshalText(text []byte) error {
	parsed, err := ParseState(string(text))
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}

// Outcome is how a call ended, as its caller judges it.
type Outcome uint8

// The outcomes. Ignored is for calls that say nothing about the callee, such as one its client gave up: the permit is
// given back and nothing is counted.
const (
	Success Outcome = iota
	Failure
	Ignored
)

// String gives success, failure or ignored.
func (o Outcome) String() string {
	switch o {
	case Success:
		return "success"
	case Failure:
		return "failure"
	case Ignored:
		return "ignored"
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}
