package retry_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/retry"
)

func newBudget(t *testing.T, cfg retry.BudgetConfig) *retry.Budget {
	t.Helper()
	b, err := retry.NewBudget(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// spend withdraws until the budget says no.
func spend(b *retry.Budget, now time.Time) (n int) {
	for b.Withdraw(now) {
		n++
	}
	return n
}

func TestBudgetRules(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		cfg      retry.BudgetConfig
		requests int
		want     int
	}{
		{"free retries: ten a second over ten seconds", retry.BudgetConfig{}, 0, 100},
		{"a fifth of a thousand beside them", retry.BudgetConfig{}, 1000, 300},
		{"none free", retry.BudgetConfig{MinPerSecond: -1}, 1000, 200},
		{"none free, too few requests", retry.BudgetConfig{MinPerSecond: -1}, 4, 0},
		{"none free, just enough", retry.BudgetConfig{MinPerSecond: -1}, 5, 1},
		{"free ones only", retry.BudgetConfig{Ratio: -1}, 1000, 100},
		{"nothing at all", retry.BudgetConfig{Ratio: -1, MinPerSecond: -1}, 1000, 0},
		{"a short window", retry.BudgetConfig{Window: time.Second}, 0, 10},
		{"a big ratio", retry.BudgetConfig{Ratio: 3, MinPerSecond: -1}, 10, 30},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBudget(t, row.cfg)
			for range row.requests {
				b.Deposit(noon)
			}
			if got := spend(b, noon); got != row.want {
				t.Errorf("%d retries, want %d", got, row.want)
			}
			s := b.Snapshot(noon)
			if s.Requests != int64(row.requests) || s.Retries != int64(row.want) || s.Refused != 1 || s.Available >= 1 {
				t.Errorf("snapshot %+v", s)
			}
		})
	}
}

func TestARetryCountsUntilItLeavesTheWindow(t *testing.T) {
	t.Parallel()
	b := newBudget(t, retry.BudgetConfig{})
	for range 500 {
		b.Deposit(noon)
	}
	if got := spend(b, noon.Add(5*time.Second)); got != 200 {
		t.Fatalf("%d retries, want 100 free and a fifth of 500", got)
	}
	if s := b.Snapshot(noon.Add(10 * time.Second)); s.Available != -100 || s.Requests != 0 {
		t.Errorf("when the requests have left: %+v", s)
	}
	if got := spend(b, noon.Add(15*time.Second)); got != 100 {
		t.Errorf("when the retries have left: %d, want the free ones", got)
	}
}

// naive is the budget as a list of times.
type naive struct {
	start             time.Time
	requests, retries []time.Time
}

func (n *naive) held(list []time.Time, now time.Time) (count int) {
	for _, at := range list {
		if now.Sub(n.start)/time.Second-at.Sub(n.start)/time.Second < 10 {
			count++
		}
	}
	return count
}

func (n *naive) withdraw(now time.Time) bool {
	if 0.2*float64(n.held(n.requests, now))+100-float64(n.held(n.retries, now)) < 1 {
		return false
	}
	n.retries = append(n.retries, now)
	return true
}

func TestTheBudgetAgreesWithANaiveModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 5))
		b, n, now := newBudget(t, retry.BudgetConfig{}), &naive{start: noon}, noon
		b.Deposit(now)
		n.requests = append(n.requests, now)
		refused := 0
		for step := range 1500 {
			now = now.Add(time.Duration(r.Int64N(int64(20 * time.Millisecond))))
			if r.IntN(300) == 0 {
				now = now.Add(time.Duration(r.Int64N(int64(25 * time.Second))))
			}
			if r.IntN(3) == 0 {
				b.Deposit(now)
				n.requests = append(n.requests, now)
				continue
			}
			got, want := b.Withdraw(now), n.withdraw(now)
			if got != want {
				t.Fatalf("seed %d step %d: allowed %v, want %v", seed, step, got, want)
			}
			if !got {
				refused++
			}
		}
		if s := b.Snapshot(now); s.Retries != int64(n.held(n.retries, now)) || s.Refused != uint64(refused) || refused == 0 {
			t.Errorf("seed %d: %+v, model refused %d", seed, s, refused)
		}
	}
}

// TestRetriesStayAtAFifthPlusTenPerSecond drives a quarter of an hour of changing load on which everything fails and always wants a retry.
func TestRetriesStayAtAFifthPlusTenPerSecond(t *testing.T) {
	t.Parallel()
	b, r, now := newBudget(t, retry.BudgetConfig{}), rand.New(rand.NewPCG(9, 9)), noon
	requests, retries := 0, 0
	for range 600 {
		for range r.IntN(200) {
			b.Deposit(now)
			requests++
			for range 2 {
				if b.Withdraw(now) {
					retries++
				}
			}
			now = now.Add(time.Duration(r.Int64N(int64(10 * time.Millisecond))))
		}
		now = now.Add(time.Duration(r.Int64N(int64(time.Second))))
		seconds := now.Sub(noon).Seconds()
		if bound := 0.2*float64(requests) + 10*seconds + 100; float64(retries) > bound {
			t.Fatalf("after %.0f s: %d retries for %d requests, bound %.0f", seconds, retries, requests, bound)
		}
	}
	seconds := now.Sub(noon).Seconds()
	if share := float64(retries) / (0.2*float64(requests) + 10*seconds); share < 0.9 {
		t.Errorf("%d retries for %d requests in %.0f s: only %.2f of what the budget promises", retries, requests, seconds, share)
	}
}

func TestAnEarlierNowCountsInTheCurrentBucket(t *testing.T) {
	t.Parallel()
	b := newBudget(t, retry.BudgetConfig{MinPerSecond: -1})
	b.Deposit(noon)
	b.Deposit(noon.Add(-time.Hour))
	if s := b.Snapshot(noon); s.Requests != 2 {
		t.Errorf("snapshot %+v", s)
	}
}

func TestGoroutinesShareTheBudget(t *testing.T) {
	t.Parallel()
	b := newBudget(t, retry.BudgetConfig{})
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				b.Deposit(noon)
			}
		})
	}
	wg.Wait()
	for range 8 {
		wg.Go(func() { allowed.Add(int64(spend(b, noon))) })
	}
	wg.Wait()
	if allowed.Load() != 1700 {
		t.Errorf("%d retries, want 100 and a fifth of 8000", allowed.Load())
	}
}

func TestABadBudgetNamesItsField(t *testing.T) {
	t.Parallel()
	for field, cfg := range map[string]retry.BudgetConfig{
		"Ratio":        {Ratio: 11},
		"MinPerSecond": {MinPerSecond: 2e9},
		"Window":       {Window: time.Millisecond},
	} {
		if _, err := retry.NewBudget(cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
