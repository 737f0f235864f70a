package balancer_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/balancer"
)

func ejected(f *fixture) (out []string) {
	for _, s := range f.set.Stats(f.now).Instances {
		if s.Ejected {
			out = append(out, s.ID)
		}
	}
	return out
}

func TestEachCauseEjects(t *testing.T) {
	t.Parallel()
	fail := func(kind balancer.Failure) balancer.Result {
		return balancer.Result{Failure: kind, Latency: time.Millisecond}
	}
	ok := balancer.Result{Latency: time.Millisecond}
	repeat := func(n int, rs ...balancer.Result) []balancer.Result { return slices.Repeat(rs, n) }
	cases := map[string]struct {
		cfg     balancer.Ejection
		results []balancer.Result
		reason  string // "" is: stays
	}{
		"five failures in a row":           {results: repeat(5, fail(balancer.Timeout)), reason: "5 failures in a row"},
		"four failures in a row":           {results: repeat(4, fail(balancer.Timeout))},
		"a success in between":             {results: append(repeat(4, fail(balancer.Reset)), append(repeat(1, ok), repeat(4, fail(balancer.Reset))...)...)},
		"kinds mixed in a row":             {results: []balancer.Result{fail(1), fail(2), fail(3), fail(4), fail(1)}, reason: "bad status"},
		"clients that leave":               {results: repeat(50, fail(balancer.Canceled))},
		"clients that leave between":       {results: repeat(5, fail(balancer.BadStatus), fail(balancer.Canceled)), reason: "5 failures in a row"},
		"half of twenty fail":              {results: repeat(10, ok, fail(balancer.BadStatus)), reason: "10 of 20 attempts failed"},
		"half of eighteen fail":            {results: repeat(9, ok, fail(balancer.BadStatus))},
		"a third fails":                    {results: repeat(30, ok, ok, fail(balancer.BadStatus))},
		"own count":                        {cfg: balancer.Ejection{ConsecutiveFailures: 2}, results: repeat(2, fail(balancer.Reset)), reason: "2 failures in a row"},
		"count off":                        {cfg: balancer.Ejection{ConsecutiveFailures: -1, FailureRatePercent: -1}, results: repeat(100, fail(balancer.Reset))},
		"rate off":                         {cfg: balancer.Ejection{FailureRatePercent: -1}, results: repeat(100, ok, fail(balancer.Reset))},
		"disabled":                         {cfg: balancer.Ejection{Disabled: true}, results: repeat(100, fail(balancer.Reset))},
		"long answers that fail are no ok": {results: repeat(5, balancer.Result{Failure: balancer.Reset, Long: true}), reason: "5 failures in a row"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, balancer.Config{Ejection: c.cfg}, same(3)...)
			for _, r := range c.results {
				f.observe(f.all[0], r)
			}
			s := f.stats(0)
			if s.Ejected != (c.reason != "") {
				t.Fatalf("ejected: %v (%s)", s.Ejected, s.Reason)
			}
			if !strings.Contains(s.Reason, c.reason) {
				t.Errorf("reason %q, want it to say %q", s.Reason, c.reason)
			}
			if c.reason == "" {
				return
			}
			f.wantStatus(f.all[0], balancer.Failed)
			if got := f.spread(100)[f.all[0]]; got != 0 {
				t.Errorf("it still got %d picks", got)
			}
			if len(f.events) != 2 || f.events[0].Kind != balancer.Ejected || f.events[1].Kind != balancer.StatusChanged {
				t.Errorf("events %+v", f.events)
			}
		})
	}
}

func TestTheFailureRateLooksBackOneWindow(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{Ejection: balancer.Ejection{ConsecutiveFailures: -1}}, same(3)...)
	f.fail(f.all[0], balancer.BadStatus, 19)
	f.wait(11 * time.Second)
	f.fail(f.all[0], balancer.BadStatus, 1)
	if got := ejected(f); len(got) != 0 {
		t.Error("failures from before the window counted")
	}
}

