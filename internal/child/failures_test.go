package child

import (
	"testing"
	"time"
)

func TestWaitsDoubleUpToTheMaximum(t *testing.T) {
	t.Parallel()
	f := Failures{
		Backoff:   Backoff{Base: 100 * time.Millisecond, Max: time.Second, ResetAfter: time.Minute},
		CrashLoop: CrashLoop{Failures: 100, Within: time.Minute},
	}
	now := time.Unix(0, 0)
	for i, ms := range []int64{100, 200, 400, 800, 1000, 1000} {
		if got := f.Add(now, 0, 0); got.Milliseconds() != ms {
			t.Errorf("failure %d waits %s", i+1, got)
		}
	}
	if got := f.Add(now, 0, 0.999); got < 900*time.Millisecond || got > 901*time.Millisecond {
		t.Errorf("with jitter it waits %s", got)
	}
	if got := f.Add(now, time.Minute, 0); got != 100*time.Millisecond {
		t.Errorf("after running well it waits %s", got)
	}
}

func TestOnlyFailuresWithinTheTimeMakeACrashLoop(t *testing.T) {
	t.Parallel()
	f := Failures{
		Backoff:   Backoff{Base: time.Millisecond, Max: time.Second, ResetAfter: time.Minute},
		CrashLoop: CrashLoop{Failures: 3, Within: 10 * time.Second},
	}
	now := time.Unix(0, 0)
	for range 20 {
		f.Add(now, time.Second, 0)
		now = now.Add(6 * time.Second)
		if f.looping {
			t.Fatal("rare failures are called a crash loop")
		}
	}
	f.Add(now, 0, 0)
	if wait := f.Add(now, 0, 0); !f.looping || wait != time.Second {
		t.Errorf("three failures within 10 s: looping %v, wait %s", f.looping, wait)
	}
	now = now.Add(time.Hour)
	if wait := f.Add(now, 30*time.Second, 0); !f.looping || wait != time.Second {
		t.Error("the loop is forgotten although the instance never ran for ResetAfter")
	}
	if wait := f.Add(now, time.Minute, 0); f.looping || wait != time.Millisecond {
		t.Error("the loop is remembered although the instance ran for ResetAfter")
	}
}
