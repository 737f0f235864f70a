package exchange

import (
	"testing"
	"time"

	"holdfast/balancer"
)

func TestSessionsAreBoundedAndTheExpiredGoFirst(t *testing.T) {
	t.Parallel()
	const most = sessionShards * sessionsPerPart
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var s sessions
	i := balancer.NewInstance(balancer.Spec{ID: "b"})
	for key := range uint64(2 * most) {
		s.keep(key, i, now, now.Add(time.Hour))
	}
	if n := s.count(now); n != most {
		t.Fatalf("%d sessions, want %d", n, most)
	}
	later := now.Add(2 * time.Hour)
	for key := range uint64(100) {
		s.keep(1<<40+key, i, later, later.Add(time.Hour))
	}
	if n := s.count(later); n != 100 {
		t.Errorf("%d sessions alive, want the 100 new ones", n)
	}
	if n := len(s.shards[0].m); n >= sessionsPerPart {
		t.Errorf("%d sessions in a part: the expired ones did not go", n)
	}
	if s.find(1<<40, later) != i || s.find(0, later) != nil {
		t.Error("a living session is lost, or an expired one is found")
	}
	if n := s.clear(later); n != 100 || s.count(later) != 0 {
		t.Errorf("cleared %d", n)
	}
}
