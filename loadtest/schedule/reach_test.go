package schedule_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"holdfast/loadtest/schedule"
)

// Against a search in small steps.
func TestTheRateIsAboveALevelFromTheMomentSaid(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(9, 9))
	const step = time.Millisecond
	for range 300 {
		var stages []schedule.Stage
		for range 1 + rng.IntN(4) {
			s := schedule.Stage{Shape: schedule.Shape(rng.IntN(4)), Rate: float64(rng.IntN(20)), Duration: time.Duration(1+rng.IntN(20)) * 10 * time.Millisecond}
			if s.Shape == schedule.Sine {
				s.Amplitude, s.Period = s.Rate*rng.Float64(), time.Duration(50+rng.IntN(100))*time.Millisecond
			}
			stages = append(stages, s)
		}
		c := curve(t, stages...)
		level, from := float64(rng.IntN(20))+0.5, time.Duration(rng.IntN(100))*step
		want, found := time.Duration(0), false
		for at := from; at < c.Duration() && !found; at += step {
			want, found = at, c.Rate(at) > level
		}
		got, ok := c.Above(level, from)
		if found && (!ok || got > want || got < want-step) {
			t.Fatalf("%+v: above %v from %v on at %v (%v), a search says %v", stages, level, from, got, ok, want)
		}
		if ok && (got < from || c.Rate(got+step/10) < level && c.Rate(got) < level) {
			t.Fatalf("%+v: at %v the rate is %v, not above %v", stages, got, c.Rate(got), level)
		}
	}
}
