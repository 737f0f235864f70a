package control_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/internal/control"
	"holdfast/internal/event"
)

// scaledSite is a site whose function the scaler scales.
func scaledSite(t *testing.T) *site {
	t.Helper()
	s := open(t, balancer.Spec{ID: "a", Endpoint: "http://127.0.0.1:1"})
	s.scaling = control.Scaling{Platform: "process", Configured: 1, Unordered: 1, Wanted: 1, Ready: 1, Max: 4}
	return s
}

func (s *site) hold() *control.Hold { return s.control.State().Orders("public").Hold }

func TestAHoldOutlivesARestartAndEndsByItself(t *testing.T) {
	t.Parallel()
	s := scaledSite(t)
	if err := s.control.Pin(t.Context(), me, "public", 3, time.Hour, "sale"); err != nil {
		t.Fatal(err)
	}
	s.restart()
	h := s.hold()
	if now := time.Now(); !h.Holds(now) || h.Holds(now.Add(time.Hour)) || !h.Pinned || h.Instances != 3 || h.By != "tester" || !strings.Contains(h.Reason, "sale") {
		t.Errorf("after a restart %+v", h)
	}
	o := s.control.State().Orders("public")
	if list := o.Sentences(); len(list) != 1 || !strings.HasPrefix(list[0], "pinned at 3 instances until 2") {
		t.Errorf("%q", list)
	}
	if err := s.control.Pause(t.Context(), me, "public", 0, ""); err != nil {
		t.Fatal(err)
	}
	if h := s.hold(); h.Pinned || !h.Until.IsZero() || !h.Holds(time.Now().Add(1000*time.Hour)) {
		t.Errorf("paused without an end: %+v", h)
	}
	if err := s.control.Resume(t.Context(), me, "public", ""); err != nil || s.hold() != nil {
		t.Errorf("%+v: %v", s.hold(), err)
	}
	s.refused(s.control.Resume(t.Context(), me, "public", ""), control.Conflict, "neither paused nor pinned")
}

func TestTheEndOfAHoldIsTold(t *testing.T) {
	t.Parallel()
	s := scaledSite(t)
	s.run()
	if err := s.control.Pause(t.Context(), me, "public", 2*time.Second, ""); err != nil { // whole seconds are kept
		t.Fatal(err)
	}
	over := func() bool {
		return slices.ContainsFunc(s.events.Since(0), func(e event.Event) bool { return e.To == "function.unpause" && e.Source == "scaler" })
	}
	for deadline := time.Now().Add(time.Minute); !over(); {
		if time.Now().After(deadline) {
			t.Fatal("nobody was told that the pause is over")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if s.hold().Holds(time.Now()) {
		t.Error("it holds on")
	}
}

func TestHoldsThatWouldDoNothingOrHarmAreRefused(t *testing.T) {
	t.Parallel()
	s := scaledSite(t)
	s.refused(s.control.Pin(t.Context(), me, "public", 5, 0, ""), control.Conflict, "may have 0 to 4 instances, not 5")
	s.refused(s.control.Pause(t.Context(), me, "public", -time.Second, ""), control.Invalid, "for")
	s.refused(s.control.Pause(t.Context(), me, "nothing", 0, ""), control.NotFound, "nothing")
	s.scaling.Wanted = 0
	s.refused(s.control.Pause(t.Context(), me, "public", 0, ""), control.Conflict, "has no instance now")
	s.scaling.Rests = "scaling.enabled is false"
	s.refused(s.control.Pin(t.Context(), me, "public", 1, 0, ""), control.Conflict, "is not scaled: scaling.enabled is false")
	if s.hold() != nil {
		t.Errorf("refused, and yet %+v", s.hold())
	}
}
