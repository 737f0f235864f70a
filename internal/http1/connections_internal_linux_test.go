package http1

import (
	"math"
	"testing"
)

func TestClientsLeaveDescriptorsForInstances(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		files uint64
		loops int
		want  int
	}{
		{1024, 2, 384},
		{20_000, 2, 7500},
		{1 << 20, 2, 16 << 10},
		{math.MaxUint64, 1, 16 << 10}, // no limit
		{2, 4, 1},
	} {
		if n := connectionsOf(c.files, c.loops); n != c.want {
			t.Errorf("%d descriptors, %d loops: %d connections each, want %d", c.files, c.loops, n, c.want)
		}
	}
}
