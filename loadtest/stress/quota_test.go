package stress_test

import (
	"context"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/capacity"
	"holdfast/loadtest/stress"
)

// limiter is a token bucket that answers what it has no token for with 429, and asks for a rest of after. Its quickness and its
// limit are all that it has.
type limiter struct {
	rate, burst float64
	after       time.Duration

	mu      sync.Mutex
	last    time.Time
	tokens  float64
	refused int
	all     int
}

// NewUser implements loadtest.Client.
func (l *limiter) NewUser(int) (loadtest.User, error) { return caller{l}, nil }

func (l *limiter) take(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.IsZero() {
		l.last, l.tokens = now, l.burst
	}
	l.tokens = min(l.tokens+l.rate*now.Sub(l.last).Seconds(), max(l.burst, 1))
	l.last = now
	l.all++
	if l.tokens < 1 {
		l.refused++
		return false
	}
	l.tokens--
	return true
}

type caller struct{ of *limiter }

// Do implements loadtest.User.
func (c caller) Do(_ context.Context, s *loadtest.Shot) {
	s.Written = max(s.Now(), 1)
	if !c.of.take(time.Now()) {
		s.Class, s.Status, s.RetryAfter = loadtest.RateLimited, 429, c.of.after
	}
}

// Interrupt implements loadtest.User.
func (caller) Interrupt() {}

// Close implements loadtest.User.
func (caller) Close() {}

func TestALimitIsFoundWithinATenth(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]*limiter{
		"a small burst":             {rate: 100, burst: 5},
		"a second's burst":          {rate: 100, burst: 100},
		"ten seconds' burst":        {rate: 50, burst: 500},
		"little at all":             {rate: 12, burst: 3},
		"a lot":                     {rate: 3000, burst: 300},
		"it asks for a rest":        {rate: 100, burst: 20, after: time.Second},
		"it asks for a longer rest": {rate: 100, burst: 100, after: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tester := stress.StressTester{
					Base:  loadtest.Config{Client: l, Pacing: loadtest.Coarse},
					Suite: stress.Quota, Length: 2 * time.Minute, Search: capacity.SearchConfig{Min: 5, Max: 100_000},
				}
				r, err := tester.Run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				q := r.Quota
				if !q.Known || math.Abs(q.Rate-l.rate) > 0.1*l.rate {
					t.Errorf("found %+v, the limit is %v with a burst of %v", *q, l.rate, l.burst)
				}
				if share := float64(l.refused) / float64(l.all); share > 0.25 {
					t.Errorf("%.0f %% of the requests were refused: it does not give way", 100*share)
				}
				t.Logf("limit %v burst %v: found %.4g burst %.3g, error %.3g, refused %d of %d", l.rate, l.burst, q.Rate, q.Burst, q.Error, l.refused, l.all)
			})
		})
	}
}

func TestATargetThatBreaksBeforeItRefusesIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]time.Duration{"requests pile up": 0, "none waits for long": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := base(newService(2, 20*time.Millisecond)) // it carries 100/s
				if wait > 0 {
					c.MaxWait, c.MaxInFlight = wait, 10
				}
				tester := stress.StressTester{Base: c, Suite: stress.Quota, Length: time.Minute, Search: capacity.SearchConfig{Min: 5, Max: 3000}}
				r, err := tester.Run(t.Context())
				if err != nil || !r.Broke || r.Quota.Known || r.Interrupted || r.Load.Elapsed > 20*time.Second {
					t.Errorf("%v: broke %v, found %+v, after %v", err, r.Broke, *r.Quota, r.Load.Elapsed)
				}
			})
		})
	}
}

func TestWhereNothingIsRefusedNoLimitIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &limiter{rate: 1e6, burst: 1e6}
		tester := stress.StressTester{
			Base:  loadtest.Config{Client: l, Pacing: loadtest.Coarse},
			Suite: stress.Quota, Length: 20 * time.Second, Search: capacity.SearchConfig{Min: 5, Max: 200},
		}
		r, err := tester.Run(t.Context())
		if err != nil || r.Quota.Known {
			t.Errorf("%v: found %+v", err, r.Quota)
		}
		if n := r.Load.Total.Planned(); n > 200*20 {
			t.Errorf("%d requests in 20 s, where 200/s are the most", n)
		}
	})
}
