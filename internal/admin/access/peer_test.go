package access_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/admin/access"
	"holdfast/internal/store"
)

// serve answers on l until the test ends. It waits for each connection: one whose head was too large stays half a
// second longer than Close, which looks like a leak when this test is the last.
func serve(t *testing.T, g *access.Guard, l net.Listener, h http.Handler) {
	t.Helper()
	s := &http.Server{Handler: g.Handler(h), ReadHeaderTimeout: time.Minute}
	g.Prepare(s)
	var open sync.WaitGroup
	s.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			open.Add(1)
		}
		if state == http.StateClosed {
			open.Done()
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		open.Wait()
	})
}

func get(t *testing.T, network, address, url string, header http.Header) (int, string) {
	t.Helper()
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}}
	defer tr.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, header)
	answer, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

func plainGuard(t *testing.T) *access.Guard {
	t.Helper()
	g, err := access.New(access.Config{Tokens: access.NewTokens(access.TokensConfig{})})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestTheUserOfTheLocalSocketIsAdmin(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" && runtime.GOOS != "freebsd" {
		t.Skip("no peer credentials here")
	}
	g := plainGuard(t)
	path := filepath.Join(t.TempDir(), "s")
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, g, l, g.Require(store.Admin, g.WhoAmI()))
	code, body := get(t, "unix", path, "http://whatever/", nil)
	if want := `"kind":"local","name":"uid ` + strconv.Itoa(os.Geteuid()) + `","role":"admin"`; code != 200 || !strings.Contains(body, want) {
		t.Errorf("%d %s, want %s", code, body, want)
	}
}

func TestTheNetworkIsNotTheLocalSocket(t *testing.T) {
	t.Parallel()
	g := plainGuard(t)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, g, l, g.Require(store.Viewer, g.WhoAmI()))
	address := l.Addr().String()
	if code, body := get(t, "tcp", address, "http://"+address+"/", nil); code != 401 {
		t.Errorf("%d %s", code, body)
	}
	if code, body := get(t, "tcp", address, "http://rebound.example/", nil); code != 421 {
		t.Errorf("foreign name: %d %s", code, body)
	}
	if code, _ := get(t, "tcp", address, "http://"+address+"/", http.Header{"X": {strings.Repeat("x", 30<<10)}}); code != 431 {
		t.Errorf("large head: %d", code)
	}
}

// A local socket whose server was not prepared must not make anybody admin.
func TestAnUnpreparedSocketTrustsNobody(t *testing.T) {
	t.Parallel()
	g := plainGuard(t)
	path := filepath.Join(t.TempDir(), "s")
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: g.Handler(g.WhoAmI()), ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	defer func() { s.Close(); <-ended }()
	if code, body := get(t, "unix", path, "http://localhost/", nil); code != 200 || !strings.Contains(body, `"kind":"anonymous"`) {
		t.Errorf("%d %s", code, body)
	}
}
