package stress_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"holdfast/loadtest"
	"holdfast/loadtest/capacity"
	"holdfast/loadtest/stress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service serves several requests at a time, each for as long, and keeps the
// others waiting in a queue of which it cuts what is beyond a bound. It is its
// own Client and runs on virtual time.
type service struct {
	takes time.Duration
	bound int // of the queue; 0: none

	mu   sync.Mutex
	free []time.Time // when each server is free
	gets int
}

func newService(servers int, takes time.Duration) *service {
	return &service{takes: takes, free: make([]time.Time, servers)}
}

func (s *service) NewUser(int) (loadtest.User, error) {
	return &user{service: s, interrupt: make(chan struct{}, 1)}, nil
}

// enter returns how long a request that comes now is inside.
func (s *service) enter(now time.Time) (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets++
	first := 0
	for i := range s.free {
		if s.free[i].Before(s.free[first]) {
			first = i
		}
	}
	begins := s.free[first]
	if begins.Before(now) {
		begins = now
	}
	if s.bound > 0 && begins.Sub(now) > time.Duration(s.bound)*s.takes/time.Duration(len(s.free)) {
		return 0, false
	}
	s.free[first] = begins.Add(s.takes)
	return begins.Add(s.takes).Sub(now), true
}

type user struct {
	service   *service
	interrupt chan struct{}
}

func (u *user) Do(ctx context.Context, shot *loadtest.Shot) {
	shot.Written = shot.Now()
	inside, ok := u.service.enter(time.Now())
	if !ok {
		shot.Class, shot.Status = loadtest.BadStatus, 503
		return
	}
	timer := time.NewTimer(inside)
	defer timer.Stop()
	select {
	case <-timer.C:
		shot.Class, shot.Status = loadtest.OK, 200
	case <-u.interrupt:
		shot.Class = loadtest.Timeout
	case <-ctx.Done():
		shot.Class = loadtest.Interrupted
	}
}

func (u *user) Interrupt() { u.interrupt <- struct{}{} }
func (*user) Close()       {}

func base(s *service) loadtest.Config {
	return loadtest.Config{Client: s, Pacing: loadtest.Coarse, Timeout: 5 * time.Second}
}

func TestTheBreakingPointOfAQueueIsItsCapacity(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		of    *service
		limit float64
		cause []capacity.Cause
	}{
		{"it gets slow", newService(4, 40*time.Millisecond), 100, []capacity.Cause{capacity.Latency, capacity.Queue}},
		{"it refuses", &service{takes: 10 * time.Millisecond, bound: 5, free: make([]time.Time, 2)}, 200, []capacity.Cause{capacity.Errors}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tester := stress.StressTester{Base: base(c.of), Suite: stress.Breakpoint, Search: capacity.SearchConfig{
					ConfirmFor: 20 * time.Second, OverloadFor: 5 * time.Second, Limits: capacity.Limits{P99: 200 * time.Millisecond},
				}}
				r, err := tester.Run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				f := r.Found
				if f.Low > 1.01*c.limit || f.Low < 0.9*c.limit || f.High < 0.97*c.limit || !f.Confirmed {
					t.Errorf("found %v to %v, confirmed %v, of a capacity of %v", f.Low, f.High, f.Confirmed, c.limit)
				}
				for i := range r.Series {
					if p := &r.Series[i]; i > 0 && (p.At <= r.Series[i-1].At || p.Length < 400*time.Millisecond) {
						t.Errorf("point %d ends at %v, after %v", i, p.At, p.Length)
					}
				}
				if last := r.Spans[len(r.Spans)-1]; r.Held == nil || last.Phase != capacity.Recover || r.Series[len(r.Series)-1].At != last.To {
					t.Errorf("held %v, the last step is %+v", r.Held, last)
				}
				known := false
				for _, cause := range c.cause {
					known = known || f.Cause == cause
				}
				if !known {
					t.Errorf("%v broke first", f.Cause)
				}
				if !f.Measured || f.Recovered < 0 || f.Recovered > 30*time.Second {
					t.Errorf("recovered after %v (%v)", f.Recovered, f.Measured)
				}
			})
		})
	}
}

func TestASuitePutsItsShapeOnTheService(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		suite stress.Suite
		rates []float64
	}{
		{stress.Smoke, []float64{5}},
		{stress.Load, []float64{50}},
		{stress.Stress, []float64{50, 75, 100, 150}},
		{stress.Spike, []float64{50, 500, 50}},
		{stress.Recovery, []float64{50, 150, 25}},
	} {
		synctest.Test(t, func(t *testing.T) {
			tester := stress.StressTester{Base: base(newService(100, 10*time.Millisecond)), Suite: c.suite, Rate: 50, Length: 16 * time.Second}
			r, err := tester.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Load.Stages) != len(c.rates) || r.Load.Total.Failures() != 0 {
				t.Fatalf("%s: %d stages, %d failures", c.suite, len(r.Load.Stages), r.Load.Total.Failures())
			}
			var length time.Duration
			for i, s := range r.Load.Stages {
				length += s.Planned
				if got := float64(s.Summary.Planned()) / s.Planned.Seconds(); math.Abs(got-c.rates[i]) > 1 {
					t.Errorf("%s: stage %d has %v requests/s, want %v", c.suite, i, got, c.rates[i])
				}
			}
			if length != 16*time.Second {
				t.Errorf("%s lasts %v", c.suite, length)
			}
		})
	}
}

func TestASuiteWithoutARateIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := (&stress.StressTester{Base: base(newService(1, 1))}).Run(t.Context()); !errors.Is(err, stress.ErrNoRate) {
		t.Error(err)
	}
	if _, err := stress.ParseSuite("smoke-test"); err == nil {
		t.Error("an unknown suite is taken")
	}
	for _, s := range stress.Suites() {
		if got, err := stress.ParseSuite(string(s)); got != s || err != nil {
			t.Errorf("%s: %v %v", s, got, err)
		}
	}
}

func TestASearchThatIsInterruptedTellsWhatItKnows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		steps := 0
		tester := stress.StressTester{Base: base(newService(4, 40*time.Millisecond)), Suite: stress.Breakpoint, OnStep: func(capacity.Step) {
			if steps++; steps == 4 {
				stop()
			}
		}}
		r, err := tester.Run(ctx)
		if err != nil || !r.Interrupted || len(r.Found.Looks) != 3 || r.Found.Low < 20 {
			t.Errorf("%v: %+v", err, r)
		}
	})
}

func TestScalabilityIsFittedToWhatWasMeasured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u, points, last, err := stress.Scalability(t.Context(), base(newService(16, 10*time.Millisecond)), 64, 4*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if len(points) != 7 || math.Abs(points[0].Throughput-100) > 5 || math.Abs(points[6].Throughput-1600) > 80 || u.Lambda.Value < 80 || last.Total.Planned() < 6000 {
			t.Errorf("%+v of %+v", u, points)
		}
	})
}
