package admin_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"holdfast/balancer"
	"holdfast/internal/admin"
)

func TestTheTCPListenerServesFiguresAndNothingElseWithoutAToken(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.serve()
	for _, c := range []struct {
		method, path string
		status       int
		says         string
	}{
		{"GET", "/", 200, "/metrics"},
		{"GET", "/healthz", 200, "alive"},
		{"HEAD", "/healthz", 200, ""},
		{"GET", "/readyz", 200, "ready"},
		{"GET", "/metrics", 200, `holdfast_exchanges_total{class="2xx",function="public"}`},
		{"POST", "/metrics", 405, "POST is not possible here"},
		{"GET", "/api/openapi.json", 200, "openapi"},
		{"GET", "/api/v1/status", 401, "needs a token"},
		{"GET", "/api/v1/config", 401, "needs a token"},
		{"POST", "/api/v1/reload", 401, "needs a token"},
		{"PUT", "/api/v1/log-levels", 401, "needs a token"},
		{"POST", "/api/admin/monitoring/auto-recovery", 401, "needs a token"},
		{"GET", "/debug/pprof/", 404, "there is nothing"},
		{"GET", "/nothing", 404, "list what there is"},
	} {
		res := s.do(s.client, c.method, s.tcp+c.path, "", nil)
		if res.status != c.status || !strings.Contains(string(res.body), c.says) {
			t.Errorf("%s %s: %d %s, want %d with %q", c.method, c.path, res.status, res.body, c.status, c.says)
		}
		if res.status == 405 && res.header.Get("Allow") == "" {
			t.Errorf("%s %s: 405 without Allow", c.method, c.path)
		}
		if res.status >= 400 && !json.Valid(res.body) {
			t.Errorf("%s %s: the refusal is no JSON: %s", c.method, c.path, res.body)
		}
	}
}

func TestReadyzSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	s := open(t)
	ready := func() (int, string) {
		res := s.do(s.client, http.MethodGet, s.tcp+"/readyz", "", nil)
		return res.status, string(res.body)
	}
	if status, text := ready(); status != 503 || text != "not ready: no function is set up" {
		t.Errorf("without functions: %d %s", status, text)
	}
	s.apply(2)
	s.prober.Remove("public/public-1") // nobody will say how they are
	s.prober.Remove("public/public-2")
	for _, i := range s.gateway.Function("public").Balancer().Instances() {
		s.gateway.Function("public").Balancer().SetHealth(i, balancer.HealthUnknown, "test", now())
	}
	if status, text := ready(); status != 503 || !strings.Contains(text, "function public is starting: none of its 2 instances") {
		t.Errorf("before the first check: %d %s", status, text)
	}
	s.apply(2)
	poll(t, "it is ready", func() bool { status, text := ready(); return status == 200 && text == "ready" })
	for _, i := range s.gateway.Function("public").Balancer().Instances() {
		s.gateway.Function("public").Balancer().SetHealth(i, balancer.HealthDown, "test", now())
	}
	if status, text := ready(); status != 200 {
		t.Errorf("one function down takes the whole gateway out: %d %s", status, text)
	}
	s.admin.SetDraining()
	if status, text := ready(); status != 503 || !strings.Contains(text, "shutting down") {
		t.Errorf("while draining: %d %s", status, text)
	}
}

func TestReadyzGivesDetailsAsJSON(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.apply(2)
	poll(t, "public is available", func() bool { return s.gateway.Function("public").Balancer().Stats(now()).Available == 2 })
	if err := s.stop("private"); err != nil {
		t.Fatal(err)
	}
	res := s.do(s.client, http.MethodGet, s.tcp+"/readyz", "application/json", nil)
	var v admin.Readiness
	if err := json.Unmarshal(res.body, &v); err != nil {
		t.Fatal(err)
	}
	if res.status != 503 || v.Ready || v.Draining || len(v.Reasons) != 1 || len(v.Functions) != 2 {
		t.Fatalf("%d %+v", res.status, v)
	}
	if f := v.Functions[0]; f.Name != "private" || f.Available != 0 || f.Total != 0 {
		t.Errorf("private: %+v", f)
	}
	if f := v.Functions[1]; f.Name != "public" || f.Available != 2 || f.Total != 2 {
		t.Errorf("public: %+v", f)
	}
}
