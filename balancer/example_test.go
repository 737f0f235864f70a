package balancer_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"holdfast/balancer"
)

// One attempt: pick, begin, observe, release.
func Example() {
	set, err := balancer.New(balancer.Config{Strategy: balancer.LeastConnections})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Now()
	a := balancer.NewInstance(balancer.Spec{ID: "a", Endpoint: "http://127.0.0.1:9001"})
	b := balancer.NewInstance(balancer.Spec{ID: "b", Endpoint: "http://127.0.0.1:9002"})
	set.Replace([]*balancer.Instance{a, b}, now)
	set.SetHealth(a, balancer.HealthUp, "checks passed", now)
	set.SetHealth(b, balancer.HealthUp, "checks passed", now)

	set.Begin(a, now) // a is busy
	p := balancer.Pick{Draw: rand.Uint64()}
	if !set.Pick(&p, now) {
		fmt.Println("nobody:", p.None)
		return
	}
	set.Begin(p.Instance, now)
	fmt.Println(p.Instance.ID(), "by", p.Rule)
	set.Observe(p.Instance, balancer.Result{Latency: 3 * time.Millisecond}, now)
	set.Release(p.Instance, now)
	// Output: b by strategy
}

// A failing instance is ejected, tells why, and comes back after its time.
func ExampleBalancer_Observe() {
	start := time.Now()
	set, err := balancer.New(balancer.Config{OnEvent: func(e balancer.Event) {
		if e.Source == "ejection" {
			fmt.Printf("after %v: %s %s: %s\n", e.At.Sub(start), e.Instance.ID(), e.Kind, e.Reason)
		}
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	a, b := balancer.NewInstance(balancer.Spec{ID: "a"}), balancer.NewInstance(balancer.Spec{ID: "b"})
	set.Replace([]*balancer.Instance{a, b}, start)
	set.SetHealth(a, balancer.HealthUp, "checks passed", start)
	set.SetHealth(b, balancer.HealthUp, "checks passed", start)
	for range 5 {
		set.Observe(a, balancer.Result{Failure: balancer.Timeout}, start)
	}
	set.Stats(start.Add(30 * time.Second))
	// Output:
	// after 0s: a ejected: 5 failures in a row, the last: timeout
	// after 0s: a status_changed: 5 failures in a row, the last: timeout
	// after 30s: a returned: its time is over
	// after 30s: a status_changed: ejection is over, on probation
	// after 30s: a status_changed: ejection is over, on probation
}

// A record of a pick reproduces the choice.
func ExamplePick_Replay() {
	set, err := balancer.New(balancer.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Now()
	var all []*balancer.Instance
	for k := range 5 {
		i := balancer.NewInstance(balancer.Spec{ID: fmt.Sprint("i", k)})
		set.SetHealth(i, balancer.HealthUp, "checks passed", now)
		all = append(all, i)
	}
	set.Replace(all, now)
	record := balancer.Pick{Draw: 42}
	set.Pick(&record, now)
	set.Replace(nil, now) // the set has moved on
	fmt.Println(record.N, "considered, same choice:", record.Replay() == record.Instance)
	// Output: 2 considered, same choice: true
}
