package dashboard_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

const (
	manyFunctions = 200
	ofEach        = 5
)

// TestThePageWithAThousandInstances measures how busy a browser is with the
// overview of 200 functions at one update a second.
func TestThePageWithAThousandInstances(t *testing.T) {
	need.Plain(t)
	browser := need.Command(t, "chromium")
	buildPage(t)
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	if err := os.WriteFile(file, []byte(manyConfiguration(startMany(t))), 0o600); err != nil {
		t.Fatal(err)
	}
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, time.Minute)
	figures := filepath.Join(t.TempDir(), "figures")
	cpu, start := holdfast.CPU(t, p.PID()), time.Now()
	env := []string{"CHROMIUM=" + browser, "HOLDFAST_E2E=" + settings(t, p, ""), "HOLDFAST_FIGURES=" + figures}
	if vitest(t, env, "--config", "vitest.e2e.config.ts", "big/") == 0 {
		t.Error("no test ran")
	}
	share := (holdfast.CPU(t, p.PID()) - cpu).Seconds() / time.Since(start).Seconds()
	t.Attr("server_share_of_one_core_with_checks_and_traffic", fmt.Sprintf("%.1f %%", share*100))
	showFigures(t, figures)
}

func showFigures(t *testing.T, file string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Errorf("no figure was measured: %v", err)
		return
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var figure map[string]string
		if err := json.Unmarshal(lines.Bytes(), &figure); err != nil {
			t.Errorf("figure %q: %v", lines.Text(), err)
		}
		for name, value := range figure {
			t.Attr(name, value)
		}
	}
}

// startMany makes one server listen on as many ports as there are instances.
func startMany(t *testing.T) []string {
	t.Helper()
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"status":"ok","cpu_percent":3.5,"memory_percent":20}`)
	})}
	t.Cleanup(func() { srv.Close() })
	var urls []string
	for range manyFunctions * ofEach {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go srv.Serve(l)
		urls = append(urls, "http://"+l.Addr().String())
	}
	return urls
}

func manyConfiguration(urls []string) string {
	var b strings.Builder
	b.WriteString("log: {access: off}\ndefaults: {health: {interval: 5s}}\nfunctions:\n")
	for f := range manyFunctions {
		fmt.Fprintf(&b, "  f%d:\n    routes: [{path: /f%d/}]\n    health: {path: /health}\n    instances:\n", f, f)
		for i := range ofEach {
			fmt.Fprintf(&b, "      - {id: i%d, url: %q}\n", i, urls[f*ofEach+i])
		}
	}
	return b.String()
}