// latencies runs 10 attempts a second on each instance.
func latencies(f *fixture, d time.Duration, each ...time.Duration) {
	for range int(d / (100 * time.Millisecond)) {
		f.wait(100 * time.Millisecond)
		for k, latency := range each {
			f.observe(f.all[k], balancer.Result{Latency: latency})
		}
	}
}

func TestLatencyEjects(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	cases := map[string]struct {
		factor float64
		each   []time.Duration
		want   bool
	}{
		"five times the others":             {each: []time.Duration{500 * ms, 100 * ms, 100 * ms}, want: true},
		"twice the others":                  {each: []time.Duration{200 * ms, 100 * ms, 100 * ms}},
		"ten times but only 40 ms slower":   {each: []time.Duration{44 * ms, 4 * ms, 4 * ms}},
		"ten times and 54 ms slower":        {each: []time.Duration{60 * ms, 6 * ms, 6 * ms}, want: true},
		"all slow":                          {each: []time.Duration{500 * ms, 500 * ms, 500 * ms}},
		"half of them slow, median between": {each: []time.Duration{500 * ms, 500 * ms, 100 * ms, 100 * ms}},
		"one other is enough":               {each: []time.Duration{500 * ms, 100 * ms}, want: true},
		"nobody to compare with":            {each: []time.Duration{500 * ms}},
		"factor off":                        {factor: -1, each: []time.Duration{500 * ms, 100 * ms, 100 * ms}},
		"own factor":                        {factor: 8, each: []time.Duration{500 * ms, 100 * ms, 100 * ms}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := balancer.Config{Ejection: balancer.Ejection{LatencyFactor: c.factor}}
			f := newFixture(t, cfg, same(len(c.each))...)
			latencies(f, 20*time.Second, c.each...)
			if s := f.stats(0); s.Ejected != c.want {
				t.Errorf("ejected: %v (%s)", s.Ejected, s.Reason)
			}
		})
	}
}

// A burst that slows all down at once is nobody's fault: who is looked at first
// must not be compared with what the others were a moment ago.
func TestASurgeThatSlowsAllDownEjectsNobody(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, same(2)...)
	latencies(f, 20*time.Second, 200*time.Microsecond, 200*time.Microsecond)
	for range 900 { // in less than the second after which the others are looked at again
		f.wait(time.Millisecond)
		f.observe(f.all[0], balancer.Result{Latency: 1100 * time.Millisecond})
		f.observe(f.all[1], balancer.Result{Latency: time.Second})
	}
	for k := range f.all {
		if s := f.stats(k); s.Ejected {
			t.Errorf("%d is ejected: %s", k, s.Reason)
		}
	}
}

func TestOneSlowAnswerDoesNotEject(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	f := newFixture(t, balancer.Config{}, same(3)...)
	latencies(f, 20*time.Second, 5*ms, 5*ms, 5*ms)
	f.observe(f.all[0], balancer.Result{Latency: 30 * time.Second})
	latencies(f, 20*time.Second, 5*ms, 5*ms, 5*ms)
	if kinds := f.kinds(balancer.Ejected); len(kinds) != 0 {
		t.Error("one pause of 30 s among 400 good answers ejected the instance")
	}
}

func TestEjectionsGrowAndAreForgotten(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{Ejection: balancer.Ejection{MaxTime: 100 * time.Second}}, same(3)...)
	i := f.all[0]
	f.fail(i, balancer.BadStatus, 5)
	for n, seconds := range []int{30, 60, 90, 100, 100} {
		want := time.Duration(seconds) * time.Second
		s := f.stats(0)
		if got := s.EjectedUntil.Sub(f.now); got != want || s.EjectionCount != n+1 {
			t.Fatalf("ejection %d lasts %v, count %d; want %v", n+1, got, s.EjectionCount, want)
		}
		f.wait(want - time.Nanosecond)
		f.wantStatus(i, balancer.Failed)
		f.wait(time.Nanosecond)
		f.wantStatus(i, balancer.Active)
		if n < 4 {
			f.fail(i, balancer.BadStatus, 1) // on probation
		}
	}
	for left := 4; left >= 0; left-- {
		f.wait(30 * time.Second)
		if got := f.stats(0).EjectionCount; got != left {
			t.Fatalf("count %d, want %d", got, left)
		}
	}
	f.succeed(i, 10)
	f.fail(i, balancer.BadStatus, 5)
	if got := f.stats(0).EjectedUntil.Sub(f.now); got != 30*time.Second {
		t.Errorf("after a good time the first ejection lasts %v", got)
	}
}

