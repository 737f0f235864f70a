package breaker_test

import (
	"fmt"
	"time"

	"holdfast/breaker"
)

func Example() {
	b, err := breaker.New(breaker.Config{
		OnEvent: func(e breaker.Event) { fmt.Printf("%s -> %s: %s\n", e.From, e.To, e.Reason) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	call := func(o breaker.Outcome) {
		permit, ok := b.Allow(now)
		if !ok {
			fmt.Println("refused until", b.NextAttempt().Format(time.TimeOnly))
			return
		}
		b.Done(permit, o, 20*time.Millisecond, now)
	}
	for range 6 {
		call(breaker.Failure)
	}
	now = now.Add(time.Minute)
	for range 3 {
		call(breaker.Success)
	}
	// Output:
	// closed -> open: 5 consecutive failures (threshold 5)
	// refused until 12:01:00
	// open -> half_open: the recovery timeout is over, probing
	// half_open -> closed: 3 probes succeeded
}

func ExampleConfig_Decide() {
	cfg := (&breaker.Config{Window: breaker.Window{Kind: breaker.WindowTime}}).WithDefaults()
	d := cfg.Decide(breaker.Inputs{
		State: breaker.Closed, Outcome: breaker.Failure, Failures: 2,
		Window: breaker.Tally{Calls: 40, Failures: 25},
	})
	fmt.Println(d.To, d.Rule)
	// Output: open failure_rate
}

func ExampleBreaker_Restore() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	b, err := breaker.New(breaker.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	saved := breaker.Snapshot{State: breaker.Open, FailureCount: 5, NextAttempt: now.Add(20 * time.Second)}
	if err := b.Restore(saved, now); err != nil {
		fmt.Println(err)
		return
	}
	_, early := b.Allow(now.Add(19 * time.Second))
	_, due := b.Allow(now.Add(20 * time.Second))
	fmt.Println(early, due, b.State())
	// Output: false true half_open
}

func ExampleBreaker_ForceOpen() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	b, err := breaker.New(breaker.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	b.ForceOpen("database upgrade", now)
	s := b.Snapshot(now.Add(24 * time.Hour))
	fmt.Println(s.State, s.Forced, s.Reason)
	b.Reset("upgrade done", now)
	fmt.Println(b.State())
	// Output:
	// open true database upgrade
	// closed
}
