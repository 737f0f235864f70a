package retry_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast/retry"
)

const forever = time.Duration(math.MaxInt64)

// failed is an attempt that everything speaks for repeating; rows change what they test.
func failed(kind retry.Kind, change func(*retry.Inputs)) retry.Inputs {
	in := retry.Inputs{
		Idempotent: true, Sent: true, Replayable: true, Kind: kind,
		OtherHost: true, Left: forever, Budget: true, Draw: math.MaxUint64,
	}
	if kind == retry.Status {
		in.Status = 503
	}
	if kind == retry.Unreachable {
		in.Sent = false
	}
	if change != nil {
		change(&in)
	}
	return in
}

type row struct {
	name   string
	policy retry.Policy
	in     retry.Inputs
	want   retry.Decision
}

func no(r retry.Reason) retry.Decision { return retry.Decision{Reason: r} }

func elsewhere() retry.Decision { return retry.Decision{Retry: true, Reason: retry.RetryElsewhere} }

func backoff(d time.Duration) retry.Decision {
	return retry.Decision{Retry: true, After: d, Reason: retry.RetryAfterBackoff}
}

func check(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			if err := r.policy.Validate(); err != nil {
				t.Fatal(err)
			}
			if got := r.policy.Decide(r.in); got != r.want {
				t.Errorf("got %+v (%s), want %+v (%s)", got, got.Reason, r.want, r.want.Reason)
			}
		})
	}
}

func TestWhatIsTriedAgain(t *testing.T) {
	t.Parallel()
	std := retry.DefaultPolicy()
	loose := std
	loose.NonIdempotent = true
	own := std
	own.Statuses = []int{429}
	empty := std
	empty.Statuses = []int{}
	bare := retry.Policy{Attempts: 1}
	status := func(code int) retry.Inputs {
		return failed(retry.Status, func(in *retry.Inputs) { in.Status = code })
	}
	post := func(kind retry.Kind, sent bool) retry.Inputs {
		return failed(kind, func(in *retry.Inputs) { in.Idempotent, in.Sent = false, sent })
	}
	gone := func(kind retry.Kind, sent bool) retry.Inputs {
		return failed(kind, func(in *retry.Inputs) { in.Replayable, in.Sent = false, sent })
	}
	check(t, []row{
		{"a good answer", std, failed(retry.OK, nil), no(retry.AnswerIsGood)},
		{"a client that left", std, failed(retry.Canceled, nil), no(retry.ClientLeft)},
		{"500", std, status(500), elsewhere()},
		{"501", std, status(501), no(retry.StatusIsFinal)},
		{"502", std, status(502), elsewhere()},
		{"503", std, status(503), elsewhere()},
		{"504", std, status(504), elsewhere()},
		{"404", std, status(404), no(retry.StatusIsFinal)},
		{"429 by default", std, status(429), no(retry.StatusIsFinal)},
		{"429 when listed", own, status(429), elsewhere()},
		{"503 when not listed", own, status(503), no(retry.StatusIsFinal)},
		{"503 with an empty list", empty, status(503), no(retry.StatusIsFinal)},
		{"503 with no list", bare, status(503), elsewhere()},
		{"429 with no list", bare, status(429), no(retry.StatusIsFinal)},
		{"unreachable", std, failed(retry.Unreachable, nil), elsewhere()},
		{"timeout", std, failed(retry.Timeout, nil), elsewhere()},
		{"reset", std, failed(retry.Reset, nil), elsewhere()},

		{"POST, unreachable", std, post(retry.Unreachable, false), elsewhere()},
		{"POST, unreachable, whatever Sent says", std, post(retry.Unreachable, true), elsewhere()},
		{"POST, reset before a byte was sent", std, post(retry.Reset, false), elsewhere()},
		{"POST, reset after", std, post(retry.Reset, true), no(retry.MayHaveBeenDone)},
		{"POST, timeout before a byte was sent", std, post(retry.Timeout, false), elsewhere()},
		{"POST, timeout after", std, post(retry.Timeout, true), no(retry.MayHaveBeenDone)},
		{"POST, 503", std, post(retry.Status, true), no(retry.MayHaveBeenDone)},
		{"POST, 503 before anything was sent", std, post(retry.Status, false), no(retry.MayHaveBeenDone)},
		{"POST, 503, allowed", loose, post(retry.Status, true), elsewhere()},
		{"POST, reset, allowed", loose, post(retry.Reset, true), elsewhere()},

		{"body gone, nothing sent", std, gone(retry.Reset, false), elsewhere()},
		{"body gone, sent", std, gone(retry.Reset, true), no(retry.BodyIsGone)},
		{"body gone, unreachable, nothing sent", std, gone(retry.Unreachable, false), elsewhere()},
		{"body gone, unreachable, some sent", std, gone(retry.Unreachable, true), no(retry.BodyIsGone)},
		{"body gone, 503 before anything was sent", std, gone(retry.Status, false), elsewhere()},
	})
}