func TestJitterOnlyLengthens(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for range 20 {
		f := newFixture(t, balancer.Config{Ejection: balancer.Ejection{JitterPercent: 10}}, same(3)...)
		f.fail(f.all[0], balancer.BadStatus, 5)
		d := f.stats(0).EjectedUntil.Sub(f.now)
		if d < 30*time.Second || d > 33*time.Second {
			t.Fatalf("ejected for %v", d)
		}
		seen[d] = true
	}
	if len(seen) < 10 {
		t.Errorf("20 ejections had %d different lengths", len(seen))
	}
}

func TestTheCapHoldsAndShows(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{1: 0, 2: 1, 3: 1, 4: 1, 5: 1, 6: 2, 9: 3, 30: 10} {
		f := newFixture(t, balancer.Config{}, same(n)...)
		for _, i := range f.all {
			f.fail(i, balancer.BadStatus, 7)
		}
		if got := len(ejected(f)); got != want {
			t.Errorf("%d instances: %d ejected, want %d", n, got, want)
		}
		if got := len(f.kinds(balancer.EjectionRefused)); got != n-want {
			t.Errorf("%d instances: %d refusals told, want one each for %d", n, got, n-want)
		}
		if s := f.stats(n - 1); s.EjectionsRefused != 1 {
			t.Errorf("%d instances: the last one shows %d refusals", n, s.EjectionsRefused)
		}
	}
}

func TestEjectionsNeverLeaveLessThanHalf(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{Ejection: balancer.Ejection{MaxPercent: 100}}, same(10)...)
	f.down(f.all[8])
	f.down(f.all[9])
	for _, i := range f.all {
		f.fail(i, balancer.BadStatus, 7)
	}
	if got := len(ejected(f)); got != 3 {
		t.Errorf("2 of 10 were down and %d ejected, want 3: half must stay", got)
	}
}

func TestDrainedInstancesAreNotCountedOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, same(3)...)
	f.set.SetDraining(f.all[1], true, "deploy", f.now)
	f.set.SetLifecycle(f.all[2], balancer.Stopped, "scaled in", f.now)
	f.fail(f.all[0], balancer.BadStatus, 10)
	if got := ejected(f); len(got) != 0 {
		t.Error("the last instance in service was ejected")
	}
}

// A refused ejection is caught up on as soon as there is room for it.
func TestCountersSurviveTimeAndRefusal(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, same(3)...)
	f.fail(f.all[0], balancer.BadStatus, 5)
	f.fail(f.all[1], balancer.BadStatus, 4)
	f.wait(30 * time.Second)
	f.wantStatus(f.all[0], balancer.Active)
	f.fail(f.all[1], balancer.BadStatus, 1)
	if got := ejected(f); !slices.Equal(got, []string{"i1"}) {
		t.Errorf("ejected %v: four failures, a pause and a fifth are five in a row", got)
	}
}

func TestAPassingCheckEndsOnlyUnreachability(t *testing.T) {
	t.Parallel()
	for kind, back := range map[balancer.Failure]bool{
		balancer.Unreachable: true, balancer.Timeout: true, balancer.Reset: true, balancer.Truncated: false, balancer.BadStatus: false,
	} {
		f := newFixture(t, balancer.Config{}, same(3)...)
		f.fail(f.all[0], kind, 5)
		f.up(f.all[0])
		if got := f.all[0].Status() == balancer.Active; got != back {
			t.Errorf("ejected for %s, then a check passed: back is %v", kind, got)
		}
		f.down(f.all[0])
		f.up(f.all[0])
		if got := f.all[0].Status() == balancer.Active; got != back {
			t.Errorf("ejected for %s, down and up: back is %v", kind, got)
		}
	}
	f := newFixture(t, balancer.Config{}, same(3)...)
	latencies(f, 20*time.Second, 500*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond)
	f.up(f.all[0])
	if got := ejected(f); len(got) != 1 {
		t.Error("a passing check ended an ejection for latency")
	}
}

