package middleware_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/middleware"
)

func TestARequestReachesAnInstanceAndComesBack(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen-Path", r.URL.RequestURI())
		w.Header().Set("X-Seen-For", r.Header.Get("X-Forwarded-For"))
		_, _ = w.Write(append([]byte("hello "), b...))
	}))
	defer up.Close()
	h, err := middleware.New(middleware.Config{Functions: []middleware.Function{{
		Name: "a", Routes: []exchange.Route{{Path: "/"}}, Instances: []balancer.Spec{{ID: "dead", Endpoint: "http://127.0.0.1:1"}, {Endpoint: up.URL}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	gw := httptest.NewServer(h)
	defer gw.Close()
	for range 20 {
		res, err := http.Post(gw.URL+"/x%2fy?a=1;b", "text/plain", strings.NewReader("world"))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != 200 || string(b) != "hello world" || res.Header.Get("X-Seen-Path") != "/x%2fy?a=1;b" {
			t.Fatalf("%d %q %v", res.StatusCode, b, res.Header)
		}
	}
}
