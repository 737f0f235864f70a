//go:build linux

package peer

import (
	"errors"
	"os"
	"testing"
	"time"
)

func TestTheNameOfAProcessDoesNotMoveItsTimes(t *testing.T) {
	t.Parallel()
	const rest = " S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 3 0 1"
	for _, name := range []string{"(nginx)", "(a b) c)", "(()"} {
		if d, err := cpuOfStat("42 " + name + rest); err != nil || d != 2*time.Second {
			t.Errorf("%s: %v %v", name, d, err)
		}
	}
	if _, err := cpuOfStat("42 (short) S 1 2"); !errors.Is(err, errProc) {
		t.Error(err)
	}
}

func TestTheTimeOfAProcessGrows(t *testing.T) {
	t.Parallel()
	before, err := cpuOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if after, err := cpuOf(os.Getpid()); err != nil || after > before {
			return
		}
	}
	t.Error("ten busy seconds do not show")
}

func TestIdleAndGuestTimeIsNotBusy(t *testing.T) {
	t.Parallel()
	//                      user nice system idle iowait irq softirq steal guest guest_nice
	d, err := busyOfStat("cpu 100 20 30 9999 888 4 5 1 50 7\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
	if err != nil || d != 1600*time.Millisecond {
		t.Error(d, err)
	}
	if _, err := busyOfStat("intr 1 2 3"); !errors.Is(err, errProc) {
		t.Error(err)
	}
}

func TestThisProcessHasMemory(t *testing.T) {
	t.Parallel()
	n, err := memoryOf(os.Getpid())
	if err != nil || n < 1<<20 || n > 10<<30 {
		t.Errorf("%d bytes, %v", n, err)
	}
}
