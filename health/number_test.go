package health_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"holdfast/health"
)

func TestANumberIsFoundByItsWay(t *testing.T) {
	t.Parallel()
	const doc = `{"jobs": {"waiting": 12, "a.b": 3}, "queues": [{"length": 4}, {"length": -0.5}], "text": "7", "big": 1e999, "n": null}`
	for way, want := range map[string]float64{"jobs.waiting": 12, `jobs.a\.b`: 3, "queues.0.length": 4, "queues.1.length": -0.5} {
		if n, ok := health.Number([]byte(doc), way); !ok || n != want {
			t.Errorf("%s: %v, %v, want %v", way, n, ok, want)
		}
	}
	for _, way := range []string{"", "jobs", "jobs.done", "queues", "queues.2.length", "queues.x", "text", "big", "n", "jobs.waiting.more"} {
		if n, ok := health.Number([]byte(doc), way); ok {
			t.Errorf("%s: %v", way, n)
		}
	}
	for text, want := range map[string]bool{"5": true, " 5\n": true, "": false, "{": false, "5 5": false, "NaN": false} {
		if n, ok := health.Number([]byte(text), ""); ok != want || ok && n != 5 {
			t.Errorf("%q: %v, %v", text, n, ok)
		}
	}
}

func TestACheckBringsTheNumbersItWasAskedFor(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"cpu_percent": 5, "jobs": {"waiting": 12}}`)
	}))
	defer s.Close()
	c, err := health.NewHTTP(health.HTTPConfig{URL: s.URL, Lenient: true, Numbers: []string{"jobs.waiting", "jobs.done"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := c.Check(t.Context())
	if len(r.Numbers) != 2 || r.Numbers["cpu_percent"] != 5 || r.Numbers["jobs.waiting"] != 12 {
		t.Errorf("%v", r.Numbers)
	}
}
