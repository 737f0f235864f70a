package traces_test

import (
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	trace "go.opentelemetry.io/proto/otlp/trace/v1"

	"holdfast/test/holdfast"
)

// world is Holdfast between two instances, of which one fails, and a collector.
type world struct {
	*holdfast.Process
	collector *receiver
	client    *http.Client
	heard     chan string // traceparents, in the order the instances got them
	bad       string
}

const settings = `engine: %s
tls: {cert: %q, key: %q}
telemetry:
  traces: {endpoint: %q, protocol: %s, headers: {x-key: hush}, sample: %v, service_name: a-gateway}
functions:
  good:
    routes: [{path: /good}]
    instances: [{url: %q}]
    health: {disabled: true}
  mixed:
    routes: [{path: /mixed}]
    instances: [{url: %q, priority: 0}, {url: %q, priority: 1}]
    load_balancing: {ejection: {disabled: true}}
    health: {disabled: true}
`

func start(t *testing.T, engine, protocol string, sample float64) *world {
	t.Helper()
	return startWith(t, engine, protocol, sample, &receiver{})
}

func startWith(t *testing.T, engine, protocol string, sample float64, to *receiver) *world {
	t.Helper()
	w := &world{collector: to, heard: make(chan string, 100)}
	instance := func(status int) string {
		srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.heard <- r.Header.Get("Traceparent")
			rw.WriteHeader(status)
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	good := instance(http.StatusOK)
	w.bad = instance(http.StatusServiceUnavailable)
	cert, key, roots := holdfast.Certificate(t)
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	text := fmt.Sprintf(settings, engine, cert, key, w.collector.listen(t, protocol), protocol, sample, good, w.bad, good)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	w.client = &http.Client{Transport: transport}
	w.Process = holdfast.Up(t, "-c", file)
	return w
}

// ask makes a request and returns its id.
func (w *world) ask(t *testing.T, path, parent string) (id string, status int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https"+strings.TrimPrefix(strings.TrimPrefix(w.Gateway, "https"), "http")+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if parent != "" {
		r.Header.Set("Traceparent", parent)
	}
	res, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.Header.Get("X-Request-Id"), res.StatusCode
}

// spans waits for the spans of a trace.
func (w *world) spans(t *testing.T, id string, attempts int) (server *trace.Span, tries []*trace.Span) {
	t.Helper()
	holdfast.Poll(t, 30*time.Second, "the collector has the spans of "+id, func() bool {
		server, tries = w.collector.of(id)
		return server != nil && len(tries) == attempts
	})
	slices.SortFunc(tries, func(a, b *trace.Span) int { return int(a.GetStartTimeUnixNano() - b.GetStartTimeUnixNano()) })
	return server, tries
}

func TestACollectorGetsASpanOfEachExchangeAndAttempt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ engine, protocol string }{{"http1", "http/protobuf"}, {"std", "grpc"}} {
		t.Run(c.engine+" over "+c.protocol, func(t *testing.T) {
			t.Parallel()
			w := start(t, c.engine, c.protocol, 1)
			for _, version2 := range []bool{false, true} {
				transport := w.client.Transport.(*http.Transport).Clone()
				transport.ForceAttemptHTTP2 = version2
				defer transport.CloseIdleConnections()
				w.client = &http.Client{Transport: transport}
				w.retried(t)
			}
			w.collector.mu.Lock()
			defer w.collector.mu.Unlock()
			if w.collector.service != "a-gateway" || w.collector.key != "hush" {
				t.Errorf("from %q with key %q", w.collector.service, w.collector.key)
			}
		})
	}
}

