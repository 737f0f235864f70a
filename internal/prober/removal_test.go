package prober_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/health"
	"holdfast/internal/prober"
)

func TestARemovedTargetIsClosedOnceNoCheckRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idle, busy, deaf := fine(), fine(), fine()
		busy.took = time.Second
		deaf.took, deaf.deaf = time.Second, true
		p := prober.New(prober.Config{})
		run(t, p)
		for key, f := range map[string]*fake{"idle": idle, "busy": busy, "deaf": deaf} {
			p.Set(key, prober.Target{Check: f, Policy: steady(), Report: func(r prober.Report) {
				if r.Key != "idle" {
					t.Errorf("report of the removed %s", r.Key)
				}
			}})
		}
		after(100 * time.Millisecond)
		for _, key := range []string{"idle", "busy", "deaf", "nobody"} {
			p.Remove(key)
			p.Remove(key)
		}
		synctest.Wait()
		if idle.now().closed != 1 || busy.now().closed != 1 || deaf.now().closed != 0 {
			t.Errorf("closed at once: %d, %d, %d", idle.now().closed, busy.now().closed, deaf.now().closed)
		}
		after(time.Minute)
		for _, f := range []*fake{idle, busy, deaf} {
			if f.now().closed != 1 || f.now().bad || f.count() != 1 {
				t.Errorf("closed %d times, misused %v, %d checks", f.now().closed, f.now().bad, f.count())
			}
		}
		if _, ok := p.View("idle"); ok {
			t.Error("a removed target has a view")
		}
	})
}

func TestAReplacementStartsWhenTheOldCheckHasEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old, never, fresh := fine(), fine(), fine()
		old.took, old.deaf = time.Second, true
		p := prober.New(prober.Config{})
		run(t, p)
		p.Set("a", prober.Target{Check: old, Policy: steady()})
		after(100 * time.Millisecond)
		p.Set("a", prober.Target{Check: never, Policy: steady()})
		p.Set("a", prober.Target{Check: fresh, Policy: steady()})
		p.Suspect("a")
		synctest.Wait()
		if never.count() != 0 || never.now().closed != 1 || fresh.count() != 0 || old.now().closed != 0 {
			t.Errorf("while the old check runs: never %d/%d, fresh %d, old closed %d", never.count(), never.now().closed, fresh.count(), old.now().closed)
		}
		after(900 * time.Millisecond)
		if fresh.count() != 1 || old.now().closed != 1 || old.now().bad {
			t.Errorf("after it: fresh %d, old closed %d", fresh.count(), old.now().closed)
		}
	})
}

func TestAReplacementDoesNotWaitForACheckThatNeverEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old, fresh := fine(), fine()
		old.took, old.deaf = time.Hour, true
		p := prober.New(prober.Config{Concurrency: 1})
		run(t, p)
		p.Set("a", prober.Target{Check: old, Policy: steady()})
		synctest.Wait()
		p.Set("a", prober.Target{Check: fresh, Policy: steady()})
		after(3 * time.Second)
		if v, _ := p.View("a"); v.State != health.Up || fresh.count() != 1 {
			t.Errorf("state %v after %d checks", v.State, fresh.count())
		}
		after(2 * time.Hour)
		if old.now().closed != 1 || old.now().bad || fresh.now().closed != 0 {
			t.Errorf("old closed %d, misused %v; fresh closed %d", old.now().closed, old.now().bad, fresh.now().closed)
		}
	})
}

func TestTheSameCheckerSetAgainStaysOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := fine()
		f.took = time.Second
		p := prober.New(prober.Config{})
		stop := run(t, p)
		for range 5 { // while it is checked, and blocked by itself
			p.Set("a", prober.Target{Check: f, Policy: steady()})
			after(100 * time.Millisecond)
		}
		after(15 * time.Second)
		p.Set("a", prober.Target{Check: f, Policy: steady()}) // while it is idle, or nearly
		after(5 * time.Second)
		if f.now().closed != 0 || f.now().bad || f.now().most != 1 || f.count() < 3 {
			t.Errorf("closed %d, misused %v, %d at a time, %d checks", f.now().closed, f.now().bad, f.now().most, f.count())
		}
		stop()
		if f.now().closed != 1 || f.now().bad {
			t.Errorf("at the end closed %d times", f.now().closed)
		}
	})
}

func TestRunEndsWithAllChecksGoneAndClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := prober.New(prober.Config{Concurrency: 3})
		stop := run(t, p)
		all := make([]*fake, 10)
		for i := range all {
			all[i] = fine()
			all[i].took = time.Minute
			p.Set(fmt.Sprint(i), prober.Target{Check: all[i], Policy: steady(), Report: func(r prober.Report) {
				t.Errorf("the end of Run was reported as %+v", r)
			}})
		}
		after(time.Second)
		stop()
		for i, f := range all {
			if f.now().closed != 1 || f.now().bad || f.now().active != 0 {
				t.Errorf("target %d closed %d times, misused %v", i, f.now().closed, f.now().bad)
			}
		}
		late := fine()
		p.Set("late", prober.Target{Check: late})
		if late.now().closed != 1 {
			t.Error("a checker set after the end was not closed")
		}
	})
}

func TestReportMayCallTheProber(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, second := fine(), fine()
		p := prober.New(prober.Config{})
		run(t, p)
		p.Set("a", prober.Target{Check: first, Policy: steady(), Report: func(prober.Report) {
			p.Suspect("a")
			p.View("a")
			p.Remove("a")
			p.Set("a", prober.Target{Check: second, Policy: steady()})
		}})
		after(time.Millisecond)
		if first.now().closed != 1 || first.now().bad || second.count() != 1 {
			t.Errorf("first closed %d, second checked %d times", first.now().closed, second.count())
		}
	})
}

func TestASlowReportIsNotTakenForASlowCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := fine()
		n := 0
		p := prober.New(prober.Config{})
		run(t, p)
		p.Set("a", prober.Target{Check: f, Policy: steady(), Report: func(r prober.Report) {
			n++
			if !r.Result.OK {
				t.Errorf("report %d is %+v", n, r)
			}
			time.Sleep(20 * time.Second)
		}})
		after(65 * time.Second)
		if n != 4 || f.now().most != 1 {
			t.Errorf("%d reports", n)
		}
	})
}

// TestUseFromManyGoroutines is for the race detector and the leak check.
func TestUseFromManyGoroutines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := prober.New(prober.Config{Concurrency: 4})
		stop := run(t, p)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var all []*fake
		for g := range 8 {
			wg.Go(func() {
				for i := range 50 {
					f := fine()
					f.took = time.Duration(i%7) * time.Millisecond
					mu.Lock()
					all = append(all, f)
					mu.Unlock()
					key := fmt.Sprint((g + i) % 10)
					p.Set(key, prober.Target{Check: f, Policy: steady(), Report: func(prober.Report) { p.Suspect(key) }})
					p.Suspect(key)
					p.View(key)
					time.Sleep(time.Duration(i%5) * time.Millisecond)
					if i%3 == 0 {
						p.Remove(key)
					}
				}
			})
		}
		wg.Wait()
		after(time.Second)
		stop()
		for i, f := range all {
			if f.now().closed != 1 || f.now().bad || f.now().most > 1 {
				t.Errorf("checker %d closed %d times, misused %v", i, f.now().closed, f.now().bad)
			}
		}
	})
}

func TestSetWithoutACheckPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("Set took a target without a Check")
		}
	}()
	prober.New(prober.Config{}).Set("a", prober.Target{})
}

func TestAnEndedContextEndsRunAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := fine()
	p := prober.New(prober.Config{})
	p.Set("a", prober.Target{Check: f})
	if err := p.Run(ctx); err != nil || f.now().closed != 1 || f.count() != 0 {
		t.Errorf("error %v, closed %d, %d checks", err, f.now().closed, f.count())
	}
}