func TestProbationLastsFiveAttempts(t *testing.T) {
	t.Parallel()
	for good, out := range map[int]bool{0: true, 4: true, 5: false} {
		f := newFixture(t, balancer.Config{}, same(3)...)
		i := f.all[0]
		f.fail(i, balancer.BadStatus, 5)
		f.wait(30 * time.Second)
		f.wantStatus(i, balancer.Active)
		f.wait(time.Second)
		f.succeed(i, good)
		f.fail(i, balancer.BadStatus, 1)
		s := f.stats(0)
		if s.Ejected != out {
			t.Errorf("%d good answers, then a failure: ejected is %v", good, s.Ejected)
		}
		if out && s.EjectedUntil.Sub(f.now) != 60*time.Second {
			t.Errorf("the second ejection lasts %v", s.EjectedUntil.Sub(f.now))
		}
	}
}

func TestAnEjectedInstanceReturnsAtThePickAfterItsTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{Strategy: balancer.RoundRobin}, same(2)...)
	f.fail(f.all[0], balancer.BadStatus, 5)
	f.wait(30 * time.Second)
	if got := f.spread(2)[f.all[0]]; got != 1 {
		t.Errorf("it got %d of 2 turns", got)
	}
	if got := f.kinds(balancer.Ejected, balancer.Returned); len(got) != 2 {
		t.Errorf("events %v", got)
	}
}

func TestUpdateTurnsEjectionOff(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, same(3)...)
	f.fail(f.all[0], balancer.BadStatus, 5)
	off := balancer.Config{Strategy: balancer.Random, Ejection: balancer.Ejection{Disabled: true}}
	if err := f.set.Update(off); err != nil {
		t.Fatal(err)
	}
	f.wantStatus(f.all[0], balancer.Active)
	if got := f.spread(300)[f.all[0]]; got == 0 {
		t.Error("it gets no traffic")
	}
}

// Otherwise the cap would keep the failing one in rotation, and its failures
// would use up the retry budget.
func TestAFailingInstanceTakesThePlaceOfASlowOne(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	f := newFixture(t, balancer.Config{}, same(3)...)
	latencies(f, 10*time.Second, 500*ms, 100*ms, 100*ms)
	if !f.stats(0).Ejected {
		t.Fatal("the slow instance is not ejected")
	}
	f.fail(f.all[1], balancer.BadStatus, 5)
	if slow, failing := f.stats(0), f.stats(1); slow.Ejected || !failing.Ejected {
		t.Errorf("slow ejected: %v, failing ejected: %v", slow.Ejected, failing.Ejected)
	}
	f.fail(f.all[2], balancer.BadStatus, 5)
	if f.stats(2).Ejected || !f.stats(1).Ejected {
		t.Error("one that failed made room for another one that fails")
	}
}

// What killed the old process is over: the new one is on probation, as after an
// ejection that has ended.
func TestANewProcessIsNoLongerEjected(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{}, same(3)...)
	i := f.all[0]
	f.fail(i, balancer.Truncated, 5)
	f.wantStatus(i, balancer.Failed)
	f.set.SetLifecycle(i, balancer.Gone, "killed", f.now)
	f.wantStatus(i, balancer.Failed)
	f.set.SetHealth(i, balancer.HealthUnknown, "a new process", f.now)
	f.set.SetLifecycle(i, balancer.Starting, "started", f.now)
	f.wantStatus(i, balancer.Recovering)
	f.set.SetLifecycle(i, balancer.Running, "listens", f.now)
	f.up(i)
	f.wantStatus(i, balancer.Active)
	f.fail(i, balancer.Truncated, 1)
	f.wantStatus(i, balancer.Failed)
}
