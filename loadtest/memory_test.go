package loadtest

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"holdfast/test/need"
)

// Every kind of outcome, ten million times, in the recorder and the series: the heap stays where it was after the first
// million.
func TestTenMillionRequestsTakeNoMoreMemoryThanAMillion(t *testing.T) { //nolint:paralleltest // it measures the heap
	need.Plain(t)
	c := Config{Endpoints: make([]Endpoint, 2)}
	c.withDefaults()
	p, err := newPlan(&c)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{config: &c, plan: p, recorder: newRecorder(2, 2, 2), origin: time.Now()}
	watch := newCollector(r)
	watch.series = newSeries(8)
	rng := rand.New(rand.NewPCG(1, 1))
	record := func(n int) {
		for i := range n {
			s := Shot{Class: OK, Endpoint: rng.IntN(2), User: rng.IntN(1000), phase: rng.IntN(2), Status: 200 + rng.IntN(400)}
			if rng.IntN(4) == 0 {
				s.Class = Class(rng.IntN(NumClasses))
			}
			// All magnitudes are equally likely, so that the first million has them all.
			s.Dispatched = time.Duration(1<<rng.IntN(20) + rng.IntN(99))
			s.wait = s.Dispatched / 3
			s.Connected = s.Dispatched + time.Duration(1<<rng.IntN(20))
			s.Written = s.Connected + 1
			s.Done = s.Written + time.Duration(1<<rng.IntN(30))
			r.recorder.record(&s)
			if i%100_000 == 0 {
				watch.collect()
			}
		}
	}
	record(1_000_000)
	before := heap()
	record(10_000_000)
	if grown := int64(heap()) - int64(before); grown > 256<<10 {
		t.Errorf("the heap grew by %d KiB", grown>>10)
	}
	sum := r.recorder.summary(all, all)
	var n int64
	for _, count := range sum.Counts {
		n += count
	}
	if n != 11_000_000 {
		t.Errorf("%d requests are accounted for", n)
	}
	watch.collect()
	var points int64
	for i := range watch.series.points {
		points += watch.series.points[i].Done
	}
	if points != n {
		t.Errorf("the series has %d requests, the summary %d", points, n)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestRecordingAllocatesNothing(t *testing.T) { //nolint:paralleltest // it counts allocations
	need.Plain(t)
	r := newRecorder(1, 2, 1)
	s := Shot{Class: OK, Done: time.Millisecond, Written: 1, Status: 200}
	if n := testing.AllocsPerRun(1000, func() { r.record(&s) }); n > 0 {
		t.Errorf("%v allocations for a request", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	r := newRecorder(1, 2, 1)
	s := Shot{Class: OK, Written: 1, Status: 200}
	for b.Loop() {
		s.Done = (s.Done + 7919) & (1<<24 - 1)
		r.record(&s)
	}
}
