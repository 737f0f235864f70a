package capacity_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"holdfast/loadtest/capacity"
)

// queue is a service that is a single queue with exponential times (M/M/1): at
// rate r of capacity c, p99 is ln(100)/(c-r), and beyond c the queue grows.
type queue struct {
	capacity float64
	breaks   func(*capacity.Window) // what happens beyond it, nil: it only gets slow
	noise    func() bool            // whether a window comes out wrong
}

func (q queue) serve(s capacity.Step) capacity.Window {
	length := s.Length - s.Discard
	w := capacity.Window{Rate: s.Rate, Length: length, Good: int64(s.Rate * length.Seconds()), P99: time.Hour}
	over := s.Rate >= q.capacity
	if q.noise != nil && q.noise() {
		over = !over
	}
	switch {
	case over && q.breaks != nil:
		q.breaks(&w)
	case over:
		lost := int64((s.Rate - q.capacity) * length.Seconds())
		for i := range int64(length.Seconds()) {
			w.InFlight = append(w.InFlight, i*max(lost, 10))
		}
	default:
		w.P99 = 10 * time.Millisecond
	}
	return w
}

// run drives a search against a service that is well again after some seconds.
func run(t *testing.T, c capacity.SearchConfig, q queue, wellAfter int) capacity.Found {
	t.Helper()
	s := capacity.NewSearch(c)
	for n := 0; ; n++ {
		step := s.Next()
		if step.Phase == capacity.Done {
			return s.Result()
		}
		if n > 100 {
			t.Fatalf("no end after %d steps: %+v", n, step)
		}
		if step.Rate <= 0 || step.Length <= step.Discard {
			t.Fatalf("not to be done: %+v", step)
		}
		s.Observe(q.serve(step))
		if step.Phase != capacity.Recover {
			continue
		}
		for list := []capacity.Second(nil); !s.Seconds(list); {
			p99 := 10 * time.Millisecond
			if len(list) < wellAfter {
				p99 = time.Second
			}
			list = append(list, capacity.Second{Good: 10, P99: p99})
		}
	}
}

func TestASearchFindsTheCapacity(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 7))
	for range 500 {
		q := queue{capacity: 10 + 20_000*random.Float64()*random.Float64()}
		f := run(t, capacity.SearchConfig{}, q, 4)
		if f.Low > q.capacity || f.High < q.capacity || f.High > 1.051*f.Low || !f.Confirmed || f.Sustainable != f.Low || f.Cause != capacity.Queue && f.Cause != capacity.Latency {
			t.Fatalf("capacity %v: found %v to %v, confirmed %v, cause %v", q.capacity, f.Low, f.High, f.Confirmed, f.Cause)
		}
		if !f.Measured || f.Recovered != 4*time.Second {
			t.Fatalf("recovered after %v (%v)", f.Recovered, f.Measured)
		}
	}
}

func TestASearchSurvivesWindowsThatComeOutWrong(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	near, all := 0, 300
	for range all {
		q := queue{capacity: 100 + 5000*random.Float64(), noise: func() bool { return random.Float64() < 0.1 }}
		if f := run(t, capacity.SearchConfig{}, q, 0); f.Sustainable > 0.85*q.capacity && f.Sustainable < 1.1*q.capacity {
			near++
		}
	}
	if near < all*85/100 {
		t.Errorf("%d of %d searches came within 15 %%", near, all)
	}
}

