package loadtest_test

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
	"holdfast/loadtest/schedule"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// model is a service in virtual time. It says how long it takes for a request that reaches it now.
type model func(s *loadtest.Shot) (time.Duration, loadtest.Class)

func (m model) NewUser(int) (loadtest.User, error) {
	return &modelUser{model: m, stop: make(chan struct{}, 1)}, nil
}

type modelUser struct {
	model model
	stop  chan struct{}
}

func (u *modelUser) Do(_ context.Context, s *loadtest.Shot) {
	s.Written = max(s.Now(), 1)
	d, class := u.model(s)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		s.Class = class
		if class == loadtest.OK {
			s.Status = 200
		}
	case <-u.stop:
		s.Class = loadtest.OtherFailure
	}
	s.Done = s.Now()
}

func (u *modelUser) Interrupt() { u.stop <- struct{}{} }
func (u *modelUser) Close()     {}

func constant(d time.Duration) model {
	return func(*loadtest.Shot) (time.Duration, loadtest.Class) { return d, loadtest.OK }
}

// do runs c in virtual time.
func do(t *testing.T, c loadtest.Config) *loadtest.Result {
	t.Helper()
	c.Pacing = loadtest.Coarse
	r, err := loadtest.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// near fails when got is farther from want than a part of it.
func near(t *testing.T, what string, got, want time.Duration, part float64) {
	t.Helper()
	if math.Abs(float64(got-want)) > part*float64(want) {
		t.Errorf("%s is %v, want %v within %v %%", what, got, want, 100*part)
	}
}

func TestAnOpenRunSendsWhatItPlanned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := do(t, loadtest.Config{Client: constant(5 * time.Millisecond), Rate: 400, Duration: 10 * time.Second})
		if r.Total.Planned() != 4000 || r.Total.Counts[loadtest.OK] != 4000 || r.Total.Statuses[200] != 4000 {
			t.Errorf("planned %d, ok %d, answered %d, want 4000", r.Total.Planned(), r.Total.Counts[loadtest.OK], r.Total.Statuses[200])
		}
		near(t, "response p99", r.Total.Response.Quantile(0.99), 5*time.Millisecond, 0.1) // the pacer waits 0.25 ms at least
		if r.Target != 4000 || r.TargetRate() != 400 || math.Abs(r.Rate()-400) > 1 {
			t.Errorf("target %v, %v/s, carried %v/s", r.Target, r.TargetRate(), r.Rate())
		}
		if len(r.Series) != 11 || r.Series[3].Offered != 400 || r.Series[3].Done < 398 || r.Series[3].Done > 402 {
			t.Errorf("the series has %d points, the fourth %+v", len(r.Series), r.Series[3])
		}
	})
}

// A service that stands still for a second at 1,000 requests a second: those that were due in it waited from a second
// down to nothing, so of 30,000 the slowest 300 took 0.7 s and more. Only the few that were under way have a long service
// time, which is what coordinated omission would have shown.
func TestAFreezeIsInTheResponseTimesAndNotInTheServiceTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		frozen := func(*loadtest.Shot) (time.Duration, loadtest.Class) {
			if at := time.Since(begun); at >= 10*time.Second && at < 11*time.Second {
				return 11*time.Second - at, loadtest.OK
			}
			return time.Millisecond, loadtest.OK
		}
		r := do(t, loadtest.Config{Client: model(frozen), Rate: 1000, Duration: 30 * time.Second, MaxInFlight: 40, CatchUp: 1e6})
		near(t, "response p99", r.Total.Response.Quantile(0.99), 700*time.Millisecond, 0.05)
		near(t, "service p99", r.Total.Service.Quantile(0.99), time.Millisecond, 0.05)
		near(t, "longest wait", r.Total.Wait.Max(), 960*time.Millisecond, 0.05)
		if lag := r.Total.TimerLag.Max(); lag > time.Millisecond {
			t.Errorf("the target's freeze is put down to the generator: timer lag %v", lag)
		}
		if r.Total.Counts[loadtest.OK] != 30_000 {
			t.Errorf("ok %d, want all", r.Total.Counts[loadtest.OK])
		}
	})
}

func TestABacklogIsSentAtTheCatchUpRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var mu sync.Mutex
		perTenth := map[int]int{}
		frozen := func(*loadtest.Shot) (time.Duration, loadtest.Class) {
			at := time.Since(begun)
			mu.Lock()
			perTenth[int(at/(100*time.Millisecond))]++
			mu.Unlock()
			if at >= time.Second && at < 2*time.Second {
				return 2*time.Second - at, loadtest.OK
			}
			return time.Millisecond, loadtest.OK
		}
		r := do(t, loadtest.Config{Client: model(frozen), Rate: 1000, Duration: 4 * time.Second, MaxInFlight: 20, CatchUp: 3})
		for tenth, n := range perTenth {
			if n > 340 {
				t.Errorf("%d requests were sent in tenth %d of a second, want 300 at most", n, tenth)
			}
		}
		if perTenth[21] < 250 {
			t.Errorf("only %d requests were sent in the tenth after the freeze, want about 300", perTenth[21])
		}
		if lag := r.Total.TimerLag.Max(); lag > late {
			t.Errorf("timer lag %v, want the backlog to count as wait", lag)
		}
	})
}

const late = 21 * time.Millisecond

func TestWhatFindsNobodyFreeInTimeIsNotSentAndFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := do(t, loadtest.Config{Client: constant(time.Second), Rate: 10, Duration: 10 * time.Second, MaxInFlight: 2, MaxWait: 500 * time.Millisecond})
		sent, not := r.Total.Counts[loadtest.OK], r.Total.Counts[loadtest.NotSent]
		if sent+not != 100 || sent < 18 || sent > 23 {
			t.Errorf("%d sent and %d not, want about 20 and 100 in all", sent, not)
		}
		if r.Total.Failures() != not || r.Total.ErrorRatio() != float64(not)/100 {
			t.Errorf("%d failures, ratio %v", r.Total.Failures(), r.Total.ErrorRatio())
		}
		if m := r.Total.ByClass[loadtest.NotSent].Min(); m < 500*time.Millisecond {
			t.Errorf("a request was given up after %v", m)
		}
		if r.Total.Response.Max() > 1600*time.Millisecond {
			t.Errorf("a request that was sent took %v", r.Total.Response.Max())
		}
	})
}

func TestATimeoutCountsWithItsWholeLength(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hangs := func(s *loadtest.Shot) (time.Duration, loadtest.Class) {
			if s.Seq%10 == 0 {
				return time.Hour, loadtest.OK
			}
			return time.Millisecond, loadtest.OK
		}
		r := do(t, loadtest.Config{Client: model(hangs), Rate: 100, Duration: 5 * time.Second, Timeout: 2 * time.Second})
		if r.Total.Counts[loadtest.Timeout] != 50 || r.Total.Failures() != 50 {
			t.Errorf("%d timeouts, %d failures, want 50", r.Total.Counts[loadtest.Timeout], r.Total.Failures())
		}
		near(t, "response p99", r.Total.Response.Quantile(0.99), 2*time.Second, 0.03)
		if m := r.Total.ByClass[loadtest.Timeout].Min(); m < 2*time.Second {
			t.Errorf("a timeout came after %v", m)
		}
	})
}

func TestErrorsHaveHistogramsOfTheirOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mixed := func(s *loadtest.Shot) (time.Duration, loadtest.Class) {
			if s.Seq%2 == 0 {
				return time.Millisecond, loadtest.BadStatus
			}
			return 50 * time.Millisecond, loadtest.OK
		}
		r := do(t, loadtest.Config{Client: model(mixed), Rate: 100, Duration: 5 * time.Second})
		near(t, "response p50", r.Total.Response.Quantile(0.5), 50*time.Millisecond, 0.02)
		near(t, "p50 of the errors", r.Total.ByClass[loadtest.BadStatus].Quantile(0.5), time.Millisecond, 0.3)
		if r.Total.ErrorRatio() != 0.5 {
			t.Errorf("error ratio %v", r.Total.ErrorRatio())
		}
	})
}

