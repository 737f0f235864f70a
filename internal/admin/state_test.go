package admin_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/internal/admin"
	"holdfast/internal/event"
)

func now() time.Time { return time.Now() }

// stop takes all instances of a function away.
func (s *site) stop(function string) error {
	_, err := s.gateway.SetInstances(function, nil, time.Now())
	return err
}

func TestStatusCountsWhatHappened(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.serve()
	for range 5 {
		s.request("/private/x")
	}
	s.status.Store(http.StatusInternalServerError)
	s.request("/private/x")
	var v admin.Status
	poll(t, "all exchanges are counted", func() bool {
		v = admin.Status{}
		return s.get("/api/v1/status", &v) == 200 && v.Functions[0].Exchanges == 6
	})
	f := v.Functions[0]
	if v.Version != "test" || v.PID == 0 || !v.Ready || len(v.Functions) != 2 || f.Name != "private" {
		t.Fatalf("%+v", v)
	}
	if f.Failed != 1 || f.Attempts < 6 || f.Bytes != 30 || f.Breaker != "off" || f.Strategy != "p2c" || f.LastRequest.IsZero() {
		t.Errorf("counters: %+v", f)
	}
	if n := f.Instances; n.Total != 1 || n.Active+n.Recovering+n.Failed != 1 {
		t.Errorf("instances: %+v", n)
	}
	r := f.Recent
	if r.RequestsPerSecond <= 0 || r.FailedPercent < 16 || r.FailedPercent > 17 || r.P99MS < r.P50MS || r.P50MS <= 0 {
		t.Errorf("recent: %+v", r)
	}
}

func TestStatusNamesProblems(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.serve()
	s.health.Store(http.StatusInternalServerError)
	poll(t, "problems are named", func() bool {
		var v admin.Status
		s.get("/api/v1/status", &v)
		all := strings.Join(v.Problems, "\n")
		return strings.Contains(all, "public: no instance is available") &&
			strings.Contains(all, "public: 2 of 2 instances failed") && strings.Contains(all, "public: panic mode")
	})
}

func TestInstancesShowWhatChecksAndPlatformSay(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.serve()
	s.request("/public/x")
	for _, path := range []string{"/api/v1/functions/public/instances", "/api/v1/instances?function=public"} {
		var v admin.Instances
		if status := s.get(path, &v); status != 200 || len(v.Instances) != 2 {
			t.Fatalf("%s: %d %+v", path, status, v)
		}
		one, two := v.Instances[0], v.Instances[1]
		if one.ID != "public-1" || one.Status != "active" || one.Health != "up" || one.Lifecycle != "running" || one.Weight != 1 {
			t.Errorf("%s: %+v", path, one)
		}
		if one.Process == nil || one.Process.PID != 42 || two.Process != nil {
			t.Errorf("%s: process %+v and %+v", path, one.Process, two.Process)
		}
		if c := two.Check; c == nil || c.State != "up" || !c.OK || c.Checks == 0 || c.Numbers["connections"] != 7 || c.Results != nil {
			t.Errorf("%s: check %+v", path, c)
		}
	}
	var all admin.Instances
	if s.get("/api/v1/instances", &all); len(all.Instances) != 3 {
		t.Errorf("%d instances in all, want 3", len(all.Instances))
	}
}

func TestANameThatDoesNotExistIsAnsweredWithWhatWasMeant(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.serve()
	for _, path := range []string{
		"/api/v1/functions/pubic/instances", "/api/v1/instances?function=pubic", "/api/v1/breakers?function=pubic",
		"/api/v1/requests?function=pubic", "/api/v1/explain/breaker/pubic", "/api/v1/explain/instance/pubic/public-1",
	} {
		if e := s.refused(404, http.MethodGet, path, ""); e.Hint != "did you mean public?" {
			t.Errorf("%s: hint %q", path, e.Hint)
		}
	}
	if e := s.refused(404, http.MethodGet, "/api/v1/breakers?function=zzzzzzzzz", ""); e.Hint != "functions: private, public" {
		t.Errorf("hint for something else: %q", e.Hint)
	}
	if e := s.refused(404, http.MethodGet, "/api/v1/explain/instance/public/public-7", ""); !strings.HasPrefix(e.Hint, "did you mean public-") {
		t.Errorf("hint for an instance: %q", e.Hint)
	}
	long := strings.Repeat("x", 5000)
	if e := s.refused(404, http.MethodGet, "/api/v1/breakers?function="+long, ""); strings.Contains(e.Hint, "did you mean") {
		t.Errorf("hint for a long name: %q", e.Hint)
	}
}

