package admin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/internal/admin"
)

func TestARequestIsExplainedByItsIDOrTheBeginningOfIt(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.serve()
	s.status.Store(http.StatusServiceUnavailable)
	id, status := s.request("/public/x")
	if status != http.StatusServiceUnavailable || id == "" {
		t.Fatalf("%d %q", status, id)
	}
	for _, given := range []string{id, id[:8]} {
		var v admin.RequestExplained
		poll(t, "it is kept", func() bool { v = admin.RequestExplained{}; return s.get("/api/v1/explain/request/"+given, &v) == 200 })
		if v.Request.ID != id || len(v.Request.Attempts) < 2 || !v.Request.Failed || !v.Reproduced {
			t.Errorf("%s: %+v", given, v)
		}
		contains(t, v.Lines, "GET 127.0.0.1/public/x", "function public", "attempt 1", "answered 503", "tried again", "attempt 2", "result: 503")
	}
	e := s.refused(404, http.MethodGet, "/api/v1/explain/request/0123456789", "")
	if !strings.Contains(e.Hint, "X-Request-Id") {
		t.Errorf("hint: %q", e.Hint)
	}
	s.refused(404, http.MethodGet, "/api/v1/explain/request/"+id[:5], "") // too little to look for
}

func TestAnInstanceIsExplainedByAllWhoHaveASayInIt(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.serve()
	s.request("/public/x")
	var v admin.InstanceExplained
	if status := s.get("/api/v1/explain/instance/public/public-1", &v); status != 200 {
		t.Fatal(status)
	}
	contains(t, v.Lines, "instance public-1 of function public at http://127.0.0.1:", "status: active since", "platform: running",
		"checks: up since", "results: fine", "operator: in use", "process: running, pid 42, 3 restarts", "traffic: picked",
		"p99", "weight 1", "score", "recovering -> active by health")
	if len(v.Sources) != 4 || len(v.History) == 0 || v.Instance.Check == nil || len(v.Instance.Check.Results) == 0 {
		t.Errorf("%+v", v)
	}
	for _, source := range v.Sources {
		if source.Against {
			t.Errorf("%+v speaks against a good instance", source)
		}
	}
}

func TestAnInstanceThatFailsItsChecksSaysSo(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.serve()
	s.health.Store(http.StatusTeapot)
	var v admin.InstanceExplained
	poll(t, "it failed", func() bool {
		v = admin.InstanceExplained{}
		s.get("/api/v1/explain/instance/public/public-2", &v)
		return v.Instance.Status == "failed"
	})
	contains(t, v.Lines, "status: failed since", "checks: down since", "418", "<- keeps traffic away", "platform: running: not started by Holdfast")
	if c := v.Sources[1]; c.Name != "checks" || !c.Against || c.Since.IsZero() || c.Reason == "" {
		t.Errorf("%+v", c)
	}
}

func TestAnEjectedInstanceSaysWhyAndUntilWhen(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.serve()
	s.status.Store(http.StatusInternalServerError)
	var v admin.InstanceExplained
	poll(t, "one of them is ejected", func() bool {
		s.request("/public/x")
		for _, id := range []string{"public-1", "public-2"} {
			v = admin.InstanceExplained{}
			if s.get("/api/v1/explain/instance/public/"+id, &v); v.Instance.Ejected {
				return true
			}
		}
		return false
	})
	r := v.Sources[2]
	if r.Name != "results" || r.Says != "ejected" || !r.Against || r.Since.IsZero() || r.Reason == "" {
		t.Errorf("%+v", r)
	}
	if until := time.Until(v.Instance.EjectedUntil); until <= 0 || until > time.Minute {
		t.Errorf("ejected for another %s", until)
	}
	contains(t, v.Lines, "results: ejected since", "back at", "(in ")
}

func TestADrainingInstanceNamesTheOperatorsReason(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.serve()
	fn := s.gateway.Function("public")
	fn.Balancer().SetDraining(fn.Instance("public-1"), true, "being repaired", time.Now())
	var v admin.InstanceExplained
	s.get("/api/v1/explain/instance/public/public-1", &v)
	if o := v.Sources[3]; v.Instance.Status != "inactive" || o.Says != "draining" || !o.Against || o.Reason != "being repaired" {
		t.Errorf("%+v", o)
	}
}

func TestABreakerSaysWhatWillHappenNext(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.serve()
	var v admin.BreakerExplained
	s.get("/api/v1/explain/breaker/public", &v)
	contains(t, v.Lines, "breaker of function public: closed since the start", "failures in a row: 0 of 4", "next: 4 more failures in a row open it for 1m0s")
	s.status.Store(http.StatusInternalServerError)
	poll(t, "it opens", func() bool {
		s.request("/public/x")
		v = admin.BreakerExplained{}
		s.get("/api/v1/explain/breaker/public", &v)
		return v.Breaker.State == "open"
	})
	b := v.Breaker
	if b.FailureCount != 4 || b.FailureThreshold != 4 || b.Rule != "consecutive_failures" || b.Openings != 1 || time.Until(b.NextAttempt) < 50*time.Second {
		t.Errorf("%+v", b)
	}
	contains(t, v.Lines, "public: open since", "4 consecutive failures", "next attempt: ", "requests are refused for another", "closed -> open")
	if n := len(v.Events); n != 1 || v.Events[0].To != "open" {
		t.Errorf("events: %+v", v.Events)
	}
	var status admin.Status
	s.get("/api/v1/status", &status)
	contains(t, status.Problems, "public: breaker open, next attempt in ")
}

func TestABreakerHeldOpenOrMissingSaysSo(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.serve()
	s.gateway.Function("public").Breaker().ForceOpen("maintenance", time.Now())
	var v admin.BreakerExplained
	s.get("/api/v1/explain/breaker/public", &v)
	contains(t, v.Lines, "open since", "maintenance", "until an operator resets it")
	v = admin.BreakerExplained{}
	s.get("/api/v1/explain/breaker/private", &v)
	contains(t, v.Lines, "breaker of function private: off", "requests always pass")
	var all admin.Breakers
	if s.get("/api/v1/breakers", &all); len(all.Breakers) != 2 || all.Breakers[0].State != "off" || !all.Breakers[1].Forced {
		t.Errorf("%+v", all)
	}
}