func TestAClosedRunAsksAsOftenAsItIsAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := do(t, loadtest.Config{Client: constant(10 * time.Millisecond), Concurrency: 20, Duration: 5 * time.Second, RampUp: 4 * time.Second})
		steady := r.Stages[1]
		if n := steady.Counts[loadtest.OK]; n < 9980 || n > 10_020 {
			t.Errorf("20 users of 10 ms sent %d requests in 5 s, want 10,000", n)
		}
		if n := r.Stages[0].Counts[loadtest.OK]; n < 3700 || n > 4300 {
			t.Errorf("%d requests while ramping up, want about 4,000", n)
		}
		if r.Open || r.TargetRate() != 0 {
			t.Error("a closed run says that it has a target")
		}
	})
}

func TestTheNumberOfRequestsEndsAClosedRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := do(t, loadtest.Config{Client: constant(10 * time.Millisecond), Concurrency: 7, Duration: time.Hour, Requests: 1001})
		if r.Total.Planned() != 1001 || r.Elapsed > 2*time.Second || r.Elapsed < 1400*time.Millisecond {
			t.Errorf("%d requests in %v, want 1001 in 1.43 s", r.Total.Planned(), r.Elapsed)
		}
	})
}

func TestTheWarmUpIsCountedByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		cold := func(*loadtest.Shot) (time.Duration, loadtest.Class) {
			if time.Since(begun) < 2*time.Second {
				return 100 * time.Millisecond, loadtest.BadStatus
			}
			return time.Millisecond, loadtest.OK
		}
		r := do(t, loadtest.Config{Client: model(cold), Rate: 100, Duration: 3 * time.Second, Warmup: 2 * time.Second})
		if r.Warmup.Counts[loadtest.BadStatus] != 200 || r.Total.Failures() != 0 || r.Total.Counts[loadtest.OK] != 300 {
			t.Errorf("warm-up %d failures; measured %d failures, %d ok", r.Warmup.Failures(), r.Total.Failures(), r.Total.Counts[loadtest.OK])
		}
		if r.Target != 300 || r.Elapsed != 3*time.Second && r.Elapsed > 3010*time.Millisecond {
			t.Errorf("target %v in %v", r.Target, r.Elapsed)
		}
		if r.Series[0].Phase != "warm-up" || r.Series[3].Phase != "steady" {
			t.Errorf("phases %q and %q", r.Series[0].Phase, r.Series[3].Phase)
		}
	})
}

func TestStagesAndEndpointsAreCountedApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		byEndpoint := func(s *loadtest.Shot) (time.Duration, loadtest.Class) {
			return time.Duration(1+9*s.Endpoint) * time.Millisecond, loadtest.OK
		}
		r := do(t, loadtest.Config{
			Client: model(byEndpoint), Open: true, Seed: 3,
			Endpoints: []loadtest.Endpoint{{Name: "list", Weight: 3}, {Name: "buy"}},
			Stages: []schedule.Stage{
				{Name: "base", Rate: 100, Duration: 10 * time.Second},
				{Name: "spike", Shape: schedule.Spike, Rate: 1000, Duration: 2 * time.Second},
				{Name: "down", Shape: schedule.Linear, Duration: 10 * time.Second},
			},
		})
		for i, want := range []int64{1000, 2000, 500} {
			if got := r.Stages[i].Planned; got != []time.Duration{10 * time.Second, 2 * time.Second, 10 * time.Second}[i] {
				t.Errorf("stage %s lasts %v", r.Stages[i].Name, got)
			}
			if got := r.Stages[i].Counts[loadtest.OK]; got != want || r.Stages[i].Target != float64(want) {
				t.Errorf("stage %s had %d requests of %v, want %d", r.Stages[i].Name, got, r.Stages[i].Target, want)
			}
		}
		list, buy := r.Endpoints[0], r.Endpoints[1]
		if n := list.Counts[loadtest.OK]; n < 2500 || n > 2750 || n+buy.Counts[loadtest.OK] != 3500 {
			t.Errorf("list %d and buy %d of 3,500, want three to one", n, buy.Counts[loadtest.OK])
		}
		near(t, "p50 of buy", buy.Response.Quantile(0.5), 10*time.Millisecond, 0.03)
	})
}

