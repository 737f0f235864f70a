package admin_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/admin"
)

func TestLogLevelsChangeForOneComponentOrAll(t *testing.T) {
	t.Parallel()
	s := open(t)
	set := func(component, level string) map[string]string {
		t.Helper()
		var v admin.LogLevels
		if status := s.ask(http.MethodPut, "/api/v1/log-levels", `{"component":"`+component+`","level":"`+level+`"}`, &v); status != 200 {
			t.Fatalf("%s %s: %d", component, level, status)
		}
		return v.Levels
	}
	if l := set("gateway", "debug"); l["gateway"] != "debug" || l["access"] != "info" {
		t.Errorf("one: %v", l)
	}
	if !s.logs.For("gateway").Enabled(t.Context(), slog.LevelDebug) {
		t.Error("the logger does not know")
	}
	if l := set("*", "error"); l["gateway"] != "error" || l["access"] != "error" {
		t.Errorf("all: %v", l)
	}
	var v admin.LogLevels
	if s.get("/api/v1/log-levels", &v); v.Levels["gateway"] != "error" {
		t.Errorf("read back: %v", v.Levels)
	}
}

func TestAWrongLogLevelIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, c := range []struct {
		body string
		want int
		says string
	}{
		{`{"component":"gateway","level":"loud"}`, 400, "want debug, info, warn or error"},
		{`{"component":"gatewy","level":"info"}`, 404, "no component"},
		{`{"component":"gateway","level":"info","for":"1h"}`, 400, "for: unexpected property"},
		{`{"component":"gateway","level":"info"} {}`, 400, "after top-level value"},
		{``, 400, "body is required"},
		{`{"component":"` + strings.Repeat("x", 256<<10) + `"}`, 413, "too large"},
	} {
		if e := s.refused(c.want, http.MethodPut, "/api/v1/log-levels", c.body); !strings.Contains(e.Message, c.says) {
			t.Errorf("%.60s: %q does not say %q", c.body, e.Message, c.says)
		}
	}
}

func TestReloadTellsWhatChangedOrWhyNothingDid(t *testing.T) {
	t.Parallel()
	var err error
	s := open(t, func(c *admin.Config) {
		c.Reload = func() ([]string, error) { return []string{"listen: a -> b"}, err }
	})
	var v admin.Reloaded
	if status := s.ask(http.MethodPost, "/api/v1/reload", "", &v); status != 200 || len(v.Changes) != 1 || v.Changes[0] != "listen: a -> b" {
		t.Errorf("%d %+v", status, v)
	}
	err = errors.New("holdfast.yaml:3:1: listne: no such key")
	if e := s.refused(400, http.MethodPost, "/api/v1/reload", ""); !strings.Contains(e.Message, "holdfast.yaml:3:1") || e.Hint == "" {
		t.Errorf("%+v", e)
	}
	s.refused(405, http.MethodGet, "/api/v1/reload", "")
}

func TestTheConfigurationIsShownAsItIs(t *testing.T) {
	t.Parallel()
	s := open(t, func(c *admin.Config) {
		c.Config = func() ([]byte, error) { return []byte("listen: 127.0.0.1:8080\n"), nil }
	})
	res := s.do(s.socket, http.MethodGet, "http://holdfast/api/v1/config", "", nil)
	if res.status != 200 || string(res.body) != "listen: 127.0.0.1:8080" || res.header.Get("Content-Type") != "application/yaml" {
		t.Errorf("%d %s %v", res.status, res.body, res.header)
	}
}

func TestWhatIsNotThereIsRefusedWithASentence(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.refused(503, http.MethodPost, "/api/v1/reload", "")
	s.refused(503, http.MethodGet, "/api/v1/config", "")
	s.refused(404, http.MethodGet, "/api/v1/nothing", "")
	s.refused(405, http.MethodDelete, "/api/v1/status", "")
}

func TestRunEndsAlthoughAConnectionIsOpen(t *testing.T) {
	t.Parallel()
	s := open(t)
	tcp, socket := listen(t, "tcp", "127.0.0.1:0"), listen(t, "unix", filepath.Join(t.TempDir(), "s"))
	held, asked := make(chan struct{}), make(chan struct{})
	second := admin.New(admin.Config{
		Gateway: s.gateway, Events: s.events, Logs: s.logs,
		Config: func() ([]byte, error) { close(asked); <-held; return nil, nil },
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- second.Run(ctx, tcp, socket) }()
	c := listenClient(socket.Addr().String())
	left := make(chan struct{})
	go func() {
		defer close(left)
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://holdfast/api/v1/config", nil)
		if res, err := c.Do(req); err == nil {
			res.Body.Close()
		}
	}()
	<-asked
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute): // the request hangs for good
		t.Error("Run still waits for a request that hangs")
	}
	close(held)
	<-left
}

func TestRunSaysThatAListenerFailed(t *testing.T) {
	t.Parallel()
	s := open(t)
	tcp, socket := listen(t, "tcp", "127.0.0.1:0"), listen(t, "unix", filepath.Join(t.TempDir(), "s"))
	ended := make(chan error, 1)
	go func() {
		ended <- admin.New(admin.Config{Gateway: s.gateway, Events: s.events, Logs: s.logs}).Run(t.Context(), tcp, socket)
	}()
	if err := tcp.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "serve admin") {
		t.Errorf("got %v", err)
	}
}
