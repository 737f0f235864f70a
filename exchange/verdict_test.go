package exchange_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/retry"
)

// counted is what the balancer of function a counted, all instances together.
func counted(r *rig) (attempts, successes, failures uint64) {
	for _, i := range r.f.Balancer().Stats(r.now).Instances {
		attempts, successes, failures = attempts+i.Attempts, successes+i.Successes, failures+i.Failures
	}
	return attempts, successes, failures
}

func TestEachAttemptCountsOnce(t *testing.T) {
	t.Parallel()
	body := func(h exchange.Head, k retry.Kind) func(*client) {
		return func(c *client) { c.head(h).wants(exchange.Relay).done(exchange.Outcome{Kind: k, Sent: true}).end() }
	}
	headless := func(k retry.Kind) func(*client) { return func(c *client) { c.fails(k).end() } }
	good, bad, long := exchange.Head{Status: 200}, exchange.Head{Status: 500}, exchange.Head{Status: 200, Long: true}
	for name, c := range map[string]struct {
		run                 func(*client)
		successes, failures uint64
	}{
		"a whole answer":                     {body(good, retry.OK), 1, 0},
		"a client's fault":                   {body(exchange.Head{Status: 404}, retry.OK), 1, 0},
		"an answer that broke off":           {body(good, retry.Reset), 0, 1},
		"an answer that stood still":         {body(good, retry.Timeout), 0, 1},
		"a failure":                          {body(bad, retry.OK), 0, 1},
		"a failure that broke off":           {body(bad, retry.Reset), 0, 1},
		"a failure whose client left":        {body(bad, retry.Canceled), 0, 1},
		"a stream":                           {body(long, retry.OK), 1, 0},
		"a stream that broke off":            {body(long, retry.Reset), 1, 0},
		"a stream whose client left":         {func(c *client) { c.head(long).gone() }, 1, 0},
		"an answer whose client left":        {body(good, retry.Canceled), 0, 0},
		"an answer that was given up":        {func(c *client) { c.head(good).gone() }, 0, 0},
		"a reset":                            {headless(retry.Reset), 0, 1},
		"a timeout":                          {headless(retry.Timeout), 0, 1},
		"a client that left":                 {headless(retry.Canceled), 0, 0},
		"a refusal that is tried again":      {func(c *client) { c.head(exchange.Head{Status: 429, Replayable: true}).finish() }, 2, 0},
		"a failure that is tried again":      {func(c *client) { c.status(503).finish() }, 1, 1},
		"a refusal that may not be repeated": {body(exchange.Head{Status: 429}, retry.OK), 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 2, func(c *exchange.FunctionConfig) {
				c.Policy.Retry.Attempts, c.Policy.Retry.Statuses = 1, []int{429, 503}
			})
			method := "POST"
			if c.successes+c.failures == 2 {
				method = "GET"
			}
			c.run(r.begin(exchange.Request{Method: method}))
			if _, s, f := counted(r); s != c.successes || f != c.failures {
				t.Errorf("%d successes and %d failures, want %d and %d", s, f, c.successes, c.failures)
			}
			r.idle()
		})
	}
}

func TestAnInstanceWhoseAnswersAlwaysBreakOffIsEjected(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, func(c *exchange.FunctionConfig) {
		c.Balancer = balancer.Config{Strategy: balancer.RoundRobin}
	})
	sick := r.f.Balancer().Instances()[0]
	for range 40 {
		r.pass(10 * time.Millisecond)
		c := r.get().status(200).wants(exchange.Relay)
		kind := retry.OK
		if c.rec().Attempts[0].Instance == sick {
			kind = retry.Reset
		}
		r.pass(10 * time.Millisecond)
		c.done(exchange.Outcome{Kind: kind, Sent: true}).end()
	}
	for k, i := range r.f.Balancer().Stats(r.now).Instances {
		if bad := k == 0; i.Ejected != bad {
			t.Errorf("%s: ejected %t (%s)", i.ID, i.Ejected, i.Reason)
		} else if bad && (i.Failures != 5 || i.Successes != 0) {
			t.Errorf("%s: %d successes, %d failures, want it to be out after 5 failures", i.ID, i.Successes, i.Failures)
		}
	}
	if attempts, s, f := counted(r); s+f != attempts || attempts != 40 {
		t.Errorf("%d successes and %d failures of %d attempts", s, f, attempts)
	}
	health(r, balancer.HealthUp) // which sees nothing of it
	if i := r.f.Balancer().Stats(r.now).Instances[0]; !i.Ejected {
		t.Error("a passing check brought it back")
	}
}

// Whatever happens to exchanges whose clients stay, each of their attempts is
// either a success or a failure.
func TestSuccessesAndFailuresAreAllAttempts(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 2))
	r := newRig(t, 4, func(c *exchange.FunctionConfig) { c.Balancer.Ejection = balancer.Ejection{} })
	pick := func(of ...retry.Kind) retry.Kind { return of[rng.IntN(len(of))] }
	for range 3000 {
		c := r.begin(exchange.Request{Method: []string{"GET", "POST"}[rng.IntN(2)]})
		for c.step.Do != exchange.Answer && c.step.Do != exchange.Finished {
			r.pass(time.Duration(rng.IntN(40)) * time.Millisecond)
			switch {
			case c.step.Do == exchange.Wait:
				r.now = c.step.Until
				c.next()
			case c.step.Do == exchange.Relay:
				c.done(exchange.Outcome{Kind: pick(retry.OK, retry.OK, retry.Reset, retry.Timeout), Sent: true})
			case rng.IntN(4) == 0:
				c.fails(pick(retry.Reset, retry.Timeout, retry.Unreachable))
			default:
				c.head(exchange.Head{
					Status: []int{200, 200, 204, 404, 429, 500, 501, 503}[rng.IntN(8)], Long: rng.IntN(9) == 0, Replayable: rng.IntN(5) > 0,
				})
			}
		}
		c.end()
	}
	if attempts, s, f := counted(r); s+f != attempts || attempts < 3000 || attempts != r.f.Stats().Attempts.Load() {
		t.Errorf("%d successes and %d failures of %d attempts", s, f, attempts)
	}
	r.idle()
}
