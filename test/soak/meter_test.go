package soak_test

import (
	"fmt"
	"testing"
	"time"

	"holdfast/test/holdfast"
)

// level is what a process holds at one time.
type level struct {
	PID        int   `json:"pid"`
	Goroutines int   `json:"goroutines"`
	Files      int   `json:"open_files"`
	Heap       int64 `json:"heap_bytes"`
	RSS        int64 `json:"rss_bytes"`
	at         time.Time
}

func (l level) String() string {
	return fmt.Sprintf("rss %s, heap %s, %d files, %d goroutines", mib(l.RSS), mib(l.Heap), l.Files, l.Goroutines)
}

func measure(p *holdfast.Process) (level, error) {
	l := level{at: time.Now()}
	if err := p.API("/api/v1/health", &l); err != nil {
		return l, err
	}
	if l.PID != p.PID() || l.RSS == 0 || l.Files == 0 || l.Goroutines == 0 {
		return l, fmt.Errorf("process %d, not %d, says of itself: %+v", l.PID, p.PID(), l)
	}
	return l, nil
}

// slope fits a line through the resident memory: bytes in ten minutes.
func slope(levels []level) float64 {
	var n, sx, sy, sxx, sxy float64
	for _, l := range levels {
		x, y := l.at.Sub(levels[0].at).Seconds(), float64(l.RSS)
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	return 600 * (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

// leastHeap is the smallest heap of late: what is live is not more.
func leastHeap(levels []level, of time.Duration) int64 {
	least := levels[len(levels)-1]
	for _, l := range levels {
		if least.at.Sub(l.at) <= of && l.PID == least.PID && l.Heap < least.Heap {
			least.Heap = l.Heap
		}
	}
	return least.Heap
}

// warmUp is how long the rings of records and events take to fill, and the pools
// of buffers to see what comes at once.
const warmUp = 10 * time.Minute

// judgeMemory wants the resident memory flat once a process is warm. What 15
// minutes show can be judged by the line through it; in less the collector's
// steps hide it, and only a leak that is plain to see fails.
func judgeMemory(t *testing.T, name string, levels []level) {
	t.Helper()
	if len(levels) < 10 {
		t.Errorf("only %d samples of %s", len(levels), name)
		return
	}
	span := levels[len(levels)-1].at.Sub(levels[0].at)
	warm := levels
	for len(warm) > 5 && warm[0].at.Sub(levels[0].at) < min(warmUp, span/3) {
		warm = warm[1:]
	}
	first, last := warm[0], warm[len(warm)-1]
	growth, window := slope(warm), last.at.Sub(first.at)
	t.Logf("%s, warm, over %v: rss %s to %s, %+.2f MiB per 10 min by regression", name, window.Round(time.Second), mib(first.RSS), mib(last.RSS), growth/(1<<20))
	t.Attr("rss_slope_of_"+name, fmt.Sprintf("%+.2f_MiB_per_10_min_over_%v", growth/(1<<20), window.Round(time.Second)))
	if window > 15*time.Minute && growth > 1<<20 {
		t.Errorf("memory of %s grows by %.2f MiB per 10 min", name, growth/(1<<20))
	}
	if growth*window.Minutes()/10 > 16<<20 {
		t.Errorf("memory of %s has grown from %s to %s in %v", name, mib(first.RSS), mib(last.RSS), window)
	}
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func TestTheSlopeIsThatOfTheLine(t *testing.T) {
	t.Parallel()
	start := time.Now()
	var levels []level
	for i := range 60 {
		levels = append(levels, level{at: start.Add(time.Duration(i) * 10 * time.Second), RSS: int64(1000*i + 7*(i%2))})
	}
	if got := slope(levels); got < 59_500 || got > 60_500 {
		t.Errorf("1000 bytes in 10 s are %.0f in 10 min", got)
	}
}
