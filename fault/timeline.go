package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/fault/internal/front"
)

// Step is faults for a while. Its text is "at 10s for 5s: latency=200ms, reset=10%".
type Step struct {
	At     time.Duration // since the proxy began to run
	For    time.Duration // 0: to the end
	Faults []Fault
}

var errStepText = errors.New(`write it like "at 10s for 5s: latency=200ms"`)

// ParseStep reads "at TIME [for TIME]: FAULTS".
func ParseStep(text string) (Step, error) {
	s, err := parseStep(text)
	if err != nil {
		return Step{}, fmt.Errorf("parse step %q: %w", text, err)
	}
	return s, nil
}

func parseStep(text string) (s Step, err error) {
	when, faults, ok := strings.Cut(text, ": ")
	words := strings.Fields(when)
	if !ok || len(words) != 2 && len(words) != 4 || words[0] != "at" || len(words) == 4 && words[2] != "for" {
		return s, errStepText
	}
	if s.At, err = parseTime(words[1]); err != nil {
		return s, err
	}
	if len(words) == 4 {
		if s.For, err = parseTime(words[3]); err != nil {
			return s, err
		}
		if s.For == 0 {
			return s, errors.New("a step that lasts 0s does nothing: leave out for, and it lasts to the end")
		}
	}
	if s.Faults, err = Parse(faults); err != nil {
		return s, err
	}
	if len(s.Faults) == 0 {
		return s, errors.New("a step needs a fault")
	}
	return s, nil
}

// String is the step as [ParseStep] reads it.
func (s Step) String() string {
	text := "at " + s.At.String()
	if s.For != 0 {
		text += " for " + s.For.String()
	}
	return text + ": " + Format(s.Faults)
}

// MarshalText writes the step as [ParseStep] reads it.
func (s Step) MarshalText() ([]byte, error) { return []byte(s.String()), s.Check() }

// UnmarshalText reads a step as [ParseStep] does.
func (s *Step) UnmarshalText(text []byte) (err error) {
	*s, err = ParseStep(string(text))
	return err
}

// Check says what is wrong with a step.
func (s Step) Check() error {
	if min(s.At, s.For) < 0 || max(s.At, s.For) > MaxDelay {
		return fmt.Errorf("check step %s: %w", s, errDelay)
	}
	return checkAll(s.Faults)
}

func checkAll(faults []Fault) error {
	if len(faults) > MaxFaults {
		return fmt.Errorf("check faults: %d are too many, at most %d are taken", len(faults), MaxFaults)
	}
	for _, f := range faults {
		if err := f.Check(); err != nil {
			return err
		}
	}
	return nil
}

// Span is when something holds: from At on, for For (0: to the end).
type Span struct{ At, For time.Duration }

func (s Span) holds(elapsed time.Duration) bool {
	return s.At <= elapsed && (s.For == 0 || elapsed < s.At+s.For)
}

// nextChange returns when the next span begins or ends; false: none does any more.
func nextChange(spans []Span, elapsed time.Duration) (at time.Duration, ok bool) {
	for _, s := range spans {
		for _, t := range []time.Duration{s.At, s.At + s.For} {
			if t > elapsed && (!ok || t < at) {
				at, ok = t, true
			}
		}
	}
	return at, ok
}

// Play calls change with the indexes of the spans that hold whenever they are others than before, the first time when
// one does. It returns when none will begin or end any more, or ctx ends.
func Play(ctx context.Context, spans []Span, change func(active []int)) {
	began := time.Now()
	var before []int
	for {
		elapsed := time.Since(began)
		var active []int
		for i, s := range spans {
			if s.holds(elapsed) {
				active = append(active, i)
			}
		}
		if !slices.Equal(active, before) {
			before = active
			change(active)
		}
		next, ok := nextChange(spans, elapsed)
		if !ok || !front.Rest(ctx, next-time.Since(began)) {
			return
		}
	}
}
