package balancer_test

import (
	"testing"

	"holdfast/balancer"
)

func owners(f *fixture, keys int) []*balancer.Instance {
	found := make([]*balancer.Instance, keys)
	for k := range found {
		p := balancer.Pick{Key: uint64(k) * 0x9e3779b97f4a7c15, Draw: f.rng.Uint64()}
		f.set.Pick(&p, f.now)
		found[k] = p.Instance
	}
	return found
}

func TestOnlyTheKeysOfAFailedInstanceMove(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{Strategy: balancer.ConsistentHash}, same(10)...)
	before := owners(f, 10_000)
	f.down(f.all[3])
	got := map[*balancer.Instance]int{}
	for k, i := range owners(f, 10_000) {
		switch {
		case before[k] != f.all[3] && before[k] != i:
			t.Fatalf("key %d moved from %s, which is up", k, before[k].ID())
		case before[k] == f.all[3]:
			got[i]++
		}
	}
	if len(got) != 9 {
		t.Errorf("its keys went to %d of the 9 others", len(got))
	}
	f.up(f.all[3])
	for k, i := range owners(f, 10_000) {
		if before[k] != i {
			t.Fatalf("key %d did not come back", k)
		}
	}
}

func TestAMemberLessMovesFewKeysOfTheOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{Strategy: balancer.ConsistentHash}, same(10)...)
	before, moved := owners(f, 10_000), 0
	f.set.Replace(f.all[1:], f.now)
	for k, i := range owners(f, 10_000) {
		if before[k] != f.all[0] && before[k] != i {
			moved++
		}
	}
	if moved > 800 {
		t.Errorf("%d of 9,000 keys moved between instances that stayed", moved)
	}
}

func TestAKeyOverItsBoundGoesElsewhere(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{Strategy: balancer.ConsistentHash}, same(4)...)
	most := 0
	for range 400 { // one hot key, and nothing ever ends
		p := balancer.Pick{Key: 42, Draw: f.rng.Uint64()}
		if !f.set.Pick(&p, f.now) {
			t.Fatalf("nobody for the key: %s", p.None)
		}
		f.set.Begin(p.Instance, f.now)
		most = max(most, p.Instance.InFlight())
	}
	if most > 126 { // 1.25 x 400 / 4, and one for rounding
		t.Errorf("one instance holds %d of 400 in flight, the bound is 125", most)
	}
}

func TestWithoutABoundAHotKeyStays(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{Strategy: balancer.ConsistentHash, HashBalanceFactor: -1}, same(4)...)
	var home *balancer.Instance
	for range 100 {
		p := balancer.Pick{Key: 42, Draw: f.rng.Uint64()}
		f.set.Pick(&p, f.now)
		f.set.Begin(p.Instance, f.now)
		if home == nil {
			home = p.Instance
		}
		if p.Instance != home {
			t.Fatal("the key moved")
		}
	}
}
