package breaker_test

import (
	"testing"
	"time"

	"holdfast/breaker"
)

func timed() breaker.Window {
	return breaker.Window{Kind: breaker.WindowTime, SlowCallRatePercent: 100, SlowCallDuration: time.Hour}
}

func counted() breaker.Window { return breaker.Window{Kind: breaker.WindowCount} }

func TestNothingIsAllocatedPerCall(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the whole process
	rows := []struct {
		name string
		cfg  breaker.Config
		prep func(h *bench)
		call func(h *bench)
	}{
		{"closed, success", breaker.Config{}, nil, func(h *bench) { h.call(1, breaker.Success) }},
		{"closed, failure then success", breaker.Config{}, nil, func(h *bench) { h.call(1, breaker.Failure); h.call(1, breaker.Success) }},
		{"closed, count window", breaker.Config{Window: counted()}, nil, func(h *bench) { h.call(1, breaker.Success) }},
		{"closed, time window", breaker.Config{Window: timed()}, nil, func(h *bench) { h.wait(time.Second); h.call(1, breaker.Success) }},
		{"open, refused", breaker.Config{}, func(h *bench) { h.call(5, breaker.Failure) }, func(h *bench) { h.refused() }},
		{"half-open, probe", breaker.Config{}, func(h *bench) { h.trip() }, func(h *bench) { h.call(1, breaker.Ignored) }},
		{"snapshot", breaker.Config{}, nil, func(h *bench) { h.Snapshot(h.now) }},
	}
	for _, row := range rows {
		h := newBench(t, row.cfg)
		if row.prep != nil {
			row.prep(h)
		}
		row.call(h)
		if got := testing.AllocsPerRun(1000, func() { row.call(h) }); got != 0 {
			t.Errorf("%s: %v allocations", row.name, got)
		}
	}
}

func benchmark(b *testing.B, cfg breaker.Config) {
	b.Helper()
	br, err := breaker.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		p, ok := br.Allow(now)
		if !ok {
			b.Fatal("refused")
		}
		br.Done(p, breaker.Success, time.Millisecond, now)
		now = now.Add(time.Microsecond)
	}
}

func BenchmarkClosed(b *testing.B)            { benchmark(b, breaker.Config{}) }
func BenchmarkClosedCountWindow(b *testing.B) { benchmark(b, breaker.Config{Window: counted()}) }
func BenchmarkClosedTimeWindow(b *testing.B)  { benchmark(b, breaker.Config{Window: timed()}) }

func BenchmarkClosedParallel(b *testing.B) {
	br, err := breaker.New(breaker.Config{})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p, _ := br.Allow(now)
			br.Done(p, breaker.Success, time.Millisecond, now)
		}
	})
}

func BenchmarkOpenRefused(b *testing.B) {
	br, err := breaker.New(breaker.Config{})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	for range 5 {
		p, _ := br.Allow(now)
		br.Done(p, breaker.Failure, 0, now)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := br.Allow(now); ok {
			b.Fatal("allowed")
		}
	}
}
