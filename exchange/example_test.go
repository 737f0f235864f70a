package exchange_test

import (
	"fmt"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/retry"
)

// The machine driven by hand: the first instance cannot be reached, the second
// one answers.
func Example() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	public, err := exchange.NewFunction(exchange.FunctionConfig{
		Name:     "public",
		Policy:   exchange.Policy{Retry: retry.DefaultPolicy()},
		Balancer: balancer.Config{Strategy: balancer.RoundRobin},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	b1 := balancer.NewInstance(balancer.Spec{ID: "b1", Endpoint: "http://10.0.0.1:9001"})
	b2 := balancer.NewInstance(balancer.Spec{ID: "b2", Endpoint: "http://10.0.0.2:9001"})
	public.SetInstances([]*balancer.Instance{b1, b2}, now)
	public.Balancer().SetHealth(b1, balancer.HealthUp, "check passed", now)
	public.Balancer().SetHealth(b2, balancer.HealthUp, "check passed", now)

	router, err := exchange.NewRouter([]exchange.Route{{Path: "/api/public/", Function: public}})
	if err != nil {
		fmt.Println(err)
		return
	}
	m := exchange.NewMachine(exchange.MachineConfig{Records: 100})
	m.SetRouter(router)

	var x exchange.Exchange
	q := exchange.Request{ID: "r-1", Method: "GET", Host: "example.com", Path: "/api/public/users", Draw: 42}
	step := m.Begin(&x, &q, nil, now)
	fmt.Println(step.Do, step.Instance.Endpoint())

	// The engine dials, and is refused.
	now = now.Add(time.Millisecond)
	step = x.Done(step.Attempt, exchange.Outcome{Kind: retry.Unreachable, Replayable: true}, now)
	fmt.Println(step.Do, step.Instance.Endpoint())

	// This time there is an answer: its head, then its body.
	now = now.Add(12 * time.Millisecond)
	step = x.Head(step.Attempt, exchange.Head{Status: 200}, now)
	fmt.Println(step.Do)
	now = now.Add(time.Millisecond)
	step = x.Done(step.Attempt, exchange.Outcome{Kind: retry.OK, Sent: true, Bytes: 512}, now)
	fmt.Println(step.Do)
	x.End(now)

	rec, _ := m.Records().Find("r-1")
	for _, line := range rec.Explain() {
		fmt.Println(line)
	}
	fmt.Println("reproduced:", rec.Replay() == nil)
	// Output:
	// attempt http://10.0.0.1:9001
	// attempt http://10.0.0.2:9001
	// relay
	// finished
	// GET example.com/api/public/users at 2026-03-01T12:00:00Z
	// route /api/public/ -> function public
	// attempt 1 at +0s on b1 (http://10.0.0.1:9001): picked by round-robin, rule strategy, 2 available
	//   no answer: instance unreachable after 1ms
	//   tried again on another instance at once
	// attempt 2 at +1ms on b2 (http://10.0.0.2:9001): picked by round-robin, rule strategy, 2 available
	//   answered 200 after 12ms
	// result: 200 in 13ms (instance's answer), 512 bytes, whole exchange 14ms
	// reproduced: true
}
