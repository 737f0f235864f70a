package demo

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is an instance that serves until the test's end.
type running struct {
	t      *testing.T
	url    string // of the function's root, without a slash at the end
	client *http.Client
	cancel context.CancelFunc
	ended  chan error // receives what serve returned
}

func start(t *testing.T, cfg Config) *running {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "public"
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	transport := &http.Transport{}
	r := &running{
		t: t, url: "http://" + l.Addr().String() + "/api/" + cfg.Name,
		client: &http.Client{Transport: transport, Timeout: 20 * time.Second},
		cancel: cancel, ended: make(chan error, 1),
	}
	go func() { r.ended <- serve(ctx, cfg, l) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		r.end(nil)
	})
	return r
}

// end ends the instance, once, and checks what serve returned.
func (r *running) end(want error) {
	r.t.Helper()
	r.cancel()
	if r.ended == nil {
		return
	}
	select {
	case err := <-r.ended:
		if !errors.Is(err, want) {
			r.t.Errorf("serve returned %v, want %v", err, want)
		}
	case <-time.After(20 * time.Second):
		r.t.Error("serve did not return")
	}
	r.ended = nil
}

func (r *running) try(method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, body)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, header)
	return r.client.Do(req)
}

// answer is a JSON answer.
type answer struct {
	status int
	fields map[string]any
}

func (r *running) do(method, path string, header http.Header, body io.Reader) answer {
	r.t.Helper()
	resp, err := r.try(method, path, header, body)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	a := answer{status: resp.StatusCode}
	if err := json.NewDecoder(resp.Body).Decode(&a.fields); err != nil {
		r.t.Fatalf("%s %s answered %d and no JSON: %v", method, path, resp.StatusCode, err)
	}
	return a
}

func (r *running) get(path string) answer {
	r.t.Helper()
	return r.do(http.MethodGet, path, nil, nil)
}

func (r *running) post(path string) answer {
	r.t.Helper()
	return r.do(http.MethodPost, path, nil, nil)
}

// number gives a field that has to be a number.
func (a answer) number(t *testing.T, name string) float64 {
	t.Helper()
	n, ok := a.fields[name].(float64)
	if !ok {
		t.Fatalf("%s is no number in %v", name, a.fields)
	}
	return n
}

// poll asks until the answer is yes.
func poll(t *testing.T, what string, yes func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited too long for: %s", what)
		}
	}
}
