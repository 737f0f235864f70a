package loadtest

import (
	"slices"
	"testing"
	"time"

	"holdfast/loadtest/histogram"
)

func TestRowsOfTheHeatMapHoldTheirRange(t *testing.T) {
	t.Parallel()
	last := int32(-1)
	for d := time.Duration(1); d < time.Hour; d += d/50 + 1 {
		row := heatRow(d)
		from, to := HeatRange(int(row))
		if d < from || d >= to {
			t.Fatalf("%v is in row %d, which is from %v to %v", d, row, from, to)
		}
		if row < last {
			t.Fatalf("row %d of %v comes after row %d", row, d, last)
		}
		last = row
	}
}

// A series of any length keeps its totals, and the quantiles of joined points are near those of what they were made of.
func TestALongSeriesCoarsens(t *testing.T) {
	t.Parallel()
	s := newSeries(8)
	var empty, whole histogram.Histogram
	const steps = 101
	for i := range steps {
		var h histogram.Histogram
		for k := range 200 {
			d := time.Duration(1+k) * time.Millisecond
			h.Record(d)
			whole.Record(d)
		}
		p := Point{At: time.Duration(i+1) * time.Second, Length: time.Second, Done: 200, OK: 200, Offered: 200}
		p.measure(&h, &empty, &empty)
		s.add(p)
		if len(s.points) > 8 {
			t.Fatalf("%d points", len(s.points))
		}
	}
	var done int64
	var length time.Duration
	for i := range s.points {
		p := &s.points[i]
		done += p.Done
		length += p.Length
		if p.At != length {
			t.Errorf("point %d ends at %v, the points up to it are %v long", i, p.At, length)
		}
		for q, got := range map[float64]time.Duration{0.5: p.P50, 0.9: p.P90, 0.99: p.P99} {
			if want := whole.Quantile(q); got < want*96/100 || got > want*104/100 {
				t.Errorf("quantile %v of point %d is %v, want %v within 4 %%", q, i, got, want)
			}
		}
	}
	if done != steps*200 || length != steps*time.Second {
		t.Errorf("%d requests in %v, want %d in %v", done, length, steps*200, steps*time.Second)
	}
	if lengths := s.points[0].Length; lengths != 16*time.Second {
		t.Errorf("a point is %v long, want 16 s", lengths)
	}
}

func TestHeatIsJoinedInOrder(t *testing.T) {
	t.Parallel()
	got := joinHeat([]Heat{{1, 1}, {5, 2}}, []Heat{{0, 3}, {5, 4}, {9, 1}})
	if want := []Heat{{0, 3}, {1, 1}, {5, 6}, {9, 1}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
