package breaker_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/breaker"
)

func TestHastenLetsAnOpenBreakerProbeAtOnce(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b, err := breaker.New(breaker.Config{FailureThreshold: 1})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := b.Allow(now)
	b.Done(p, breaker.Failure, 0, now)
	if _, ok := b.Allow(now.Add(time.Second)); ok {
		t.Fatal("an open breaker let a call through")
	}
	b.Hasten("instance a is back", now.Add(time.Second))
	if got := b.Snapshot(now).Reason; !strings.Contains(got, "instance a is back") {
		t.Errorf("reason %q does not say why", got)
	}
	if _, ok := b.Allow(now.Add(time.Second)); !ok || b.State() != breaker.HalfOpen {
		t.Errorf("allowed %v in state %v, want a probe", ok, b.State())
	}
}

func TestHastenLeavesAForcedBreakerAlone(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b, err := breaker.New(breaker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	b.ForceOpen("maintenance", now)
	b.Hasten("instance a is back", now)
	if _, ok := b.Allow(now.Add(time.Hour)); ok {
		t.Error("a breaker held open by the operator let a call through")
	}
}
