package app

import (
	"runtime"
	"testing"
)

// Not parallel: how many processors there are is the process's.
//
//nolint:paralleltest // see above
func TestProcessorsAreSparedOnce(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("loops run on Linux only")
	}
	before := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	if n := loops("std"); n != 0 || runtime.GOMAXPROCS(0) != before {
		t.Errorf("engine std has %d loops and %d processors, want 0 and %d", n, runtime.GOMAXPROCS(0), before)
	}
	for range 2 {
		if n := loops("http1"); n != before || runtime.GOMAXPROCS(0) != 2*before {
			t.Errorf("engine http1 has %d loops and %d processors, want %d and %d", n, runtime.GOMAXPROCS(0), before, 2*before)
		}
	}
}
