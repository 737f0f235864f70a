package demo

import (
	"net/http"
	"testing"
	"time"
)

func TestASwitchedInstanceFailsUntilItIsSwitchedBack(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	a := r.post("/switch?fail=503&for=5m")
	if a.status != http.StatusOK || a.number(t, "fail") != 503 || a.fields["health"] != false {
		t.Errorf("the switch answers %+v", a)
	}
	if a := r.get("/"); a.status != http.StatusServiceUnavailable {
		t.Errorf("switched, it answers %+v", a)
	}
	if a := r.get("/?fail=418"); a.status != http.StatusTeapot {
		t.Errorf("a request's own failure is %+v", a)
	}
	if a := r.get("/health"); a.status != http.StatusOK || a.fields["status"] != "ok" {
		t.Errorf("without health=1 its health is %+v", a)
	}
	r.post("/switch")
	if a := r.get("/"); a.status != http.StatusOK {
		t.Errorf("switched back, it answers %+v", a)
	}
}

func TestASwitchEndsByItself(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	r.post("/switch?fail=1&for=2s")
	if a := r.get("/"); a.status != http.StatusInternalServerError {
		t.Errorf("switched, it answers %+v", a)
	}
	poll(t, "the end of the switch", func() bool { return r.get("/").status == http.StatusOK })
}

func TestASwitchWithHealthFailsTheHealthCheckToo(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	r.post("/switch?fail=1&health=1&slow=100ms&for=5m")
	began := time.Now()
	a := r.get("/health")
	if a.status != http.StatusInternalServerError || a.fields["status"] != "failing" || time.Since(began) < 100*time.Millisecond {
		t.Errorf("its health is %+v", a)
	}
	r.post("/switch?drop=1&health=1&for=5m")
	for _, path := range []string{"/health", "/"} {
		if resp, err := r.try(http.MethodPost, path, nil, nil); err == nil {
			_ = resp.Body.Close()
			t.Errorf("switched to drop, %s answers %d", path, resp.StatusCode)
		}
	}
}

func TestASwitchSlowsRequests(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	r.post("/switch?slow=150ms&for=5m")
	began := time.Now()
	r.get("/")
	if took := time.Since(began); took < 150*time.Millisecond {
		t.Errorf("it took only %s", took)
	}
}

func TestASwitchIsPostedAndChecked(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	if a := r.get("/switch?fail=1"); a.status != http.StatusMethodNotAllowed {
		t.Errorf("GET answers %+v", a)
	}
	for _, query := range []string{"fail=99", "slow=x", "for=11m", "health=2", "drop=x"} {
		if a := r.post("/switch?" + query); a.status != http.StatusBadRequest {
			t.Errorf("%s answers %+v", query, a)
		}
	}
	if a := r.get("/"); a.status != http.StatusOK {
		t.Errorf("after bad switches it answers %+v", a)
	}
}
