package middleware_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/middleware"
)

// get returns what a handler answers.
func get(h http.Handler, target string) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return fmt.Sprint(w.Code, " ", w.Body)
}

func Example() {
	hello := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer hello.Close()

	h, err := middleware.New(middleware.Config{Functions: []middleware.Function{{
		Name:   "greeter",
		Routes: []exchange.Route{{Path: "/greet/"}},
		Instances: []balancer.Spec{
			{ID: "gone", Endpoint: "http://127.0.0.1:1"}, // nobody listens there
			{ID: "here", Endpoint: hello.URL},
		},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close()
	for range 3 {
		fmt.Println(get(h, "/greet/me"))
	}
	// Output:
	// 200 hello
	// 200 hello
	// 200 hello
}

func ExampleEngine_Wrap() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "api saw "+r.URL.Path) }))
	defer api.Close()
	h, err := middleware.New(middleware.Config{Functions: []middleware.Function{{
		Name: "api", Routes: []exchange.Route{{Path: "/api/", StripPrefix: true}}, Instances: []balancer.Spec{{Endpoint: api.URL}},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the program itself") })
	site := h.Wrap(mux)
	fmt.Println(get(site, "/api/users"))
	fmt.Println(get(site, "/"))
	// Output:
	// 200 api saw /users
	// 200 the program itself
}

func ExampleHandler_Run() {
	var checked sync.Once
	ready := make(chan struct{})
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			checked.Do(func() { close(ready) })
			return
		}
		_, _ = io.WriteString(w, "served")
	}))
	defer app.Close()
	h, err := middleware.New(middleware.Config{Functions: []middleware.Function{{
		Name: "app", Routes: []exchange.Route{{Path: "/"}}, Instances: []balancer.Spec{{Endpoint: app.URL}},
		HealthPath: "/healthz",
		// A request that comes before the first good check waits for it.
		Policy: exchange.Policy{WaitForInstance: 5 * time.Second},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { err = h.Run(ctx) })
	<-ready
	fmt.Println(get(h, "/"))
	stop()
	running.Wait()
	fmt.Println(err)
	// Output:
	// 200 served
	// <nil>
}
