package breakerhttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"holdfast/breaker"
	"holdfast/breaker/breakerhttp"
)

func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer server.Close()
	b, err := breaker.New(breaker.Config{FailureThreshold: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	transport, err := breakerhttp.New(breakerhttp.Config{Breaker: b, Next: server.Client().Transport})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := &http.Client{Transport: transport}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, server.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		resp, err := client.Do(req)
		if open, ok := errors.AsType[*breakerhttp.OpenError](err); ok {
			fmt.Println("refused:", open.Reason)
			continue
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Println(resp.StatusCode)
	}
	// Output:
	// 502
	// 502
	// refused: 2 consecutive failures (threshold 2)
}
