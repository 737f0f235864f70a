package retry_test

import (
	"fmt"
	"time"

	"holdfast/retry"
)

func Example() {
	policy := retry.DefaultPolicy()
	budget, err := retry.NewBudget(retry.BudgetConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	budget.Deposit(now) // one request

	in := retry.Inputs{
		Kind: retry.Status, Status: 503, RetryAfter: retry.ParseRetryAfter("1", now),
		Idempotent: retry.Idempotent("GET", false), Sent: true, Replayable: true,
		Left: 10 * time.Second, Draw: 0,
	}
	in.Budget = policy.NeedsBudget(in) && budget.Withdraw(now)
	d := policy.Decide(in)
	fmt.Println(d.Retry, d.After, d.Reason)

	in.OtherHost = true
	d = policy.Decide(in)
	fmt.Println(d.Retry, d.After, d.Reason)
	// Output:
	// true 1s tried again after the time the instance asked for
	// true 0s tried again on another instance
}

func ExamplePolicy_Decide() {
	policy := retry.DefaultPolicy()
	post := retry.Inputs{
		Kind: retry.Reset, Idempotent: retry.Idempotent("POST", false),
		Sent: true, Replayable: true, OtherHost: true, Left: time.Second, Budget: true,
	}
	fmt.Println(policy.Decide(post).Reason)
	post.Idempotent = retry.Idempotent("POST", true) // the request carries an Idempotency-Key
	fmt.Println(policy.Decide(post).Reason)
	// Output:
	// the request is not idempotent and may have been processed
	// tried again on another instance
}

func ExampleBackoff() {
	const middle = 1 << 63 // half of all draws are below
	for n := range 5 {
		fmt.Println(retry.Backoff(25*time.Millisecond, 250*time.Millisecond, n, middle))
	}
	// Output:
	// 12.5ms
	// 25ms
	// 50ms
	// 100ms
	// 125ms
}

func ExampleParseRetryAfter() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	fmt.Println(retry.ParseRetryAfter("120", now))
	fmt.Println(retry.ParseRetryAfter("Sun, 01 Mar 2026 12:00:30 GMT", now))
	fmt.Println(retry.ParseRetryAfter("tomorrow", now))
	// Output:
	// 2m0s
	// 30s
	// 0s
}

func ExampleBudget() {
	budget, err := retry.NewBudget(retry.BudgetConfig{MinPerSecond: -1}) // no free retries
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for range 10 {
		budget.Deposit(now)
	}
	fmt.Println(budget.Withdraw(now), budget.Withdraw(now), budget.Withdraw(now))
	// Output: true true false
}
