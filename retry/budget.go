package retry

import (
	"cmp"
	"fmt"
	"sync"
	"time"
)

// BudgetConfig bounds the retries of all exchanges that share a Budget. The zero value is the default.
type BudgetConfig struct {
	// Ratio is how many retries each request pays for. 0 is 0.2, negative is none, at most 10.
	Ratio float64
	// MinPerSecond is how many retries a second are free, so that few requests can be retried too. 0 is 10, negative is none.
	MinPerSecond float64
	// Window is how long requests and retries count, in ten steps. A quiet Budget holds MinPerSecond times Window free
	// retries, which may be spent at once. 0 is 10 s, at least 10 ms.
	Window time.Duration
}

// Budget counts requests and retries in a sliding window and allows a retry while
//
//	retries + 1 <= Ratio·requests + MinPerSecond·Window
//
// Both leave the window after the same time, so over any longer time the retries are at most Ratio of the requests plus
// MinPerSecond per second, plus one window's free retries. All methods are safe for concurrent use and allocate nothing.
type Budget struct {
	ratio   float64
	reserve float64
	width   time.Duration

	mu      sync.Mutex // guards all below
	started bool
	head    time.Time // when the bucket at current began
	current int
	buckets [budgetBuckets]counts
	sum     counts
	refused uint64
}

const budgetBuckets = 10

type counts struct{ requests, retries int64 }

// NewBudget returns a budget with its free retries. The error names the field that is wrong.
func NewBudget(cfg BudgetConfig) (*Budget, error) {
	cfg.Ratio = cmp.Or(cfg.Ratio, 0.2)
	cfg.MinPerSecond = cmp.Or(cfg.MinPerSecond, 10)
	cfg.Window = cmp.Or(cfg.Window, 10*time.Second)
	switch {
	case !(cfg.Ratio <= 10):
		return nil, fmt.Errorf("make retry budget: Ratio %v: want at most 10", cfg.Ratio)
	case !(cfg.MinPerSecond <= 1e9):
		return nil, fmt.Errorf("make retry budget: MinPerSecond %v: want at most 1e9", cfg.MinPerSecond)
	case cfg.Window < 10*time.Millisecond:
		return nil, fmt.Errorf("make retry budget: Window %s: want at least 10ms", cfg.Window)
	}
	return &Budget{
		ratio:   max(cfg.Ratio, 0),
		reserve: max(cfg.MinPerSecond, 0) * cfg.Window.Seconds(),
		width:   cfg.Window / budgetBuckets,
	}, nil
}

// Deposit counts one request. Retries are no requests.
func (b *Budget) Deposit(now time.Time) {
	b.mu.Lock()
	b.advance(now)
	b.buckets[b.current].requests++
	b.sum.requests++
	b.mu.Unlock()
}

// Withdraw charges one retry and reports whether there was room for it. Call it when the retry is decided.
func (b *Budget) Withdraw(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(now)
	if b.available() < 1 {
		b.refused++
		return false
	}
	b.buckets[b.current].retries++
	b.sum.retries++
	return true
}

// BudgetSnapshot is a Budget at one moment.
type BudgetSnapshot struct {
	Available float64 // retries there is room for; negative when requests have left the window before their retries
	Requests  int64   // in the window
	Retries   int64   // in the window
	Refused   uint64  // retries refused since the start
}

// Snapshot returns the figures at now.
func (b *Budget) Snapshot(now time.Time) BudgetSnapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(now)
	return BudgetSnapshot{
		Available: b.available(), Requests: b.sum.requests, Retries: b.sum.retries, Refused: b.refused,
	}
}

func (b *Budget) available() float64 {
	return b.ratio*float64(b.sum.requests) + b.reserve - float64(b.sum.retries)
}

// advance drops the buckets that have left the window. A now before head counts in the current bucket. Requires the lock.
func (b *Budget) advance(now time.Time) {
	if !b.started {
		b.started, b.head = true, now
		return
	}
	elapsed := now.Sub(b.head)
	if elapsed < b.width {
		return
	}
	b.head = now.Add(-(elapsed % b.width)) // stays on the grid of the first call
	for range min(elapsed/b.width, budgetBuckets) {
		b.current = (b.current + 1) % budgetBuckets
		old := &b.buckets[b.current]
		b.sum.requests -= old.requests
		b.sum.retries -= old.retries
		*old = counts{}
	}
}
