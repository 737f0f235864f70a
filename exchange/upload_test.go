package exchange_test

import (
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/retry"
)

// The client takes a minute to send its body, the instance 100 ms to answer.
const (
	uploading = time.Minute
	working   = 100 * time.Millisecond
)

func TestASlowUploadIsNotTheInstancesLatency(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*client){
		"a whole answer": func(c *client) {
			c.head(exchange.Head{Status: 200, Upload: uploading}).wants(exchange.Relay).done(exchange.Outcome{}).end()
		},
		"an answer that breaks off": func(c *client) {
			c.head(exchange.Head{Status: 200, Upload: uploading}).wants(exchange.Relay).done(exchange.Outcome{Kind: retry.Reset}).end()
		},
		"a failure": func(c *client) {
			c.head(exchange.Head{Status: 500, Upload: uploading}).wants(exchange.Relay).done(exchange.Outcome{}).end()
		},
		"no answer": func(c *client) { c.done(exchange.Outcome{Kind: retry.Reset, Sent: true, Upload: uploading}).end() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 1, func(c *exchange.FunctionConfig) {
				c.Policy.Timeouts.Exchange = 30 * time.Second
				c.Breaker = &breaker.Config{Window: breaker.Window{
					Kind: breaker.WindowCount, Calls: 10, MinimumCalls: 1, FailureRatePercent: -1,
					SlowCallRatePercent: 100, SlowCallDuration: time.Second,
				}}
			})
			c := r.begin(exchange.Request{Method: "POST"})
			r.pass(uploading + working)
			end(c)
			i := r.f.Balancer().Stats(r.now).Instances[0]
			if i.P95 < working*9/10 || i.P95 > working*11/10 {
				t.Errorf("the balancer's p95 is %s, want %s", i.P95, working)
			}
			if i.EWMA > 5*time.Second { // what any failure counts as
				t.Errorf("the balancer's estimate is %s", i.EWMA)
			}
			latency := r.f.Stats().Latency.Snapshot()
			if q := latency.Quantile(0.95); q > working*11/10 {
				t.Errorf("the function's p95 is %s, want %s", q, working)
			}
			if s := r.f.Breaker().State(); s != breaker.Closed {
				t.Errorf("the breaker took it for a slow call: it is %s", s)
			}
			if rec := c.rec(); rec.Slow() || rec.Attempts[0].Upload != uploading {
				t.Errorf("record: slow %t, upload %s", rec.Slow(), rec.Attempts[0].Upload)
			}
		})
	}
}

func TestTheTimeForAnExchangeStandsStillWhileTheClientUploads(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, func(c *exchange.FunctionConfig) {
		c.Policy.Timeouts = exchange.Timeouts{Attempt: 4 * time.Second, Exchange: 10 * time.Second}
	})
	c := r.get()
	r.pass(uploading + 4*time.Second)
	c.done(exchange.Outcome{Kind: retry.Timeout, Sent: true, Replayable: true, Upload: uploading}).wants(exchange.Attempt)
	if got := c.step.Until.Sub(r.now); got != 4*time.Second {
		t.Errorf("the second attempt may take %s, want 4s", got)
	}
	r.pass(4 * time.Second)
	c.fails(retry.Timeout).wants(exchange.Attempt)
	if got := c.step.Until.Sub(r.now); got != 2*time.Second {
		t.Errorf("the third attempt may take %s, want the 2s that are left", got)
	}
	c.finish()
	if why := c.rec().Attempts[0].Reason; why != exchange.ReasonAttemptTimeout {
		t.Errorf("the first attempt ended for: %s", why)
	}
	r.idle()
}

func TestAnUploadIsNeverLongerThanItsAttempt(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{-time.Second, time.Hour} {
		r := newRig(t, 1, nil)
		c := r.get()
		r.pass(working)
		c.head(exchange.Head{Status: 200, Upload: d}).wants(exchange.Relay).done(exchange.Outcome{}).end()
		if a := c.rec().Attempts[0]; a.Upload < 0 || a.Upload > a.Head {
			t.Errorf("upload %s of %s", a.Upload, a.Head)
		}
		if i := r.f.Balancer().Stats(r.now).Instances[0]; i.Failures != 0 || i.Status != balancer.Active {
			t.Errorf("%d failures, %s", i.Failures, i.Status)
		}
	}
}

func TestExplainASlowUpload(t *testing.T) {
	t.Parallel()
	r := told(t, 2, nil)
	r.route(exchange.Route{Path: "/api/", Function: r.f})
	c := r.begin(request("PUT"))
	r.pass(uploading + 2*time.Second)
	c.done(exchange.Outcome{Kind: retry.Reset, Sent: true, Replayable: true, Upload: uploading})
	r.pass(working)
	c.head(exchange.Head{Status: 200, Upload: 2 * time.Millisecond}).done(exchange.Outcome{Bytes: 5}).end()
	golden(t, c.rec().Explain(), `
PUT api.example.com/api/users/7 at 2026-03-01T12:00:00Z
route /api/ -> function a
attempt 1 at +0s on b1 (http://b1): picked by round-robin, rule strategy, 2 available
  no answer: connection reset by instance after 1m2s (1m0s of it waiting for the client's body)
  tried again on another instance at once
attempt 2 at +1m2s on b2 (http://b2): picked by round-robin, rule strategy, 2 available
  answered 200 after 100ms (2ms of it waiting for the client's body)
result: 200 in 1m2.1s (instance's answer), 5 bytes, whole exchange 1m2.1s`)
}
