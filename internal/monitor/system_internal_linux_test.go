package monitor

import (
	"os"
	"testing"
	"time"
)

func TestThisProcessIsMeasured(t *testing.T) {
	t.Parallel()
	o := newOwn()
	o.measure(time.Now())
	for begun := ownCPU(); ownCPU()-begun < 20*time.Millisecond; { // its clock may tick every 10 ms
		processes()
	}
	f := o.measure(time.Now())
	if f.CPU <= 0 || f.RSS < 1<<20 || f.MemoryLimit < f.RSS || f.Goroutines < 1 || f.OpenFiles < 3 || f.Heap == 0 {
		t.Errorf("%+v", f)
	}
	found := false
	for _, p := range processes() {
		found = found || p.pid == os.Getpid() && p.rss > 1<<20 && p.group > 0
	}
	if !found {
		t.Error("this process is not among all")
	}
}

func TestAStatLineIsReadPastItsName(t *testing.T) {
	t.Parallel()
	line := "7 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 100 1000 25 18446744073709551615"
	p, ok := parseStat([]byte(line), 4096)
	if !ok || p.group != 42 || p.spent != 2*time.Second || p.rss != 25*4096 {
		t.Errorf("%+v %v", p, ok)
	}
	for _, bad := range []string{"", "7", "7 (x", "7 (x) S 1 2"} {
		if _, ok := parseStat([]byte(bad), 4096); ok {
			t.Errorf("%q was read", bad)
		}
	}
}

func FuzzAStatLineNeverPanics(f *testing.F) {
	f.Add([]byte("7 (a) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 100 1000 25 1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, ok := parseStat(text, 4096); ok && p.spent%clockTick != 0 {
			t.Errorf("%v is no whole number of ticks", p.spent)
		}
	})
}