func TestASearchSaysWhatBroke(t *testing.T) {
	t.Parallel()
	fails := func(part func(w *capacity.Window, n int64)) func(*capacity.Window) {
		return func(w *capacity.Window) {
			n := w.Good / 10
			w.Good -= n
			w.Failed += n
			w.P99 = time.Millisecond
			part(w, n)
		}
	}
	for _, c := range []struct {
		want   capacity.Cause
		breaks func(*capacity.Window)
	}{
		{capacity.Errors, fails(func(*capacity.Window, int64) {})},
		{capacity.Limited, fails(func(w *capacity.Window, n int64) { w.Limited = n })},
		{capacity.Resets, fails(func(w *capacity.Window, n int64) { w.Resets = n })},
		{capacity.Latency, func(w *capacity.Window) { w.P99 = time.Second }},
		{capacity.Queue, func(w *capacity.Window) { w.Good, w.P99 = w.Good/2, 0 }},
		{capacity.Generator, func(w *capacity.Window) { w.Invalid = true }},
	} {
		if f := run(t, capacity.SearchConfig{}, queue{capacity: 777, breaks: c.breaks}, 0); f.Cause != c.want || f.Low > 777 || f.High < 777 {
			t.Errorf("%v broke, found %v between %v and %v", c.want, f.Cause, f.Low, f.High)
		}
	}
}

func TestTheEndsOfASearch(t *testing.T) {
	t.Parallel()
	f := run(t, capacity.SearchConfig{Max: 500}, queue{capacity: 1e9}, 0)
	if f.Sustainable != 500 || f.High != 0 || f.Cause != capacity.Nothing {
		t.Errorf("nothing breaks it: %+v", f)
	}
	f = run(t, capacity.SearchConfig{}, queue{capacity: 0}, 0)
	if f.Sustainable != 0 || f.Confirmed || f.Measured {
		t.Errorf("it carries nothing: %+v", f)
	}
	f = run(t, capacity.SearchConfig{RecoverFor: 5 * time.Second}, queue{capacity: 100}, 1000)
	if !f.Measured || f.Recovered >= 0 {
		t.Errorf("it does not recover: %+v", f)
	}
}

// A service that stands ten seconds but not a minute has its limit lower.
// Wherever a search is interrupted, what it names as sustainable was held for the whole time of a confirmation.
func TestAnInterruptedSearchNamesNoRateThatWasNotHeld(t *testing.T) {
	t.Parallel()
	better, named := 0, 0
	for capacityThen := 300.0; capacityThen < 5000; capacityThen *= 1.3 {
		held := map[float64]bool{0: true}
		q := queue{capacity: 300}
		s := capacity.NewSearch(capacity.SearchConfig{})
		for step := s.Next(); step.Phase != capacity.Done && step.Phase != capacity.Recover; step = s.Next() {
			if s.Observe(q.serve(step)); step.Phase == capacity.Confirm && step.Rate < q.capacity {
				held[step.Rate] = true
				q.capacity = capacityThen // it has got faster, so that the upper side is good and the search goes up again
			}
			f := s.Result()
			if !held[f.Sustainable] || f.Confirmed != (f.Sustainable > 0) || f.Sustainable > f.Low {
				t.Fatalf("after %v at %v: %v is named, which was not held; %+v", step.Phase, step.Rate, f.Sustainable, f)
			}
			if f.Sustainable > 0 {
				named++
			}
			if step.Phase == capacity.Doubling && f.Sustainable > 0 {
				better++
			}
		}
	}
	if named == 0 || better == 0 {
		t.Errorf("%d results named a rate, %d of them while it went up again: the test shows nothing", named, better)
	}
}

func TestAConfirmationCanFail(t *testing.T) {
	t.Parallel()
	s := capacity.NewSearch(capacity.SearchConfig{})
	short, long := queue{capacity: 1000}, queue{capacity: 800}
	for {
		step := s.Next()
		if step.Phase == capacity.Done {
			break
		}
		q := short
		if step.Phase == capacity.Confirm {
			q = long
		}
		s.Observe(q.serve(step))
		if step.Phase == capacity.Recover {
			s.Seconds(make([]capacity.Second, 60))
		}
	}
	if f := s.Result(); f.Sustainable > 800 || f.Sustainable > 0 != f.Confirmed {
		t.Errorf("%v confirmed %v", f.Sustainable, f.Confirmed)
	}
}
