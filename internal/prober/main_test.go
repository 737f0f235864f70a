package prober_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"holdfast/health"
	"holdfast/internal/prober"
)

func TestMain(m *testing.M) {
	if os.Getenv("PROBER_TEST_SERVER") != "" {
		serveChecked() // the other process of the measurement
		return
	}
	goleak.VerifyTestMain(m)
}

// fake is a checker that takes its time and notes what happened to it.
type fake struct {
	took   time.Duration
	deaf   bool // ignores its context
	result health.Result

	mu sync.Mutex
	seen
}

// seen is what happened to a fake.
type seen struct {
	starts []time.Time
	active int
	most   int // checks at the same time
	closed int
	bad    bool // closed while checking, or checked after Close
}

func (f *fake) Check(ctx context.Context) health.Result {
	f.mu.Lock()
	f.starts = append(f.starts, time.Now())
	f.active++
	f.most = max(f.most, f.active)
	f.bad = f.bad || f.closed > 0
	result, took := f.result, f.took
	f.mu.Unlock()
	if f.deaf {
		ctx = context.WithoutCancel(ctx)
	}
	timer := time.NewTimer(took)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		result = health.Result{Reason: "no answer"}
	}
	f.mu.Lock()
	f.active--
	f.mu.Unlock()
	result.Took = took
	return result
}

func (f *fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed++
	f.bad = f.bad || f.active > 0
	return nil
}

func (f *fake) set(ok bool) {
	f.mu.Lock()
	f.result = health.Result{OK: ok, Reason: map[bool]string{true: "fine", false: "broken"}[ok]}
	f.mu.Unlock()
}

func (f *fake) count() int { return len(f.now().starts) }

// now returns what was seen up to now.
func (f *fake) now() seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.seen
	s.starts = slices.Clone(s.starts)
	return s
}

func fine() *fake   { return &fake{result: health.Result{OK: true, Reason: "fine"}} }
func broken() *fake { return &fake{result: health.Result{Reason: "broken"}} }

// run starts p and ends it with the test's bubble; the returned function ends
// it earlier.
func run(t *testing.T, p *prober.Prober) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(stop)
	return stop
}

// after lets virtual time pass and everything due happen.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// steady is a policy without jitter.
func steady() health.Policy {
	return health.Policy{Interval: 10 * time.Second, SuspectInterval: 2 * time.Second, Timeout: 2 * time.Second, JitterPercent: -1}
}
