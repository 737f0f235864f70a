package demo

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestHealthTellsMeasuredFigures(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	a := r.get("/health")
	if a.status != 200 || a.fields["status"] != "ok" || a.fields["instance"] != "public-1" {
		t.Errorf("health is %+v", a)
	}
	for _, name := range []string{"cpu_percent", "memory_percent", "connections", "event_loop_lag_ms"} {
		if n := a.number(t, name); n < 0 || name != "event_loop_lag_ms" && n > 100 {
			t.Errorf("%s is %v", name, n)
		}
	}
}

func TestBurningShowsInTheCPUFigure(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	stop := make(chan struct{})
	var burning sync.WaitGroup
	burning.Go(func() {
		for { // however long it takes until a busy machine gives it that much of a CPU
			select {
			case <-stop:
				return
			default:
				r.get("/?burn=1s")
			}
		}
	})
	defer burning.Wait()
	defer close(stop)
	poll(t, "cpu_percent over 2", func() bool { return r.get("/health").number(t, "cpu_percent") > 2 })
}

func TestTheCPUFigureIsAShareOfAllProcessors(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(passed, used time.Duration) cpuSample { return cpuSample{at: now.Add(passed), used: used} }
	tests := []struct {
		to   cpuSample
		cpus int
		want float64
	}{
		{at(time.Second, 500*time.Millisecond), 1, 50},
		{at(2*time.Second, time.Second), 4, 12.5},
		{at(time.Second, 3*time.Second), 2, 100}, // the clocks differ a little
		{at(time.Millisecond, time.Millisecond), 1, 0},
	}
	for _, test := range tests {
		if got := cpuShare(at(0, 0), test.to, test.cpus); got != test.want {
			t.Errorf("%v on %d processors is %v, want %v", test.to.used, test.cpus, got, test.want)
		}
	}
}

func TestTheLagIsTheWorstOfTheLastSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMeter()
		m.late(3 * time.Millisecond)
		m.late(120 * time.Millisecond)
		m.late(time.Millisecond)
		if got := m.read().lagMS; got != 120 {
			t.Errorf("the lag is %v ms", got)
		}
		for range window {
			m.sample(time.Now())
		}
		if got := m.read().lagMS; got != 120 {
			t.Errorf("after %d samples the lag is %v ms", window, got)
		}
		m.sample(time.Now())
		if got := m.read().lagMS; got != 0 {
			t.Errorf("the lag is still %v ms", got)
		}
	})
}

func TestAMemoryLimitIsReadOrAbsent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for text, want := range map[string]uint64{"max\n": 0, "1048576\n": 1 << 20, "": 0, "many": 0} {
		path := filepath.Join(dir, "memory.max")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := readLimit(path); got != want {
			t.Errorf("%q is read as %d", text, got)
		}
	}
	if got := readLimit(filepath.Join(dir, "none")); got != 0 {
		t.Errorf("no file is read as %d", got)
	}
	if memoryLimit() == 0 || residentBytes() == 0 || residentBytes() > memoryLimit() {
		t.Errorf("this process has %d of %d bytes", residentBytes(), memoryLimit())
	}
}
