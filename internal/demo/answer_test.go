package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestEveryPathSaysWhoAnswered(t *testing.T) {
	t.Parallel()
	r := start(t, Config{ID: "public-7"})
	r.get("")
	a := r.do(http.MethodPut, "/a/b?x=1", nil, strings.NewReader("ignored"))
	want := map[string]any{
		"function": "public", "instance": "public-7", "pid": float64(os.Getpid()),
		"path": "/api/public/a/b", "method": "PUT", "served": float64(2),
	}
	for key, value := range want {
		if a.fields[key] != value {
			t.Errorf("%s is %v, want %v", key, a.fields[key], value)
		}
	}
}

func TestAnInstanceWithoutAnIdGetsOne(t *testing.T) {
	t.Parallel()
	if a := start(t, Config{Name: "admin"}).get("/"); a.fields["instance"] != "admin-1" {
		t.Errorf("it answers %v", a.fields)
	}
}

func TestAnotherFunctionsPathIsNotFound(t *testing.T) {
	t.Parallel()
	if a := start(t, Config{}).get("x/users"); a.status != http.StatusNotFound || !strings.Contains(a.fields["error"].(string), "/api/public/") {
		t.Errorf("it answers %+v", a)
	}
}

func TestAnUploadIsCountedAndHashed(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	body := bytes.Repeat([]byte("0123456789"), 500_000)
	sum := sha256.Sum256(body)
	a := r.do(http.MethodPost, "/upload", nil, bytes.NewReader(body))
	if a.number(t, "bytes") != 5e6 || a.fields["sha256"] != hex.EncodeToString(sum[:]) {
		t.Errorf("it answers %v", a.fields)
	}
}

func TestALedgerLineIsWrittenOncePerPostWhateverTheAnswer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger")
	one, two := start(t, Config{ID: "one", Ledger: path}), start(t, Config{ID: "two", Ledger: path})
	header := func(id string) http.Header { return http.Header{"X-Ledger-Id": {id}} }
	if a := one.do(http.MethodPost, "/ledger", header("a"), nil); a.status != http.StatusOK || a.fields["ledger_id"] != "a" {
		t.Errorf("it answers %+v", a)
	}
	if a := two.do(http.MethodPost, "/ledger?fail=503", header("b"), nil); a.status != http.StatusServiceUnavailable {
		t.Errorf("it answers %+v", a)
	}
	if resp, err := two.try(http.MethodPost, "/ledger?drop=1", header("c"), nil); err == nil {
		_ = resp.Body.Close()
		t.Errorf("a dropped connection answers %d", resp.StatusCode)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "a one\nb two\nc two\n" {
		t.Errorf("the ledger says %q, %v", text, err)
	}
}

func TestInstancesThatShareALedgerDoNotMixTheirLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger")
	var group sync.WaitGroup
	for _, id := range []string{"one", "two"} {
		r := start(t, Config{ID: id, Ledger: path})
		for worker := range 4 {
			group.Go(func() {
				for n := range 50 {
					name := strings.Repeat("x", n) + id + string(rune('a'+worker))
					resp, err := r.try(http.MethodPost, "/ledger", http.Header{"X-Ledger-Id": {name}}, nil)
					if err != nil {
						t.Error(err)
						return
					}
					_ = resp.Body.Close()
				}
			})
		}
	}
	group.Wait()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	slices.Sort(lines)
	if unique := slices.Compact(slices.Clone(lines)); len(lines) != 400 || len(unique) != 400 {
		t.Errorf("of 400 lines there are %d, %d different ones", len(lines), len(unique))
	}
	for _, line := range lines {
		if fields := strings.Fields(line); len(fields) != 2 || !strings.Contains(fields[0], fields[1]) {
			t.Errorf("a line is %q", line)
		}
	}
}

func TestALedgerRefusesWhatItCannotRecord(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger")
	with, without := start(t, Config{Ledger: path}), start(t, Config{})
	tests := []struct {
		r      *running
		method string
		id     string
		status int
	}{
		{with, http.MethodPost, "", http.StatusBadRequest},
		{with, http.MethodPost, "two words", http.StatusBadRequest},
		{with, http.MethodPost, strings.Repeat("x", 201), http.StatusBadRequest},
		{with, http.MethodGet, "a", http.StatusMethodNotAllowed},
		{without, http.MethodPost, "a", http.StatusNotFound},
	}
	for _, test := range tests {
		a := test.r.do(test.method, "/ledger", http.Header{"X-Ledger-Id": {test.id}}, nil)
		if a.status != test.status || a.fields["error"] == "" {
			t.Errorf("%s with id %q answers %+v", test.method, test.id, a)
		}
	}
	if text, err := os.ReadFile(path); err != nil || len(text) != 0 {
		t.Errorf("the ledger says %q, %v", text, err)
	}
}

func TestAConfigThatCannotServeIsRefused(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"no name":        {Listen: "127.0.0.1:0"},
		"name of a path": {Name: "a/b", Listen: "127.0.0.1:0"},
		"name of a mux":  {Name: "{x}", Listen: "127.0.0.1:0"},
		"no address":     {Name: "a", Listen: "nowhere"},
		"no ledger":      {Name: "a", Listen: "127.0.0.1:0", Ledger: "/no/such/dir/ledger"},
	} {
		if err := Run(t.Context(), cfg); err == nil || !strings.HasPrefix(err.Error(), "run demo function: ") {
			t.Errorf("%s gives %v", name, err)
		}
	}
}

func TestRunServesUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, Config{Name: "a", Listen: addr}) }()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	r := &running{t: t, url: "http://" + addr + "/api/a", client: &http.Client{Transport: transport}}
	poll(t, "an answer", func() bool {
		resp, err := r.try(http.MethodGet, "/health", nil, nil)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestABodyOfTheSizeAskedFor(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	for query, want := range map[string]int64{"size=0": 0, "size=1": 1, "size=100KB": 100_000, "size=3MiB": 3 << 20} {
		resp, err := r.try(http.MethodGet, "/file?"+query, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		if err != nil || n != want || resp.ContentLength != want {
			t.Errorf("%s gives %d bytes of %d, %v", query, n, resp.ContentLength, err)
		}
		_ = resp.Body.Close()
	}
}