// retried makes a request that needs a second attempt, in a trace of its client,
// and looks at the spans.
func (w *world) retried(t *testing.T) {
	t.Helper()
	const parent = "00f067aa0ba902b7"
	id, status := w.ask(t, "/good", "")
	if <-w.heard; status != http.StatusOK {
		t.Fatal(status)
	}
	if server, _ := w.spans(t, id, 1); len(server.GetParentSpanId()) != 0 || server.GetName() != "GET /good" {
		t.Errorf("%s has the parent %x", server.GetName(), server.GetParentSpanId())
	}
	trace4 := fmt.Sprintf("4bf92f3577b34da6a3ce%012x", time.Now().UnixNano()&0xffffffffffff)
	request, status := w.ask(t, "/mixed", "00-"+trace4+"-"+parent+"-01")
	if status != http.StatusOK {
		t.Fatal(status)
	}
	server, tries := w.spans(t, trace4, 2)
	about := server.GetAttributes()
	if hex.EncodeToString(server.GetParentSpanId()) != parent || numberOf(about, "http.response.status_code") != 200 ||
		textOf(about, "holdfast.request_id") != request || textOf(about, "holdfast.function") != "mixed" || textOf(about, "http.route") != "/mixed" ||
		textOf(about, "url.scheme") != "https" || !sampled(server) {
		t.Errorf("the exchange: %v", server)
	}
	for n, try := range tries {
		if got, want := <-w.heard, "00-"+trace4+"-"+hex.EncodeToString(try.GetSpanId())+"-01"; got != want {
			t.Errorf("the instance of attempt %d was told %s, want %s", n+1, got, want)
		}
		if hex.EncodeToString(try.GetParentSpanId()) != hex.EncodeToString(server.GetSpanId()) {
			t.Errorf("attempt %d has the parent %x", n+1, try.GetParentSpanId())
		}
	}
	first := tries[0]
	if numberOf(first.GetAttributes(), "http.response.status_code") != 503 || textOf(first.GetAttributes(), "error.type") != "503" ||
		first.GetStatus().GetCode() != trace.Status_STATUS_CODE_ERROR || len(first.GetEvents()) != 1 || first.GetEvents()[0].GetName() != "holdfast.retry" ||
		textOf(first.GetEvents()[0].GetAttributes(), "holdfast.reason") == "" || textOf(first.GetAttributes(), "url.full") != w.bad+"/mixed" {
		t.Errorf("the first attempt: %v", first)
	}
	if numberOf(tries[1].GetAttributes(), "http.request.resend_count") != 1 {
		t.Errorf("the second attempt: %v", tries[1])
	}
}

func TestTroubleIsSentAlsoWhenItWasNotSampled(t *testing.T) {
	t.Parallel()
	w := start(t, "http1", "http/protobuf", 0)
	fine, _ := w.ask(t, "/good", "")
	if got := <-w.heard; got != "00-"+fine+got[35:53]+"00" {
		t.Errorf("the instance was told %s in trace %s", got, fine)
	}
	retried, _ := w.ask(t, "/mixed", "")
	server, _ := w.spans(t, retried, 2)
	if sampled(server) {
		t.Error("it says that it was sampled")
	}
	if server, _ := w.collector.of(fine); server != nil {
		t.Errorf("what went well was sent: %v", server)
	}
}

func TestACollectorThatRefusesAPartHasTheRest(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			w := startWith(t, "http1", protocol, 1, &receiver{refuses: 1})
			for n := range 2 { // in batches of their own
				w.ask(t, "/good", "")
				holdfast.Poll(t, 30*time.Second, "the answer was read", func() bool {
					return w.metric(t, "holdfast_traces_sent_total") == n+1
				})
			}
			if refused, lost := w.metric(t, "holdfast_trace_spans_refused_total"), w.metric(t, `holdfast_traces_lost_total{reason="not_taken"}`); refused != 2 || lost != 0 {
				t.Errorf("%d spans refused, %d traces lost", refused, lost)
			}
			if log := w.Log(); strings.Count(log, "traces are lost") != 1 || !strings.Contains(log, "it refused 1 of 2 spans: a quota") {
				t.Errorf("the log: %s", log)
			}
		})
	}
}

// metric reads one whose value is a whole number.
func (w *world) metric(t *testing.T, name string) int {
	t.Helper()
	res, err := http.Get(w.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}
