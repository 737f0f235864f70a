package http1

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestTimersFireInTimeHoweverTheyAreMoved(t *testing.T) {
	t.Parallel()
	const n = 2000
	r := rand.New(rand.NewPCG(1, 2))
	w, timers, want := newWheel(), make([]timer, n), make([]time.Duration, n)
	var now time.Duration
	jumped := false
	for i := range timers {
		want[i] = -1
		timers[i].fire = func() {
			if late := now - want[i]; want[i] < 0 || late < 0 || !jumped && late > 2*wheelTick {
				t.Errorf("timer %d for %v fires at %v", i, want[i], now)
			}
			want[i] = -1
		}
	}
	for now < 2*time.Minute {
		for range 5 {
			i := r.IntN(n)
			if r.IntN(4) == 0 {
				w.stop(&timers[i])
				want[i] = -1
				continue
			}
			want[i] = now + time.Duration(r.Int64N(int64(20*time.Second)))
			w.set(&timers[i], want[i])
		}
		now += time.Duration(r.Int64N(int64(wheelTick)))
		w.advance(now)
	}
	now, jumped = now+time.Minute, true // a jump over several rounds
	w.advance(now)
	if w.count != 0 {
		t.Errorf("%d timers left", w.count)
	}
}

func TestAWheelKnowsHowLongItMaySleep(t *testing.T) {
	t.Parallel()
	w := newWheel()
	if got := w.wait(0); got >= 0 {
		t.Errorf("an empty wheel wants to be woken in %v", got)
	}
	fired := false
	x := timer{fire: func() { fired = true }}
	w.set(&x, time.Second)
	var now time.Duration
	for range 100 {
		d := w.wait(now)
		if d < 0 {
			break
		}
		now += max(d, time.Millisecond)
		w.advance(now)
	}
	if !fired || now < time.Second || now > time.Second+3*wheelTick || w.count != 0 {
		t.Errorf("fired %v at %v, %d left", fired, now, w.count)
	}
}
