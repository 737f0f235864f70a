package retry_test

import (
	"testing"
	"time"

	"holdfast/retry"
)

func TestNothingIsAllocated(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the whole process
	p, b, now := retry.DefaultPolicy(), newBudget(t, retry.BudgetConfig{}), noon
	in := failed(retry.Status, func(in *retry.Inputs) { in.OtherHost = false })
	for name, call := range map[string]func(){
		"decide":       func() { p.Decide(in) },
		"needs budget": func() { p.NeedsBudget(in) },
		"budget": func() {
			now = now.Add(time.Second)
			b.Deposit(now)
			b.Withdraw(now)
			b.Snapshot(now)
		},
		"retry-after": func() { retry.ParseRetryAfter("120", now) },
		"date":        func() { retry.ParseRetryAfter("Sun, 01 Mar 2026 12:00:30 GMT", now) },
	} {
		if got := testing.AllocsPerRun(1000, call); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	p := retry.DefaultPolicy()
	in := failed(retry.Status, func(in *retry.Inputs) { in.OtherHost = false })
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(in)
	}
}

func BenchmarkDeposit(b *testing.B) {
	budget, err := retry.NewBudget(retry.BudgetConfig{})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		budget.Deposit(now)
		now = now.Add(time.Microsecond)
	}
}

func BenchmarkWithdraw(b *testing.B) {
	budget, err := retry.NewBudget(retry.BudgetConfig{})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		budget.Withdraw(now)
		now = now.Add(time.Microsecond)
	}
}
