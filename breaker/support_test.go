package breaker_test

import (
	"testing"
	"time"

	"holdfast/breaker"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// bench is one breaker, its clock and what it told.
type bench struct {
	*breaker.Breaker
	t      *testing.T
	now    time.Time
	events []breaker.Event
}

func newBench(t *testing.T, cfg breaker.Config) *bench {
	t.Helper()
	h := &bench{t: t, now: epoch}
	cfg.OnEvent = func(e breaker.Event) { h.events = append(h.events, e) }
	b, err := breaker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.Breaker = b
	return h
}

// call makes n calls that end at once, and fails the test when one is refused.
func (h *bench) call(n int, o breaker.Outcome) {
	h.t.Helper()
	for range n {
		h.Done(h.permit(), o, time.Millisecond, h.now)
	}
}

func (h *bench) permit() breaker.Permit {
	h.t.Helper()
	p, ok := h.Allow(h.now)
	if !ok {
		h.t.Fatalf("refused while %s", h.State())
	}
	return p
}

func (h *bench) done(p breaker.Permit, o breaker.Outcome) { h.Done(p, o, time.Millisecond, h.now) }

func (h *bench) refused() {
	h.t.Helper()
	if _, ok := h.Allow(h.now); ok {
		h.t.Fatalf("allowed while %s", h.State())
	}
}

func (h *bench) is(want breaker.State) {
	h.t.Helper()
	if got := h.State(); got != want {
		h.t.Fatalf("state %s, want %s", got, want)
	}
}

func (h *bench) wait(d time.Duration) { h.now = h.now.Add(d) }

// trip opens a breaker with a threshold of five and waits until it is due.
func (h *bench) trip() {
	h.t.Helper()
	h.call(5, breaker.Failure)
	h.is(breaker.Open)
	h.now = h.NextAttempt()
}

func (h *bench) last() breaker.Event {
	h.t.Helper()
	if len(h.events) == 0 {
		h.t.Fatal("no event")
	}
	return h.events[len(h.events)-1]
}