func TestAStoppedRunSaysWhatItHas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, rate := range []float64{0, 100} {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			begun := time.Now()
			r, err := loadtest.Run(ctx, loadtest.Config{Client: constant(1500 * time.Millisecond), Rate: rate, Concurrency: 5, Duration: time.Hour, Pacing: loadtest.Coarse})
			cancel()
			if err != nil || !r.Interrupted {
				t.Fatalf("rate %v: %v, interrupted %v", rate, err, r.Interrupted)
			}
			if took := time.Since(begun); took > 3200*time.Millisecond {
				t.Errorf("rate %v: it took until %v", rate, took)
			}
			if r.Total.Counts[loadtest.OK] == 0 || r.Total.Failures() != 0 {
				t.Errorf("rate %v: ok %d, failed %d", rate, r.Total.Counts[loadtest.OK], r.Total.Failures())
			}
			if rate > 0 && r.Total.Counts[loadtest.Interrupted] == 0 {
				t.Error("nothing was interrupted")
			}
		}
	})
}

func TestATargetThatCannotBeReachedIsNotAskedAllTheTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused := func(*loadtest.Shot) (time.Duration, loadtest.Class) { return time.Microsecond, loadtest.Refused }
		r := do(t, loadtest.Config{Client: model(refused), Concurrency: 1, Duration: 20 * time.Second})
		if n := r.Total.Counts[loadtest.Refused]; n < 15 || n > 40 {
			t.Errorf("%d attempts in 20 s, want one a second after the first few", n)
		}
		if !r.Total.Unreachable() {
			t.Error("it does not say that the target was unreachable")
		}
	})
}

func TestAPoliteRunWaitsAsLongAsItIsAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, rate := range []float64{0, 100} {
			limited := func(s *loadtest.Shot) (time.Duration, loadtest.Class) {
				if s.Seq < 5 {
					return time.Millisecond, loadtest.OK
				}
				s.Status, s.RetryAfter = 429, 3*time.Second
				return time.Millisecond, loadtest.RateLimited
			}
			r := do(t, loadtest.Config{Client: model(limited), Rate: rate, Concurrency: 1, Duration: 10 * time.Second, Polite: true})
			if n := r.Total.Counts[loadtest.RateLimited]; n < 3 || n > 5 {
				t.Errorf("rate %v: asked %d times in 10 s, want every 3 s", rate, n)
			}
			if r.Total.RetryAfter != 3*time.Second {
				t.Errorf("the longest Retry-After was %v", r.Total.RetryAfter)
			}
			if rate > 0 && r.Total.Planned() != 1000 {
				t.Errorf("%d of 1,000 requests are accounted for", r.Total.Planned())
			}
		}
	})
}

type broken struct{}

func (broken) NewUser(n int) (loadtest.User, error) {
	if n == 3 {
		return nil, errors.New("no more users")
	}
	return constant(time.Second).NewUser(n)
}

func TestARunThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	client := constant(time.Millisecond)
	for want, c := range map[string]loadtest.Config{
		"check the load: a run needs a Client":                                                           {},
		"check the load: rate, concurrency, durations and limits must not be negative":                   {Client: client, Rate: -1},
		"check the load: catch-up is a multiple of the rate, at least 1, not 0.5":                        {Client: client, CatchUp: 0.5},
		"check the load: the number of requests of an open run follows from rate and duration":           {Client: client, Rate: 1, Requests: 5},
		"check the load: the weight of endpoint \"a\" is -1: want 0 or more":                             {Client: client, Endpoints: []loadtest.Endpoint{{Name: "a", Weight: -1}}},
		"check the load: 2 stages of 400 endpoints are too many to measure apart: at most 1024 together": {Client: client, RampUp: 1, Endpoints: make([]loadtest.Endpoint, 400)},
		"plan the load: stage 1 a: the duration must be longer than 0":                                   {Client: client, Stages: []schedule.Stage{{Name: "a"}}},
		"run the load: make user 3: no more users":                                                       {Client: broken{}},
	} {
		if _, err := loadtest.Run(t.Context(), c); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
