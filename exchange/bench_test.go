package exchange_test

import (
	"fmt"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/retry"
)

func benchRig(tb testing.TB, n int, limits bool) *rig {
	tb.Helper()
	r := newRig(tb, n, func(c *exchange.FunctionConfig) {
		c.Balancer = balancer.Config{}
		if limits {
			c.Breaker = &breaker.Config{}
			c.Policy.MaxInFlight, c.Policy.QueueSize = 100, 100
		}
	})
	r.m = exchange.NewMachine(exchange.MachineConfig{})
	r.route(exchange.Route{Path: "/api/public/", Function: r.f}, exchange.Route{Path: "/api/admin/", Function: r.f})
	return r
}

// decide is all the machine does for a good exchange.
func decide(m *exchange.Machine, x *exchange.Exchange, q *exchange.Request, now time.Time) bool {
	q.Draw = q.Draw*6364136223846793005 + 1442695040888963407
	step := m.Begin(x, q, nil, now)
	if step.Do != exchange.Attempt {
		return false
	}
	x.Head(step.Attempt, exchange.Head{Status: 200, Replayable: true}, now.Add(3*time.Millisecond))
	x.Done(step.Attempt, exchange.Outcome{Kind: retry.OK, Sent: true, Bytes: 1000}, now.Add(4*time.Millisecond))
	x.End(now.Add(4 * time.Millisecond))
	return true
}

func benchRequest() exchange.Request {
	return exchange.Request{
		ID: "0123456789abcdef0123456789abcdef", Method: "GET", Host: "api.example.com", Path: "/api/public/users/12345/orders",
	}
}

// BenchmarkDecisionPath is the whole decision of one exchange: Begin, Attempt,
// Head, Done, End.
func BenchmarkDecisionPath(b *testing.B) {
	for _, limits := range []bool{false, true} {
		for _, n := range []int{10, 1000} {
			b.Run(fmt.Sprintf("limits=%v/instances=%d", limits, n), func(b *testing.B) {
				r, q, now := benchRig(b, n, limits), benchRequest(), time.Now()
				var x exchange.Exchange
				b.ReportAllocs()
				for b.Loop() {
					now = now.Add(50 * time.Microsecond)
					if !decide(r.m, &x, &q, now) {
						b.Fatal("no attempt")
					}
				}
			})
		}
	}
}

// BenchmarkDecisionPathParallel shows what sharing costs.
func BenchmarkDecisionPathParallel(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("instances=%d", n), func(b *testing.B) {
			r := benchRig(b, n, false)
			b.ReportAllocs()
			b.ResetTimer() // making a large set takes longer than a short run
			b.RunParallel(func(pb *testing.PB) {
				q, now := benchRequest(), time.Now()
				var x exchange.Exchange
				for pb.Next() {
					now = now.Add(50 * time.Microsecond)
					if !decide(r.m, &x, &q, now) {
						b.Error("no attempt")
						return
					}
				}
			})
		})
	}
}
