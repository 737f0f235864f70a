package autoscale_test

import (
	"encoding/json"
	"fmt"
	"time"

	"holdfast/autoscale"
)

// A loop that scales: measure, decide, act, and keep the state.
func Example() {
	policy := autoscale.Policy{
		Min: 1, Max: 20,
		Targets: []autoscale.Target{{Signal: autoscale.CPUPercent, Value: 60}},
	}
	var state autoscale.State
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	instances := 3
	for _, cpu := range []float64{58, 95, 61} {
		d := autoscale.Decide(policy, state, autoscale.Signals{
			Desired: instances,
			Values:  map[autoscale.Signal]float64{autoscale.CPUPercent: cpu},
		}, now)
		fmt.Printf("%d -> %d, %s\n", d.Current, d.Target(), d.Reason)
		state, instances = d.Next, d.Target()
		now = now.Add(15 * time.Second)
	}
	// Output:
	// 3 -> 3, nothing is to be changed
	// 3 -> 5, cpu_percent is 95 of 60: in proportion
	// 5 -> 5, nothing is to be changed
}

// A program that measures itself feeds what it sees and decides now and then.
func ExampleFeed() {
	feed := autoscale.NewFeed(autoscale.FeedConfig{})
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	feed.SetInstances([]autoscale.Instance{{ID: "a"}, {ID: "b"}})
	for _, r := range []autoscale.Reading{
		{Signal: autoscale.CPUPercent, Instance: "a", Value: 90, At: now},
		{Signal: autoscale.CPUPercent, Instance: "b", Value: 70, At: now},
		{Signal: autoscale.MemoryPercent, Instance: "a", Value: 30, At: now},
		{Signal: autoscale.MemoryPercent, Instance: "b", Value: 35, At: now},
		{Signal: autoscale.ResponseTimeMS, Value: 180, At: now},
		{Signal: autoscale.ErrorRatePercent, Value: 0, At: now},
	} {
		if err := feed.Add(r); err != nil {
			fmt.Println(err)
		}
	}
	d := autoscale.Decide(autoscale.FunctionPolicy(), autoscale.State{}, feed.Signals(2, now), now)
	fmt.Println(d.Target(), "instances:", d.Reason)
	// Output: 3 instances: cpu_percent is 80, above 70
}

// The two profiles are where most functions begin.
func ExampleServicePolicy() {
	p := autoscale.ServicePolicy()
	p.Max = 30
	p.Schedules = []autoscale.Schedule{{Name: "office hours", Min: 4}}
	d := autoscale.Decide(p, autoscale.State{}, autoscale.Signals{
		Desired: 1, Schedules: []string{"office hours"},
		Values: map[autoscale.Signal]float64{autoscale.ActiveConnections: 8},
	}, time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC))
	fmt.Println(d.Result, d.Rule)
	// Output: 4 bounds
}

// A small function needs more room than a large one.
func ExampleCapacity_Instances() {
	model := autoscale.Capacity{Slots: 1, Waiting: 0.05}
	for _, rate := range []float64{10, 200, 5000} {
		n := model.Instances(rate, 100*time.Millisecond, 10_000)
		fmt.Printf("%4.0f requests/s: %d instances, %.0f %% busy\n", rate, n, 100*rate*0.1/float64(n))
	}
	// Output:
	//   10 requests/s: 4 instances, 25 % busy
	//  200 requests/s: 29 instances, 69 % busy
	// 5000 requests/s: 540 instances, 93 % busy
}

// A decision is a plain value: kept as JSON, it can be made again.
func ExampleDecision_Replay() {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	signals := autoscale.Signals{Desired: 2, Values: map[autoscale.Signal]float64{autoscale.InFlight: 31}}
	policy := autoscale.Policy{Max: 5, Targets: []autoscale.Target{{Signal: autoscale.InFlight, Value: 10}}}
	record, err := json.Marshal(autoscale.Decide(policy, autoscale.State{}, signals, now))
	if err != nil {
		fmt.Println(err)
	}

	var d autoscale.Decision
	if err := json.Unmarshal(record, &d); err != nil {
		fmt.Println(err)
	}
	fmt.Println(d.Replay())
	for _, line := range d.Explain() {
		fmt.Println(line)
	}
	// Output:
	// <nil>
	// 2026-11-22T12:00:00Z scales up from 2 to 4: in_flight is 31 of 10: in proportion
	// instances: 2 wanted so far, 2 ready, 0 starting; 0 to 5 allowed
	// target: 4, in_flight is 31 of 10: in proportion
	// measured: in_flight 31
	// unknown: idle_seconds
}