func TestHowOften(t *testing.T) {
	t.Parallel()
	try := func(n int) retry.Inputs {
		return failed(retry.Unreachable, func(in *retry.Inputs) { in.Try = n })
	}
	check(t, []row{
		{"zero policy", retry.Policy{}, try(0), no(retry.NoAttemptsLeft)},
		{"after the first attempt", retry.DefaultPolicy(), try(0), elsewhere()},
		{"after the first extra try", retry.DefaultPolicy(), try(1), elsewhere()},
		{"after the second", retry.DefaultPolicy(), try(2), no(retry.NoAttemptsLeft)},
		{"the tenth of ten", retry.Policy{Attempts: 10}, try(9), elsewhere()},
		{"the eleventh", retry.Policy{Attempts: 10}, try(10), no(retry.NoAttemptsLeft)},
	})
}

func TestAfterWhatWait(t *testing.T) {
	t.Parallel()
	std := retry.DefaultPolicy()
	many := std
	many.Attempts = 10
	patient := std
	patient.MaxRetryAfter = time.Minute
	alone := func(change func(*retry.Inputs)) retry.Inputs {
		in := failed(retry.Status, change)
		in.OtherHost = false
		return in
	}
	try := func(n int) retry.Inputs { return alone(func(in *retry.Inputs) { in.Try = n }) }
	asked := func(d time.Duration) retry.Inputs { return alone(func(in *retry.Inputs) { in.RetryAfter = d }) }
	left := func(d time.Duration) retry.Inputs { return alone(func(in *retry.Inputs) { in.Left = d }) }
	after := func(d time.Duration) retry.Decision {
		return retry.Decision{Retry: true, After: d, Reason: retry.RetryAfterAsked}
	}
	const ms = time.Millisecond
	check(t, []row{
		{"first", many, try(0), backoff(25 * ms)},
		{"second", many, try(1), backoff(50 * ms)},
		{"third", many, try(2), backoff(100 * ms)},
		{"fourth", many, try(3), backoff(200 * ms)},
		{"fifth, at the maximum", many, try(4), backoff(250 * ms)},
		{"tenth, at the maximum", many, try(9), backoff(250 * ms)},
		{"lucky draw", many, alone(func(in *retry.Inputs) { in.Try, in.Draw = 3, 0 }), backoff(0)},
		{"half a draw", many, alone(func(in *retry.Inputs) { in.Try, in.Draw = 3, 1<<63 }), backoff(100 * ms)},
		{"zero delays are the defaults", retry.Policy{Attempts: 10}, try(9), backoff(250 * ms)},
		{"the maximum follows the base", retry.Policy{Attempts: 10, BaseDelay: time.Second}, try(9), backoff(10 * time.Second)},
		{"unreachable waits too on the same instance", std, alone(func(in *retry.Inputs) { in.Kind = retry.Unreachable }), backoff(25 * ms)},

		{"asked", std, asked(time.Second), after(time.Second + 25*ms)},
		{"asked for the longest", std, asked(5 * time.Second), after(5*time.Second + 25*ms)},
		{"asked for longer", std, asked(5*time.Second + 1), no(retry.AskedToWaitTooLong)},
		{"asked for longer, patient", patient, asked(time.Minute), after(time.Minute + 25*ms)},
		{"asked, but another instance is there", std, failed(retry.Status, func(in *retry.Inputs) { in.RetryAfter = time.Hour }), elsewhere()},

		{"just enough time", std, left(25*ms + 1), backoff(25 * ms)},
		{"the wait ends at the deadline", std, left(25 * ms), no(retry.NoTimeLeft)},
		{"past the deadline", std, left(-1), no(retry.NoTimeLeft)},
		{"no time for another instance", std, failed(retry.Reset, func(in *retry.Inputs) { in.Left = 0 }), no(retry.NoTimeLeft)},
		{"a nanosecond for another instance", std, failed(retry.Reset, func(in *retry.Inputs) { in.Left = 1 }), elsewhere()},
		{"asked to wait past the deadline", std, alone(func(in *retry.Inputs) { in.RetryAfter, in.Left = time.Second, time.Second }), no(retry.NoTimeLeft)},

		{"budget spent", std, failed(retry.Reset, func(in *retry.Inputs) { in.Budget = false }), no(retry.BudgetIsSpent)},
		{"no time comes before no budget", std, failed(retry.Reset, func(in *retry.Inputs) { in.Budget, in.Left = false, 0 }), no(retry.NoTimeLeft)},
	})
}

