package monitor

import (
	"context"
	"errors"
	"math"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"holdfast/internal/history"
)

func TestAWindowIsTheLastMinute(t *testing.T) {
	t.Parallel()
	var w window
	now := time.Unix(0, 0)
	for i := range uint64(20) {
		all, failed, over := w.put(counts{now, 100 * i, 10 * i})
		back := min(i, windowTicks)
		if all != 100*back || failed != 10*back || over != time.Duration(back)*tick {
			t.Errorf("tick %d: %d %d %v", i, all, failed, over)
		}
		now = now.Add(tick)
	}
	if all, _, over := w.put(counts{now, 5, 0}); all != 0 || over != 0 {
		t.Errorf("counted anew: %d in %v", all, over)
	}
	if all, _, _ := w.put(counts{now.Add(tick), 9, 0}); all != 4 {
		t.Errorf("after it: %d", all)
	}
}

func TestGroupsUseWhatTheirProcessesUse(t *testing.T) {
	t.Parallel()
	var g groups
	now := time.Unix(0, 0)
	first := g.sum([]processUse{{1, 1, time.Second, 100}, {2, 1, 5 * time.Second, 10}, {3, 3, 0, 7}}, now)
	if u := first[1]; u.rss != 110 || !math.IsNaN(u.cpu) {
		t.Errorf("first look: %+v", u)
	}
	// 2 is gone, 4 is new and has used a second already.
	second := g.sum([]processUse{{1, 1, 3 * time.Second, 50}, {4, 1, time.Second, 5}, {5, 5, time.Second, 1}}, now.Add(tick))
	if u := second[1]; u.rss != 55 || u.cpu != 30 {
		t.Errorf("second look: %+v", u)
	}
	if u := second[5]; !math.IsNaN(u.cpu) {
		t.Errorf("a new group: %+v", u)
	}
	if _, there := second[3]; there {
		t.Error("a group that is gone is there")
	}
}

func TestAQuantileIsOfWhatWasGained(t *testing.T) {
	t.Parallel()
	h := &metrics.Float64Histogram{Counts: []uint64{10, 99, 1, 0}, Buckets: []float64{math.Inf(-1), 1, 2, 3, math.Inf(1)}}
	for _, c := range []struct {
		before  []uint64
		q, want float64
	}{
		{nil, 0.5, 2}, {[]uint64{10, 0, 0, 0}, 0.99, 2}, {[]uint64{10, 0, 0, 0}, 1, 3}, {[]uint64{0, 99, 1, 0}, 1, 1},
	} {
		if got := quantile(h, c.before, c.q); got != c.want {
			t.Errorf("quantile %v of what was gained since %v is %v, want %v", c.q, c.before, got, c.want)
		}
	}
	if got := quantile(h, h.Counts, 0.5); !math.IsNaN(got) {
		t.Errorf("of nothing: %v", got)
	}
}

func minutes(from time.Time, n int, p95 float64) []history.Point {
	var list []history.Point
	for i := range n {
		p := history.Unknown(from.Add(time.Duration(i) * time.Minute))
		p.P95, p.Rate = p95, 10
		list = append(list, p)
	}
	return list
}

func TestLatencyIsComparedWithTheSameHourLastWeek(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		name          string
		today, before float64
		minutes       int
		want          float64 // NaN: not compared
	}{
		{"twice as slow", 200, 100, 15, 2},
		{"as ever", 100, 100, 15, 1},
		{"a few milliseconds of nothing", 12, 2, 15, 1},
		{"too few minutes", 200, 100, 4, math.NaN()},
	} {
		var w weeks
		past := func(_ context.Context, _ string, from, to time.Time) ([]history.Point, error) {
			if now.Sub(from) > 24*time.Hour {
				if mid := from.Add(to.Sub(from) / 2); !mid.Equal(now.Add(-week)) || to.Sub(from) != time.Hour {
					t.Errorf("last week is %v to %v", from, to)
				}
				return minutes(from, 60, c.before), nil
			}
			return minutes(from, c.minutes, c.today), nil
		}
		w.look(t.Context(), past, []FunctionFigures{{Function: "f"}}, now)
		f := w.finding("f", 1.5)
		if f.value != c.want && !(math.IsNaN(f.value) && math.IsNaN(c.want)) {
			t.Errorf("%s: %v times slower, want %v", c.name, f.value, c.want)
		}
	}
}

func TestComparisonsAreSpreadAndBounded(t *testing.T) {
	t.Parallel()
	asked := map[string]int{}
	past := func(_ context.Context, name string, _, _ time.Time) ([]history.Point, error) {
		asked[name]++
		return nil, errors.New("down")
	}
	var list []FunctionFigures
	for i := range 100 {
		list = append(list, FunctionFigures{Function: "f" + strings.Repeat("x", i)})
	}
	var w weeks
	now := time.Unix(0, 0)
	for range 6 {
		before := len(asked)
		w.look(t.Context(), past, list, now)
		if n := len(asked) - before; n > perLook {
			t.Errorf("%d functions were compared at one tick", n)
		}
		now = now.Add(tick)
	}
	if len(asked) != 6*perLook {
		t.Errorf("%d functions were compared in a minute, want %d", len(asked), 6*perLook)
	}
	for name, n := range asked {
		if n != 1 {
			t.Errorf("%s was compared %d times", name, n)
		}
	}
	w.look(t.Context(), past, list[:1], now)
	if len(w.done) != 1 {
		t.Errorf("%d functions are remembered of one", len(w.done))
	}
}
