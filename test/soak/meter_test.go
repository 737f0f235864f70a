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

func rssOf(l level) int64  { return l.RSS }
func heapOf(l level) int64 { return l.Heap }

// slope fits a line through what of says: bytes in ten minutes.
func slope(levels []level, of func(level) int64) float64 {
	var n, sx, sy, sxx, sxy float64
	for _, l := range levels {
		x, y := l.at.Sub(levels[0].at).Seconds(), float64(of(l))
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

// valleys are the levels of each minute that hold the least: of the heap just
// after a collection, so that their slope is that of what is live; and without
// the bursts of a busy machine, which are given back within a minute. What leaks
// lifts them as well.
func valleys(levels []level, of func(level) int64) []level {
	var list []level
	var next time.Time
	for _, l := range levels {
		switch {
		case len(list) == 0 || !l.at.Before(next):
			list, next = append(list, l), l.at.Add(time.Minute)
		case of(l) < of(list[len(list)-1]):
			list[len(list)-1] = l
		}
	}
	return list
}

// warmUp is how long what is bounded takes to fill: the ring of records and the
// store's cache, 512 KiB for each connection, about 6 min each at the rates of the
// hour. The last 1000 events take 20, for 0.4 MiB in all.
const warmUp = 10 * time.Minute

// mostGrowth in ten minutes, of a warm process. A leak of 1 KiB for each of the
// 48,000 requests would be 47 MiB, one of 50 KiB for each of the 45 instances
// that are killed 2.2 MiB.
const mostGrowth = 1 << 20

// judgeMemory wants the resident memory and the live heap flat once a process is
// warm. What 15 minutes show can be judged by the line through it; in less the
// collector's steps hide it, and only a leak that is plain to see fails.
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
	judgeSlope(t, "rss", name, warm, rssOf)
	judgeSlope(t, "live_heap", name, warm, heapOf)
}

func judgeSlope(t *testing.T, what, name string, warm []level, of func(level) int64) {
	t.Helper()
	if least := valleys(warm, of); len(least) >= 5 { // the short form has no five minutes
		warm = least
	}
	first, last := warm[0], warm[len(warm)-1]
	growth, window := slope(warm, of), last.at.Sub(first.at)
	t.Logf("%s of %s, warm, over %v: %s to %s, %+.2f MiB per 10 min by regression", what, name, window.Round(time.Second), mib(of(first)), mib(of(last)), growth/(1<<20))
	t.Attr(what+"_slope_of_"+name, fmt.Sprintf("%+.2f_MiB_per_10_min_over_%v", growth/(1<<20), window.Round(time.Second)))
	if window > 15*time.Minute && growth > mostGrowth {
		t.Errorf("%s of %s grows by %.2f MiB per 10 min", what, name, growth/(1<<20))
	}
	if growth*window.Minutes()/10 > 16<<20 {
		t.Errorf("%s of %s has grown from %s to %s in %v", what, name, mib(of(first)), mib(of(last)), window)
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
	if got := slope(levels, rssOf); got < 59_500 || got > 60_500 {
		t.Errorf("1000 bytes in 10 s are %.0f in 10 min", got)
	}
}

func TestValleysAreTheSmallestHeapsOfTheirMinutes(t *testing.T) {
	t.Parallel()
	start := time.Now()
	var levels []level
	for i := range 36 { // three minutes in steps of five seconds
		levels = append(levels, level{at: start.Add(time.Duration(i) * 5 * time.Second), Heap: int64(100*(i/12) + 10 - i%6)})
	}
	got := valleys(levels, heapOf)
	if len(got) != 3 || got[0].Heap != 5 || got[1].Heap != 105 || got[2].Heap != 205 {
		t.Errorf("%+v", got)
	}
}