// random makes inputs of which many are at the edges.
func random(r *rand.Rand) retry.Inputs {
	flip := func() bool { return r.IntN(2) == 0 }
	return retry.Inputs{
		Try: r.IntN(4), Idempotent: flip(), Sent: flip(), Replayable: flip(), Kind: retry.Kind(r.IntN(6)),
		Status: []int{200, 404, 429, 500, 502, 503, 504}[r.IntN(7)], RetryAfter: time.Duration(r.IntN(8)) * time.Second,
		OtherHost: flip(), Left: time.Duration(r.IntN(6)) * time.Second, Budget: flip(), Draw: r.Uint64(),
	}
}

func TestTheBudgetIsAskedOnlyWhenAllElseSaysRetry(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	p := retry.DefaultPolicy()
	for range 100_000 {
		in := random(r)
		with, without := in, in
		with.Budget, without.Budget = true, false
		needs, allowed, refused := p.NeedsBudget(in), p.Decide(with), p.Decide(without)
		if refused.Retry || needs != allowed.Retry || needs != (refused.Reason == retry.BudgetIsSpent) {
			t.Fatalf("%+v: needs %v, with %+v, without %+v", in, needs, allowed, refused)
		}
	}
}

func TestNoDecisionIsEverUnsafe(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 2))
	p := retry.DefaultPolicy()
	retried := 0
	for range 100_000 {
		in := random(r)
		d := p.Decide(in)
		if d.Reason == 0 || d != p.Decide(in) {
			t.Fatalf("%+v: %+v is not explained or not repeatable", in, d)
		}
		if !d.Retry {
			continue
		}
		retried++
		twice := (in.Sent || in.Kind == retry.Status) && in.Kind != retry.Unreachable && !in.Idempotent
		switch {
		case twice, in.Sent && !in.Replayable, in.Try >= p.Attempts, !in.Budget, d.After >= in.Left:
			t.Fatalf("%+v: retried", in)
		case in.OtherHost && d.After != 0, !in.OtherHost && d.After < in.RetryAfter:
			t.Fatalf("%+v: waits %s", in, d.After)
		}
	}
	if retried < 1000 {
		t.Errorf("only %d retries", retried)
	}
}

func TestEveryReasonAndKindHasItsOwnWords(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for r := retry.Reason(0); r <= retry.BudgetIsSpent+1; r++ {
		seen[r.String()] = true
	}
	for k := retry.OK; k <= retry.Canceled+1; k++ {
		seen[k.String()] = true
	}
	if want := int(retry.BudgetIsSpent) + 2 + int(retry.Canceled) + 2; len(seen) != want {
		t.Errorf("%d different texts, want %d: %v", len(seen), want, seen)
	}
}