func TestEventsGoOnFromANumber(t *testing.T) {
	t.Parallel()
	s := open(t)
	for range 3 {
		s.events.Publish(event.Event{Kind: event.Config, Function: "public"})
	}
	var v admin.Events
	if s.get("/api/v1/events", &v); len(v.Events) != 3 || v.Last != 3 {
		t.Errorf("all: %+v", v)
	}
	if s.get("/api/v1/events?since=2", &v); len(v.Events) != 1 || v.Events[0].Seq != 3 || v.Last != 3 {
		t.Errorf("since 2: %+v", v)
	}
	v = admin.Events{}
	if s.get("/api/v1/events?since=9", &v); v.Events == nil || len(v.Events) != 0 || v.Last != 3 {
		t.Errorf("since the future: %+v", v)
	}
	s.refused(400, http.MethodGet, "/api/v1/events?since=x", "")
}

func TestRequestsAreListedLatestFirst(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.serve()
	first, _ := s.request("/public/a")
	s.request("/private/b")
	s.status.Store(http.StatusBadGateway)
	lost, _ := s.request("/private/c")
	list := func(query string) []admin.Request {
		var v admin.Requests
		if status := s.get("/api/v1/requests?"+query, &v); status != 200 {
			t.Fatalf("%s: %d", query, status)
		}
		return v.Requests
	}
	poll(t, "all are kept", func() bool { return len(list("")) == 3 })
	if l := list("n=1"); len(l) != 1 || l[0].ID != lost {
		t.Errorf("the last one: %+v", l)
	}
	if l := list("failed=1"); len(l) != 1 || l[0].ID != lost || l[0].Status != 502 || l[0].Local || len(l[0].Attempts) != 3 {
		t.Errorf("failed: %+v", l)
	} else if a := l[0].Attempts[0]; a.Status != 502 || a.Reason != "failure status" || !a.Retried || a.Retry == "" {
		t.Errorf("its first attempt: %+v", a)
	}
	l := list("function=public")
	if len(l) != 1 || l[0].ID != first || l[0].Method != http.MethodGet || l[0].Path != "/public/a" || l[0].Status != 200 || l[0].Failed {
		t.Fatalf("of public: %+v", l)
	}
	if a := l[0].Attempts; len(a) != 1 || !strings.HasPrefix(a[0].Instance, "public-") || a[0].Status != 200 || a[0].Strategy != "p2c" || a[0].Retry != "" {
		t.Errorf("attempts: %+v", a)
	}
	if all, none := list("slower_ms=0.001"), list("slower_ms=3600000"); len(all) != 3 || len(none) != 0 {
		t.Errorf("slower than a microsecond: %d of 3; than an hour: %d", len(all), len(none))
	}
	s.refused(400, http.MethodGet, "/api/v1/requests?slower_ms=-1", "")
	s.refused(400, http.MethodGet, "/api/v1/requests?n=1001", "")
	s.refused(400, http.MethodGet, "/api/v1/requests?n=-1", "")
	s.refused(400, http.MethodGet, "/api/v1/requests?failed=perhaps", "")
}

// inFlight is how many attempts at a function are under way.
func (s *site) inFlight(function string) (n int) {
	for _, i := range s.gateway.Function(function).Balancer().Stats(now()).Instances {
		n += i.InFlight
	}
	return n
}

func TestAnAttemptTellsHowLongTheClientWasWaitedFor(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.serve()
	body, client := io.Pipe()
	const late = 500 * time.Millisecond
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for s.inFlight("public") == 0 { // else the attempt may begin after the body came, on a busy machine
			select {
			case <-t.Context().Done():
				return
			case <-time.After(time.Millisecond):
			}
		}
		<-time.After(late)
		_, _ = io.WriteString(client, "at last")
		_ = client.Close()
	}()
	if res := s.do(s.client, http.MethodPost, s.front+"/public/slow", "", body); res.status != 200 {
		t.Fatalf("status %d", res.status)
	}
	<-sent
	var v admin.Requests
	poll(t, "it is kept", func() bool { return s.get("/api/v1/requests", &v) == 200 && len(v.Requests) == 1 })
	if a := v.Requests[0].Attempts; len(a) != 1 || a[0].UploadMS < 50 || a[0].UploadMS > a[0].HeadMS {
		t.Errorf("the client took %v to send its body: %+v", late, a)
	}
}
