package loadtest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/httpload"
	"holdfast/loadtest/objective"
)

func ExampleRun() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"ok":true}`) }))
	defer s.Close()
	client, err := httpload.New(httpload.Config{Requests: []httpload.Request{{
		URL: s.URL, Checks: []httpload.Check{{Status: "200"}, {JSON: "$.ok", Equals: "true"}},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	goal, err := loadtest.ParseObjective("errors<=0")
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := loadtest.Run(context.Background(), loadtest.Config{
		Client: client, Rate: 100, Duration: 500 * time.Millisecond, Objectives: []objective.Objective{goal},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Total.Counts[loadtest.OK], "good answers;", r.Objectives[0].Text)
	// Output: 50 good answers; errors<=0: 0
}
