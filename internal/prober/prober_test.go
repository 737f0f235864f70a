package prober_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/health"
	"holdfast/internal/prober"
)

func TestFirstChecksRunAtOnceAndThenSpread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := prober.New(prober.Config{})
		begin := time.Now()
		all := make([]*fake, 200)
		for i := range all {
			all[i] = fine()
			p.Set(fmt.Sprint(i), prober.Target{Check: all[i], Policy: steady()})
		}
		run(t, p)
		after(time.Millisecond)
		for i, f := range all {
			if f.count() != 1 {
				t.Fatalf("target %d had %d checks at once", i, f.count())
			}
		}
		after(time.Minute)
		var slots [10]int // second checks by second of the interval
		for _, f := range all {
			starts := f.now().starts
			if wait := starts[1].Sub(begin); wait <= 10*time.Second {
				slots[min(int(wait/time.Second), 9)]++
			}
			for i := 2; i < len(starts); i++ {
				if gap := starts[i].Sub(starts[i-1]); gap != 10*time.Second {
					t.Fatalf("interval of %v", gap)
				}
			}
		}
		for second, n := range slots[1:] {
			if n < 5 || n > 50 { // 22 on average
				t.Errorf("%d second checks in second %d: %v", n, second+1, slots)
			}
		}
	})
}

func TestEveryResultIsReportedInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := fine()
		var got []string
		p := prober.New(prober.Config{})
		run(t, p)
		p.Set("a", prober.Target{Check: f, Policy: steady(), Report: func(r prober.Report) {
			got = append(got, fmt.Sprint(r.Key, "/", r.State, "/", r.Changed, "/", r.Result.Reason))
			if len(got) == 2 {
				f.set(false)
			}
			if len(got) == 5 {
				f.set(true)
			}
		}})
		after(35 * time.Second)
		w := []string{
			"a/up/true/fine", "a/up/false/fine", "a/up/false/broken", "a/up/false/broken", "a/down/true/broken", "a/down/false/fine", "a/up/true/fine",
		}
		if len(got) < len(w) || strings.Join(got[:len(w)], " ") != strings.Join(w, " ") {
			t.Errorf("got %v, want %v", got, w)
		}
		v, ok := p.View("a")
		if !ok || v.State != health.Up || v.Failures != 3 || len(v.History.Changes) != 3 || v.Last.Reason != "fine" || v.Checks != uint64(len(got)) {
			t.Errorf("view %+v", v)
		}
		if _, ok := p.View("b"); ok {
			t.Error("a target nobody set has a view")
		}
	})
}

func TestASuspectedTargetIsCheckedSoonButAtMostOnceASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := fine()
		p := prober.New(prober.Config{})
		run(t, p)
		policy := steady()
		policy.Interval = time.Hour
		p.Set("a", prober.Target{Check: f, Policy: policy})
		after(time.Hour) // first check, and the second of the spread
		n := f.count()
		p.Suspect("a")
		synctest.Wait()
		if f.count() != n+1 {
			t.Fatalf("%d checks at once after Suspect", f.count()-n)
		}
		n = f.count()
		for range 100 {
			p.Suspect("a")
			after(50 * time.Millisecond)
		}
		if got := f.count() - n; got != 4 && got != 5 {
			t.Errorf("%d checks in five seconds of suspicion", got)
		}
		f.set(false)
		p.Suspect("a")
		after(time.Second)
		if v, _ := p.View("a"); !v.Suspected || v.State != health.Up {
			t.Errorf("after one failure: %+v", v)
		}
		after(10 * time.Second)
		v, _ := p.View("a")
		if v.State != health.Down {
			t.Errorf("after more failures: %v", v.State)
		}
		n = f.count()
		p.Suspect("a") // down is known already
		p.Suspect("nobody")
		after(time.Millisecond)
		if f.count() != n {
			t.Error("a target that is down was checked because of a suspicion")
		}
	})
}

func TestSuspicionDuringACheckLeadsToAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := fine()
		f.took = 1500 * time.Millisecond
		p := prober.New(prober.Config{})
		run(t, p)
		policy := steady()
		policy.Interval = time.Hour
		p.Set("a", prober.Target{Check: f, Policy: policy})
		after(time.Second)
		p.Suspect("a")
		after(time.Second)
		if f.count() != 2 || f.now().most != 1 {
			t.Errorf("%d checks, %d at a time", f.count(), f.now().most)
		}
	})
}

