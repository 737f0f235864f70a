package channel_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/internal/alerting/channel"
)

// TestMain puts a proxy into the environment, which is read once in a process.
// Addresses of this machine never go through it.
func TestMain(m *testing.M) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host != "receiver.example" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable) // how the test knows that it came this way
	}))
	for name, value := range map[string]string{"HTTP_PROXY": proxy.URL, "NO_PROXY": "", "http_proxy": "", "no_proxy": ""} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		proxy.Close()
		os.Exit(code)
	}), goleak.IgnoreCurrent())
}

// receiver is a server that notes what it is sent and answers as it is told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []sent
	answer http.HandlerFunc
}

type sent struct {
	method, path string
	header       http.Header
	body         []byte
}

// newReceiver answers 200 where answer is nil.
func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	r.got = append(r.got, sent{q.Method, q.URL.RequestURI(), q.Header, body})
	r.mu.Unlock()
	if r.answer != nil {
		r.answer(w, q)
	}
}

func (r *receiver) all() []sent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got
}

func (r *receiver) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = nil
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// twoAlerts is a group of which one part is over. Its texts are as bad as texts
// can be.
func twoAlerts() *channel.Notification {
	return &channel.Notification{
		ID: "n-1", Group: "payments/<db>", At: at("2026-11-22T12:30:00Z"), Link: "https://holdfast.example/admin/monitoring#/functions/payments",
		More: 3,
		Alerts: []channel.Alert{
			{
				ID: "a-1", Fingerprint: "f-1", Rule: "error_rate", Severity: channel.Critical, Function: "payments",
				Summary: "payments: 42.5 % of 1200 requests failed in the last minute <!channel> & *bold*",
				Numbers: map[string]float64{"error_percent": 42.5, "requests": 1200}, Cause: "the database refuses connections",
				Next: "holdfast explain payments", Link: "https://holdfast.example/admin/monitoring?a=1&b=2#/functions/payments",
				Began: at("2026-11-22T12:29:00Z"), Labels: map[string]string{"team": "money", "tier-1": "yes"},
			},
			{
				ID: "a-2", Fingerprint: "f-2", Rule: "memory", Severity: channel.Warning, Function: "payments", Instance: "10.0.0.1:3000",
				Summary: "uses 93 % of its memory", Numbers: map[string]float64{"memory_percent": 93.12345},
				Began: at("2026-11-22T12:00:00Z"), Ended: at("2026-11-22T12:30:00Z"), Labels: map[string]string{"team": "money"},
			},
		},
	}
}

// oneResolved is a group of which nothing is wrong any more.
func oneResolved() *channel.Notification {
	n := twoAlerts()
	n.ID, n.More, n.Alerts = "n-2", 0, n.Alerts[1:]
	return n
}

func testButton() *channel.Notification {
	return &channel.Notification{ID: "n-3", Group: "test", Test: true, At: at("2026-11-22T12:30:00Z")}
}

func heartbeat() *channel.Notification {
	return &channel.Notification{ID: "n-4", Group: "heartbeat", Heartbeat: true, At: at("2026-11-22T12:30:00Z")}
}
