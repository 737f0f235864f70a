package health_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"time"

	"holdfast/health"
)

func ExampleNewHTTP() {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"degraded","cpu_percent":71.5}`)
	}))
	defer app.Close()

	condition, err := health.ParseCondition("status = ok")
	if err != nil {
		fmt.Println(err)
		return
	}
	check, err := health.NewHTTP(health.HTTPConfig{
		URL:      app.URL + "/health",
		Statuses: "200",
		JSON:     []health.Condition{condition},
		Timeout:  5 * time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer check.Close()

	r := check.Check(context.Background())
	fmt.Println(r.OK, r.Reason)
	fmt.Println("cpu", r.Numbers["cpu_percent"])
	// Output:
	// false GET /health answered 200, but status is "degraded", want = ok
	// cpu 71.5
}

// A tracker and a loop are enough to watch one target.
func ExampleTracker() {
	answers := []bool{false, true, true, false, false, false}
	check := health.Func(func(context.Context) health.Result {
		ok := answers[0]
		answers = answers[1:]
		return health.Result{OK: ok, Reason: map[bool]string{true: "answered", false: "connect: connection refused"}[ok]}
	})

	tracker := health.NewTracker(health.Policy{Interval: 2 * time.Millisecond, SuspectInterval: time.Millisecond}, health.Unknown)
	for len(answers) > 0 {
		<-time.After(tracker.Next(time.Now(), rand.Uint64()))
		if tracker.Record(check.Check(context.Background()), time.Now()) {
			last, _ := tracker.Last()
			fmt.Println(tracker.State(), "because", last.Reason)
		}
	}
	// Output:
	// down because connect: connection refused
	// up because answered
	// down because connect: connection refused
}

func ExampleParseCondition() {
	for _, text := range []string{"memory_percent < 95", `checks.db.status = "up"`, "queue > many"} {
		condition, err := health.ParseCondition(text)
		fmt.Printf("%+v %v\n", condition, err)
	}
	// Output:
	// memory_percent < 95 <nil>
	// checks.db.status = up <nil>
	// queue > many condition "queue > many": "many" is not a number
}

func ExampleNewTCP() {
	check, err := health.NewTCP(health.TCPConfig{Address: "localhost"})
	fmt.Println(check, err)
	// Output: <nil> tcp check: address "localhost" is not host:port
}
