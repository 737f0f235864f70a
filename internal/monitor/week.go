package monitor

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"holdfast/internal/history"
)

const (
	week = 7 * 24 * time.Hour
	// recentPart is what is compared, weekPart the hour around the same moment
	// last week that it is compared with.
	recentPart = 15 * time.Minute
	weekPart   = time.Hour
	// leastMinutes with requests each side must have.
	leastMinutes = 5
	// leastSlower keeps a function from being called slow over a millisecond.
	leastSlower = 20.0
	// perLook bounds the functions that are compared at one tick; each is once in
	// about five minutes, or less often where there are very many.
	perLook   = 16
	compareIn = 5 * time.Minute
	askWithin = 5 * time.Second
	wellWeek  = 0.9
)

// weeks compare functions with themselves a week ago. The zero value has
// compared none.
type weeks struct {
	done map[string]*comparison
	turn int
}

// comparison is the latest of one function; NaN: there is nothing to compare.
type comparison struct {
	at         time.Time
	today      float64 // median of the minutes' p95, in milliseconds
	before     float64
	rate, then float64 // requests per second
}

// look compares the functions whose turn it is.
func (w *weeks) look(ctx context.Context, past func(context.Context, string, time.Time, time.Time) ([]history.Point, error), list []FunctionFigures, now time.Time) {
	if past == nil || len(list) == 0 {
		return
	}
	kept := make(map[string]*comparison, len(list))
	for i := range list {
		if c := w.done[list[i].Function]; c != nil {
			kept[list[i].Function] = c
		}
	}
	w.done = kept
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	for asked, n := 0, 0; n < len(list) && asked < perLook; n++ {
		name := list[w.turn%len(list)].Function
		if c := w.done[name]; c != nil && now.Sub(c.at) < compareIn {
			w.turn++
			continue
		}
		c := compare(ctx, past, name, now)
		if ctx.Err() != nil {
			return // the store is slow or gone; later
		}
		w.done[name] = c
		asked++
		w.turn++
	}
}

func compare(ctx context.Context, past func(context.Context, string, time.Time, time.Time) ([]history.Point, error), name string, now time.Time) *comparison {
	c := &comparison{at: now, today: nan, before: nan}
	then := now.Add(-week)
	old, err := past(ctx, name, then.Add(-weekPart/2), then.Add(weekPart/2))
	if err != nil || len(old) == 0 {
		return c
	}
	today, err := past(ctx, name, now.Add(-recentPart), now)
	if err != nil {
		return c
	}
	c.today, c.rate = typical(today)
	c.before, c.then = typical(old)
	return c
}

// typical returns the medians of p95 and rate over the minutes with requests.
func typical(points []history.Point) (p95, rate float64) {
	var slow, rates []float64
	for i := range points {
		if !math.IsNaN(points[i].P95) {
			slow, rates = append(slow, points[i].P95), append(rates, points[i].Rate)
		}
	}
	if len(slow) < leastMinutes {
		return nan, nan
	}
	slices.Sort(slow)
	slices.Sort(rates)
	return slow[len(slow)/2], rates[len(rates)/2]
}

// finding is how many times slower a function is than a week ago.
func (w *weeks) finding(name string, limit float64) finding {
	f := finding{value: nan, limit: limit, clear: max(1, wellWeek*limit), window: recentPart}
	c := w.done[name]
	if c == nil || math.IsNaN(c.today) || !(c.before > 0) {
		return f
	}
	f.value = c.today / c.before
	if c.today-c.before < leastSlower {
		f.value = min(f.value, 1)
	}
	slower := f.value
	f.tell = func() (map[string]float64, string) {
		return map[string]float64{"p95_ms": c.today, "p95_ms_last_week": c.before, "rate": c.rate, "rate_last_week": c.then},
			fmt.Sprintf("p95 is %.0f ms over the last 15 min and was %.0f ms at this hour last week (%.1f times, limit %.1f; %.3g and %.3g requests/s)",
				c.today, c.before, slower, limit, c.rate, c.then)
	}
	return f
}