func TestChecksOfOneTargetNeverOverlap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := broken()
		f.took = 1900 * time.Millisecond
		p := prober.New(prober.Config{})
		run(t, p)
		policy := health.Policy{Interval: 100 * time.Millisecond, SuspectInterval: 100 * time.Millisecond, Timeout: 2 * time.Second}
		p.Set("a", prober.Target{Check: f, Policy: policy})
		for range 60 {
			p.Suspect("a")
			after(500 * time.Millisecond)
		}
		if f.now().most != 1 || f.count() < 14 {
			t.Errorf("%d at a time, %d in 30s", f.now().most, f.count())
		}
	})
}

// gauge counts the checks of many targets.
type gauge struct{ now, most, all atomic.Int64 }

func (g *gauge) Check(ctx context.Context) health.Result {
	n := g.now.Add(1)
	defer g.now.Add(-1)
	g.all.Add(1)
	for most := g.most.Load(); n > most; most = g.most.Load() {
		g.most.CompareAndSwap(most, n)
	}
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	return health.Result{OK: true}
}

func TestConcurrencyIsBoundedAndUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g gauge
		p := prober.New(prober.Config{Concurrency: 5})
		run(t, p)
		for i := range 100 {
			p.Set(fmt.Sprint(i), prober.Target{Check: &g, Policy: health.Policy{Interval: time.Hour}})
		}
		after(19900 * time.Millisecond)
		if g.most.Load() != 5 || g.all.Load() != 100 {
			t.Errorf("%d at a time, %d in all", g.most.Load(), g.all.Load())
		}
	})
}

func TestAHangingCheckIsBoundedByItsTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := fine()
		f.took = time.Hour
		p := prober.New(prober.Config{})
		run(t, p)
		var at []time.Duration
		begin := time.Now()
		p.Set("a", prober.Target{Check: f, Policy: steady(), Report: func(r prober.Report) { at = append(at, r.At.Sub(begin)) }})
		after(2 * time.Second)
		if len(at) != 1 || at[0] != 2*time.Second {
			t.Errorf("reports at %v", at)
		}
	})
}

func TestACheckThatIgnoresItsTimeoutCountsAsAFailureAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rogue, good := fine(), fine()
		rogue.took, rogue.deaf = time.Minute, true
		p := prober.New(prober.Config{Concurrency: 1})
		run(t, p)
		var reports []prober.Report
		p.Set("rogue", prober.Target{Check: rogue, Policy: steady(), Report: func(r prober.Report) { reports = append(reports, r) }})
		synctest.Wait()
		p.Set("good", prober.Target{Check: good, Policy: steady()})
		after(3 * time.Second)
		if len(reports) != 1 || reports[0].State != health.Down || reports[0].Result.Reason != "check ignored its timeout of 2s and still runs" {
			t.Errorf("reports %+v", reports)
		}
		if good.count() == 0 {
			t.Error("the other target had to wait for the rogue")
		}
		after(55 * time.Second)
		if len(reports) != 1 || rogue.count() != 1 {
			t.Errorf("%d reports, %d checks of the rogue meanwhile", len(reports), rogue.count())
		}
		n := good.count()
		rogue.mu.Lock()
		rogue.took = 0
		rogue.mu.Unlock()
		after(30 * time.Second)
		if v, _ := p.View("rogue"); v.State != health.Up || rogue.now().most != 1 {
			t.Errorf("after the rogue has come to its senses: %+v", v)
		}
		if good.count() < n+2 {
			t.Errorf("the other target had %d checks afterwards", good.count()-n)
		}
	})
}

func TestAPanickingCheckIsAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := prober.New(prober.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		stop := run(t, p)
		p.Set("a", prober.Target{Check: health.Func(func(context.Context) health.Result { panic("boom") })})
		after(time.Millisecond)
		v, _ := p.View("a")
		if v.State != health.Down || v.Last.Reason != "check panicked" {
			t.Errorf("view %+v", v)
		}
		stop()
		if s := log.String(); !strings.Contains(s, "boom") || !strings.Contains(s, `msg="health changed" target=a state=down reason="check panicked"`) {
			t.Errorf("log: %s", s)
		}
	})
}

func TestTheStateIsCarriedOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := prober.New(prober.Config{})
		p.Set("a", prober.Target{Check: broken(), Policy: steady(), Initial: health.Up})
		if v, _ := p.View("a"); v.State != health.Up {
			t.Errorf("before the first check: %v", v.State)
		}
		run(t, p)
		after(time.Millisecond)
		if v, _ := p.View("a"); v.State != health.Up || v.Checks != 1 {
			t.Errorf("one failure of three: %v after %d checks", v.State, v.Checks)
		}
		after(5 * time.Second)
		if v, _ := p.View("a"); v.State != health.Down {
			t.Errorf("after %d failures: %v", v.Failures, v.State)
		}
	})
}
