package enginetest

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"holdfast/exchange"
	"holdfast/retry"
)

const (
	aTrace      = "4bf92f3577b34da6a3ce929d0e0e4736"
	aParent     = "00-" + aTrace + "-00f067aa0ba902b7-01"
	aTracestate = "vendor=x:1,other=2"
)

func traceTests() []test {
	return []test{
		{"without tracing its fields pass as they came", tracesPass},
		{"a trace is continued, with a span for each attempt", tracesAreContinued},
		{"a trace begins where there is none, by the request's id", tracesBegin},
	}
}

// withTrace is a request of a client that is in a trace.
func (w *world) withTrace(t *testing.T, parent string) *http.Request {
	t.Helper()
	r := w.request(t, "GET", "/", nil)
	r.Header["traceparent"] = []string{parent} // as it is written
	r.Header["tracestate"] = []string{aTracestate}
	return r
}

func tracesPass(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, echo))))
	for _, parent := range []string{aParent, "not-a-traceparent"} {
		a := w.do(t, w.withTrace(t, parent))
		a.sees(t, "Traceparent", parent)
		a.sees(t, "Tracestate", aTracestate)
	}
	a := w.get(t, "/")
	a.sees(t, "Traceparent")
}

func tracesAreContinued(t *testing.T, start Start) {
	heard := make(chan string, 1)
	bad := instance(t, func(w http.ResponseWriter, r *http.Request) {
		heard <- r.Header.Get("Traceparent")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	f := in(bad, instance(t, echo))
	f.Policy.Retry = retry.DefaultPolicy()
	c := config(f)
	c.Tracing = &exchange.Tracing{}
	w := newWorld(t, start, c)
	a := w.do(t, w.withTrace(t, aParent))
	if len(heard) == 0 { // the good instance had the first turn
		a = w.do(t, w.withTrace(t, aParent))
	}
	r := w.record(t, a)
	if r.N != 2 {
		t.Fatalf("%d attempts, want 2", r.N)
	}
	a.sees(t, "Tracestate", aTracestate)
	for n, got := range []string{<-heard, strings.Join(a.field("Traceparent"), " and ")} {
		span := r.AttemptSpan(n)
		if want := "00-" + aTrace + "-" + hex.EncodeToString(span[:]) + "-01"; got != want {
			t.Errorf("attempt %d was sent with %q, want %q", n+1, got, want)
		}
	}
}

func tracesBegin(t *testing.T, start Start) {
	c := config(in(instance(t, echo)))
	c.Tracing = &exchange.Tracing{Sample: 1, Parents: exchange.ParentsNone}
	w := newWorld(t, start, c)
	for _, r := range []*http.Request{w.request(t, "GET", "/", nil), w.withTrace(t, aParent), w.withTrace(t, "not-a-traceparent")} {
		a := w.do(t, r)
		got := strings.Split(strings.Join(a.field("Traceparent"), " and "), "-")
		if id := a.Header.Get("X-Request-Id"); len(got) != 4 || got[1] != id || got[3] != "01" {
			t.Errorf("request %s was sent with traceparent %q", id, got)
		}
		a.sees(t, "Tracestate")
	}
}
