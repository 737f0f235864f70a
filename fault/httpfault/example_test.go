package httpfault_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"

	"holdfast/fault/httpfault"
)

// Every second order is refused although the server is well.
func ExampleProxy() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ordered") }))
	defer server.Close()
	rules, err := httpfault.Parse("POST /orders: status=503@1/2")
	if err != nil {
		fmt.Println(err)
		return
	}
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	proxy, err := httpfault.New(httpfault.Config{Listener: listener, Upstream: server.Listener.Addr().String(), Seed: 42, Rules: rules})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error)
	go func() { done <- proxy.Run(ctx) }()

	var client http.Client
	for range 2 {
		resp, err := client.Post("http://"+proxy.Addr().String()+"/orders", "text/plain", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		fmt.Printf("%d %q\n", resp.StatusCode, body)
	}
	client.CloseIdleConnections()
	cancel()
	<-done
	// Output:
	// 200 "ordered"
	// 503 "injected: POST /orders: status=503@1/2\n"
}

func ExampleParse() {
	rules, err := httpfault.Parse("POST /orders/*: status=503@10%, delay=1s; /slow: delay=5s")
	for _, r := range rules {
		fmt.Println(r)
	}
	fmt.Println(err)
	_, err = httpfault.Parse("status=teapot")
	fmt.Println(err)
	// Output:
	// POST /orders/*: status=503@10%
	// POST /orders/*: delay=1s
	// /slow: delay=5s
	// <nil>
	// parse rule "status=teapot": "teapot": status needs a number from 200 to 599, as in status=503
}
