package http1_test

import (
	"math"
	"testing"
	"time"

	"holdfast/internal/http1"
)

func TestBytesBuyTimeBeyondTheGrace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bytes, rate int64
		want        time.Duration
	}{
		{0, 240, 5 * time.Second},
		{1199, 240, 5 * time.Second},
		{2400, 240, 10 * time.Second},
		{math.MaxInt64, 240, 24 * time.Hour},
		{24*3600*240 - 240, 240, 24*time.Hour - time.Second},
		{1 << 36, 1 << 20, 65536 * time.Second},
		{0, 0, 24 * time.Hour},
		{0, -1, 24 * time.Hour},
		{1 << 30, 1 << 20, 1024 * time.Second},
	} {
		if got := http1.Owed(c.bytes, c.rate); got != c.want {
			t.Errorf("%d bytes at %d a second: %v, want %v", c.bytes, c.rate, got, c.want)
		}
	}
}
