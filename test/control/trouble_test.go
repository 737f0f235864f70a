package control_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/test/holdfast"
)

// The cases of docs/troubleshooting.md that no script shows: each is provoked
// and must be found by doctor, with the page that says more.

// doctorSays runs doctor until it says something.
func doctorSays(t *testing.T, p *holdfast.Process, code int, wanted ...string) {
	t.Helper()
	out := ""
	for range 20 {
		out = run(t, p, code, "doctor")
		missing := false
		for _, w := range wanted {
			missing = missing || !strings.Contains(out, w)
		}
		if !missing {
			return
		}
		if t.Failed() {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Errorf("doctor does not say %q:\n%s", wanted, out)
}

func newJar(t *testing.T) http.CookieJar {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return jar
}

func instance(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestTroubleHealthChecksFail(t *testing.T) {
	t.Parallel()
	sick := instance(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/up" {
			http.Error(w, "database is gone", http.StatusInternalServerError)
		}
	})
	well := instance(t, func(http.ResponseWriter, *http.Request) {})
	conf := file(t, fmt.Sprintf("functions:\n  public:\n    routes: [{path: /}]\n    health: {path: /up, interval: 50ms, suspect_interval: 50ms}\n    instances: [{id: sick, url: %q}, {id: well, url: %q}]\n", sick, well))
	p := holdfast.Up(t, "-c", conf)
	p.Ready(t, ready)
	holdfast.Poll(t, ready, "sick is found", func() bool { return strings.Contains(run(t, p, 0, "instances", "public"), "failed") })
	doctorSays(t, p, 2, "problem instance public/sick: its health check fails: ", "500", "docs/troubleshooting.md#health-checks-fail")
	if out := run(t, p, 0, "explain", "instance", "public/sick"); !strings.Contains(out, "checks: down") || !strings.Contains(out, "keeps traffic away") {
		t.Errorf("explain: %s", out)
	}
}

func TestTroubleThrashing(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	restless := instance(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%4 < 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	well := instance(t, func(http.ResponseWriter, *http.Request) {})
	conf := file(t, fmt.Sprintf("functions:\n  public:\n    routes: [{path: /}]\n    health: {path: /up, interval: 20ms, suspect_interval: 20ms, rise: 1, fall: 1}\n    instances: [{id: restless, url: %q}, {id: well, url: %q}]\n", restless, well))
	p := holdfast.Up(t, "-c", conf)
	holdfast.Poll(t, ready, "it came and went", func() bool { return n.Load() > 200 })
	out := ""
	for range 20 { // between two failures there may be no other problem, but this one
		if out = run(t, p, 2, "doctor"); strings.Contains(out, "it failed and came back") {
			break
		}
	}
	if !strings.Contains(out, "problem instance public/restless: it failed and came back") || !strings.Contains(out, "docs/troubleshooting.md#thrashing") {
		t.Errorf("%s", out)
	}
}

func TestTroubleLoadIsUneven(t *testing.T) {
	t.Parallel()
	conf := file(t, "functions:\n"+function(t, "public", 2, "    load_balancing: {affinity: {cookie: hf_session}}\n"))
	p := holdfast.Up(t, "-c", conf)
	p.Ready(t, ready)
	jar := &http.Client{Jar: newJar(t)}
	for range 260 {
		res, err := jar.Get(p.Gateway + "/api/public/hello")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	doctorSays(t, p, 0, "warning load of public: public-", "sessions keep clients where they are", "holdfast function clear-sessions public", "docs/troubleshooting.md#load-balancing-issues")
	login(t, p).act(`{"action":"failover","function_name":"public","instance_id":"public-1"}`)
	doctorSays(t, p, 0, "warning instance public/public-1: it gets no traffic: failover ordered by bootstrap", "holdfast function failback public")
}
