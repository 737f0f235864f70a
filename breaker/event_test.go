package breaker_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"holdfast/breaker"
)

func TestEventsTellTheStory(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{Rand: func() float64 { return 0 }})
	h.trip()
	h.call(1, breaker.Failure)
	h.now = h.NextAttempt()
	h.call(3, breaker.Success)
	h.ForceOpen("maintenance", h.now)
	h.Reset("back", h.now)
	want := []string{
		"0s closed to open: 5 consecutive failures (threshold 5) [5, next 1m0s]",
		"1m0s open to half_open: the recovery timeout is over, probing [5]",
		"1m0s half_open to open: a probe failed [5, next 3m0s]",
		"3m0s open to half_open: the recovery timeout is over, probing [5]",
		"3m0s half_open to closed: 3 probes succeeded [0]",
		"3m0s closed to open: maintenance [0]",
		"3m0s open to closed: back [0]",
	}
	var got []string
	for _, e := range h.events {
		got = append(got, sentence(e))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestAnEventReplays feeds every event's record back, over random configurations and results.
func TestAnEventReplays(t *testing.T) {
	t.Parallel()
	replayed := 0
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 3))
		h := newBench(t, breaker.Config{
			FailureThreshold: 2 + r.IntN(5), RecoveryTimeout: time.Second, HalfOpenMaxCalls: 1 + r.IntN(4), Rand: r.Float64,
			Window: breaker.Window{
				Kind: breaker.WindowKind(r.IntN(3)), Calls: 30, MinimumCalls: 10,
				SlowCallRatePercent: 60, SlowCallDuration: time.Second,
			},
		})
		for range 2000 {
			h.wait(time.Duration(r.Int64N(int64(time.Second))))
			if p, ok := h.Allow(h.now); ok {
				h.Done(p, breaker.Outcome(r.IntN(2)), time.Duration(r.Int64N(int64(2*time.Second))), h.now)
			}
		}
		cfg := h.Config()
		for _, e := range h.events {
			replayed++
			if got := cfg.Decide(e.Inputs); got != (breaker.Decision{To: e.To, Rule: e.Rule}) || e.Inputs.State != e.From {
				t.Fatalf("seed %d: replay gives %+v, recorded %+v", seed, got, e)
			}
			if e.To == breaker.Open && !e.At.Add(cfg.OpenFor(e.Openings, e.Draw)).Equal(e.NextAttempt) {
				t.Fatalf("seed %d: replay gives another time open than %+v", seed, e)
			}
		}
	}
	if replayed < 1000 {
		t.Errorf("only %d events", replayed)
	}
}

func TestOnEventMayCallTheBreaker(t *testing.T) {
	t.Parallel()
	var b *breaker.Breaker
	var seen []string
	cfg := breaker.Config{FailureThreshold: 1, OnEvent: func(e breaker.Event) {
		seen = append(seen, e.To.String()+" while "+b.Snapshot(epoch).State.String())
		if e.Rule == breaker.RuleConsecutiveFailures {
			b.Reset("at once", epoch)
		}
	}}
	b, err := breaker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := b.Allow(epoch)
	b.Done(p, breaker.Failure, 0, epoch)
	if got := strings.Join(seen, ", "); got != "open while open, closed while closed" {
		t.Errorf("heard %q", got)
	}
}

func TestAPanicInOnEventDoesNotSilenceTheNextEvents(t *testing.T) {
	t.Parallel()
	heard := 0
	b, err := breaker.New(breaker.Config{OnEvent: func(breaker.Event) {
		if heard++; heard == 1 {
			panic("listener")
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		b.ForceOpen("x", epoch)
	}()
	b.Reset("x", epoch)
	if heard != 2 || b.State() != breaker.Closed {
		t.Errorf("heard %d events, state %s", heard, b.State())
	}
}

func TestASlowListenerLosesTheOldestEventsAndTheLossIsCounted(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	var heard []breaker.Event
	b, err := breaker.New(breaker.Config{OnEvent: func(e breaker.Event) {
		if len(heard) == 0 {
			close(entered)
			<-release
		}
		heard = append(heard, e)
	}})
	if err != nil {
		t.Fatal(err)
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		b.ForceOpen("first", epoch)
	}()
	<-entered
	for i := range 200 { // 400 events beside the one being delivered
		b.Reset("on", epoch.Add(time.Duration(2*i+1)))
		b.ForceOpen("off", epoch.Add(time.Duration(2*i+2)))
	}
	if got := b.Snapshot(epoch).EventsDropped; got != 400-256 {
		t.Errorf("%d events dropped, want %d", got, 400-256)
	}
	close(release)
	<-finished
	if len(heard) != 257 || !heard[1].At.Equal(epoch.Add(145)) || !heard[256].At.Equal(epoch.Add(400)) {
		t.Errorf("heard %d events, the second at %s", len(heard), heard[1].At.Sub(epoch))
	}
}

func sentence(e breaker.Event) string {
	text := fmt.Sprintf("%s %s to %s: %s [%d", e.At.Sub(epoch), e.From, e.To, e.Reason, e.FailureCount)
	if !e.NextAttempt.IsZero() {
		text += ", next " + e.NextAttempt.Sub(epoch).String()
	}
	return text + "]"
}
