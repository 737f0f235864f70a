package http1

import (
	"testing"
	"time"
)

func TestALoopIsBriskWhereEventsComeInNumbers(t *testing.T) {
	t.Parallel()
	var p pace
	now := time.Second
	for tick, c := range []struct {
		events int
		brisk  bool // before these
	}{{0, false}, {briskEvents - 1, false}, {briskEvents, false}, {2, true}, {0, false}, {1000, false}, {0, true}, {0, false}} {
		if got := p.at(now, 0); got != c.brisk {
			t.Errorf("tick %d: brisk %v, want %v", tick, got, c.brisk)
		}
		p.at(now+wheelTick/2-1, c.events)
		now += wheelTick
	}
}
