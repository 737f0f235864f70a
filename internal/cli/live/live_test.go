package live

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"holdfast/loadtest"
)

func point(at int) loadtest.Point {
	return loadtest.Point{
		At: time.Duration(at) * time.Second, Length: time.Second, Phase: "steady", Offered: 100, Done: 100, OK: 90, Failed: 10, NotSent: 2, Timeouts: 3,
		Limited: 4, InFlight: 7, Users: 12, P50: 1234 * time.Microsecond, P99: 98765 * time.Microsecond,
	}
}

func TestWithoutATerminalThereAreLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	failed := errors.New("no")
	err := Run(t.Context(), Config{Title: "a load", Length: 5 * time.Minute, Open: true, Output: &out}, func(_ context.Context, show Show) error {
		for i := range 20 {
			show.Point(point(i + 1))
		}
		return failed
	})
	want := "a load\n" +
		"  10s  90 of 100/s good, 100 failed, p50 1.23ms p99 98.8ms, 7 under way, steady\n" +
		"  20s  90 of 100/s good, 100 failed, p50 1.23ms p99 98.8ms, 7 under way, steady\n"
	if got := out.String(); got != want || !errors.Is(err, failed) {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestALoadThatPrintsItselfIsLeftToIt(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := Run(t.Context(), Config{Title: "a search", Quiet: true, Output: &out}, func(_ context.Context, show Show) error {
		show.Point(point(1))
		if show.Line != nil {
			t.Error("there is a view without a terminal")
		}
		return nil
	})
	if err != nil || out.Len() > 0 {
		t.Errorf("%v: %s", err, out.String())
	}
}

// pressed is the screen after some keys.
func pressed(t *testing.T, s *screen, keys ...string) {
	t.Helper()
	for _, k := range keys {
		m := tea.KeyPressMsg{Text: k, Code: []rune(k)[0]}
		if m.String() != k {
			t.Fatalf("the key %q is called %q", k, m.String())
		}
		s.Update(m)
	}
}

func TestKeysChangeTheRateAndStop(t *testing.T) {
	t.Parallel()
	stopped := false
	throttle := &loadtest.Throttle{}
	s := newScreen(&Config{Title: "a load", Length: time.Minute, Open: true, Throttle: throttle, MostFactor: 1.3}, func() { stopped = true })
	s.Update(point(1))
	pressed(t, s, "+", "+")
	if got := throttle.Factor(); got < 1.209 || got > 1.211 || !strings.Contains(s.View().Content, "(x1.21)") {
		t.Errorf("after two steps up: %v\n%s", got, s.View().Content)
	}
	if pressed(t, s, "+", "+"); throttle.Factor() != 1.3 {
		t.Errorf("above what is allowed: %v", throttle.Factor())
	}
	if pressed(t, s, "0", "+", "-"); throttle.Factor() != 1 {
		t.Errorf("up and down again: %v", throttle.Factor())
	}
	if pressed(t, s, "?"); !strings.Contains(s.View().Content, "Ctrl-C  stop now") {
		t.Errorf("no help\n%s", s.View().Content)
	}
	if pressed(t, s, "q"); !stopped || !strings.Contains(s.View().Content, "stopping") {
		t.Errorf("stopped: %v\n%s", stopped, s.View().Content)
	}
	if _, quit := s.Update(over{}); quit == nil || s.View().Content != "" {
		t.Error("the view does not make room for the report")
	}
}

func TestAClosedRunHasNoRateToChange(t *testing.T) {
	t.Parallel()
	s := newScreen(&Config{Title: "users"}, func() {})
	s.Update(point(1))
	pressed(t, s, "+", "?")
	if s.factor != 1 || !strings.Contains(s.View().Content, "no rate to change") {
		t.Errorf("%v\n%s", s.factor, s.View().Content)
	}
}

func TestTheViewFitsTheTerminal(t *testing.T) {
	t.Parallel()
	for _, width := range []int{40, 80, 200} {
		s := newScreen(&Config{Title: strings.Repeat("http://long.example/", 20), Length: time.Minute, Throttle: &loadtest.Throttle{}, MostFactor: 9}, func() {})
		s.Update(tea.WindowSizeMsg{Width: width, Height: 24})
		for i := range 100 {
			s.Update(point(i))
		}
		pressed(t, s, "+", "?")
		for line := range strings.SplitSeq(s.View().Content, "\n") {
			if n := utf8.RuneCountInString(line); n > width {
				t.Errorf("%d of %d columns: %s", n, width, line)
			}
		}
	}
}

func TestTheViewSaysWhatFailedAndHowMuchIsLeft(t *testing.T) {
	t.Parallel()
	s := newScreen(&Config{Title: "a load", Length: time.Minute, Open: true}, func() {})
	s.Update(point(15))
	text := s.View().Content
	for _, want := range []string{"failed     10 of 100   not sent 2   timeouts 3   429 4   other 1", "45s left", "90/s good of 100/s", "in flight  7"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if got := spark([]float64{0, 1, 2}); got != "▁▄█" {
		t.Errorf("spark: %s", got)
	}
}
