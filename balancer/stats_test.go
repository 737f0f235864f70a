package balancer_test

import (
	"runtime"
	"testing"
	"time"

	"holdfast/balancer"
)

func TestStatsTellShareAndLatency(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{Strategy: balancer.WeightedRoundRobin},
		balancer.Spec{ID: "a", Endpoint: "http://a", Weight: 3, Zone: "z", Region: "r", Priority: 0},
		balancer.Spec{ID: "b", Endpoint: "http://b", Weight: 1})
	for k := range 1000 {
		f.wait(10 * time.Millisecond)
		f.attempt(time.Duration(1+k%100) * time.Millisecond)
	}
	s := f.stats(0)
	if s.ID != "a" || s.Endpoint != "http://a" || s.Zone != "z" || s.Region != "r" || s.Weight != 3 {
		t.Errorf("description %+v", s)
	}
	if s.Attempts != 750 || s.Share != 0.75 || s.Successes != 750 || s.Failures != 0 {
		t.Errorf("attempts %d, share %v, successes %d, failures %d", s.Attempts, s.Share, s.Successes, s.Failures)
	}
	for name, q := range map[string]struct {
		got  time.Duration
		want float64
	}{"p50": {s.P50, 50}, "p95": {s.P95, 95}, "p99": {s.P99, 99}} {
		if ms := float64(q.got) / 1e6; ms < q.want*0.92 || ms > q.want*1.08 {
			t.Errorf("%s is %v, want about %v ms", name, q.got, q.want)
		}
	}
	f.wait(2 * time.Minute)
	if s := f.stats(0); s.P99 != 0 {
		t.Errorf("two idle minutes later p99 is %v", s.P99)
	}
}

func TestAShareStartsAnewWithTheSet(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{Strategy: balancer.RoundRobin}, same(2)...)
	f.attempts(1000)
	fresh := balancer.NewInstance(balancer.Spec{ID: "new"})
	f.set.Replace(append(f.all, fresh), f.now)
	f.up(fresh)
	f.attempts(300)
	for k := range 3 {
		if s := f.stats(k); s.Share < 0.32 || s.Share > 0.34 {
			t.Errorf("%s has a share of %v", s.ID, s.Share)
		}
	}
}

//nolint:paralleltest // measures the heap
func TestAThousandInstancesCostLittleMemory(t *testing.T) {
	f := newFixture(t, balancer.Config{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 1000 {
		f.all = append(f.all, balancer.NewInstance(balancer.Spec{ID: "instance"}))
	}
	for _, i := range f.all { // outside the set, where a change is cheap
		f.up(i)
		for k := range 20 { // fills the history
			f.set.SetDraining(i, k%2 == 0, "to and fro", f.now)
		}
	}
	f.set.Replace(f.all, f.now)
	for _, i := range f.all {
		f.fail(i, balancer.Timeout, 3)
	}
	f.events = nil
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := int(after.HeapAlloc-before.HeapAlloc) / len(f.all)
	if each > 3<<10 {
		t.Errorf("%d bytes per instance, want at most 3 KiB", each)
	}
	t.Logf("%d bytes per instance", each)
	runtime.KeepAlive(f)
}
