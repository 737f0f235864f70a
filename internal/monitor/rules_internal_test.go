package monitor

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// values is one measurement every ten seconds.
func follow(values []float64) (began, ended []int, last *Anomaly) {
	w, now := &watch{}, time.Unix(1000, 0)
	for i, v := range values {
		change := w.look(Memory, Subject{"f", "i"}, &finding{value: v, limit: 90, clear: 85, hold: 20 * time.Second, window: tick, tell: func() (map[string]float64, string) { return nil, "x" }}, now)
		switch {
		case change == nil:
		case change.Ended.IsZero():
			began = append(began, i)
		default:
			ended = append(ended, i)
		}
		if change != nil {
			last = change
		}
		now = now.Add(tick)
	}
	return began, ended, last
}

func repeated(v float64, n int) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = v
	}
	return list
}

func TestARuleBeginsAfterAWhileAndEndsAfterAWhile(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	join := func(parts ...[]float64) (all []float64) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for _, c := range []struct {
		name         string
		values       []float64
		began, ended int // index of the measurement; -1: never
	}{
		{"below", repeated(89, 100), -1, -1},
		{"at the limit", repeated(90, 100), -1, -1},
		{"over for too short a time", []float64{95, 95, 80, 95, 95, 80}, -1, -1},
		{"over for long enough", repeated(95, 10), 2, -1},
		{"well again for long enough", join(repeated(95, 3), repeated(80, 7)), 2, 9},
		{"on the edge it goes on", join(repeated(95, 3), repeated(88, 50)), 2, -1},
		{"well for too short a time", join(repeated(95, 3), repeated(80, 6), repeated(95, 1), repeated(80, 6)), 2, -1},
		{"unknown begins nothing", join(repeated(95, 2), repeated(nan, 5), repeated(95, 2)), -1, -1},
		{"unknown for long ends it", join(repeated(95, 3), repeated(nan, 60)), 2, 62},
		{"unknown for a while does not", join(repeated(95, 3), repeated(nan, 59), repeated(95, 3)), 2, -1},
	} {
		began, ended, _ := follow(c.values)
		check := func(what string, got []int, want int) {
			if len(got) > 1 || (want < 0) != (len(got) == 0) || want >= 0 && got[0] != want {
				t.Errorf("%s: %s at %v, want %d", c.name, what, got, want)
			}
		}
		check("began", began, c.began)
		check("ended", ended, c.ended)
	}
}

func TestNoiseOnTheLimitIsToldOfOnce(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, 720) // two hours
	for i := range values {
		values[i] = 90 + 4*random.NormFloat64()
	}
	if began, _, _ := follow(values); len(began) > 1 {
		t.Errorf("it began %d times", len(began))
	}
}

func TestAnAnomalyKeepsItsWorstValue(t *testing.T) {
	t.Parallel()
	_, _, last := follow(append([]float64{91, 91, 91, 99, 92}, repeated(10, 10)...))
	if last == nil || last.Worst != 99 || last.Value != 10 || last.Ended.Sub(last.Since) != 110*time.Second {
		t.Errorf("%+v", last)
	}
}

func TestAnAnomalyThatEasesSaysSo(t *testing.T) {
	t.Parallel()
	w, now := &watch{}, time.Unix(1000, 0)
	for _, c := range []struct {
		value float64
		text  string
	}{{95, ""}, {95, ""}, {95, "x"}, {80, "x; it eases, and is over when that lasts 1m0s"}, {88, "x"}} {
		w.look(Memory, Subject{"f", "i"}, &finding{value: c.value, limit: 90, clear: 85, hold: 20 * time.Second, window: tick, tell: func() (map[string]float64, string) { return nil, "x" }}, now)
		got := ""
		if w.current != nil {
			got = w.current.Text
		}
		if got != c.text {
			t.Errorf("at %v: %q, want %q", c.value, got, c.text)
		}
		now = now.Add(tick)
	}
}
