// Package footprint_test measures what Holdfast costs when nothing happens:
// a thousand instances, checked every 5 s.
package footprint_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

const (
	functions     = 100
	instances     = 10 // of each function
	interval      = 5 * time.Second
	rssLimit      = 60 << 20
	cpuShareLimit = 0.03 // of one core, in the long form
	// cpuShareMost catches what takes twice as much on a machine that is as fast
	// today as it may be tomorrow.
	cpuShareMost = 0.06
)

func TestAThousandIdleInstancesCostLittle(t *testing.T) {
	need.Plain(t)
	checks := &atomic.Int64{}
	p := holdfast.Up(t, "-c", writeConfig(t, startInstances(t, checks)))
	p.Ready(t, 60*time.Second)
	time.Sleep(interval) // the first checks are over, the rest is routine
	window, most := 4*interval, cpuShareMost
	if need.Soak() {
		window, most = 10*time.Minute, cpuShareLimit
	}
	cpu, before, start := holdfast.CPU(t, p.PID()), checks.Load(), time.Now()
	time.Sleep(window)
	elapsed := time.Since(start)
	share := (holdfast.CPU(t, p.PID()) - cpu).Seconds() / elapsed.Seconds()
	rss, made := holdfast.RSS(t, p.PID()), checks.Load()-before
	t.Attr("rss", fmt.Sprintf("%.1f MiB", float64(rss)/(1<<20)))
	t.Attr("share_of_one_core", fmt.Sprintf("%.2f %%", share*100))
	t.Attr("checks", fmt.Sprintf("%.0f/s", float64(made)/elapsed.Seconds()))
	if want := elapsed.Seconds() / interval.Seconds() * functions * instances; float64(made) < 0.9*want {
		t.Errorf("%d checks were made, want about %.0f", made, want)
	}
	if rss > rssLimit {
		t.Errorf("resident memory is %.1f MiB, allowed are %d", float64(rss)/(1<<20), rssLimit>>20)
	}
	if share > most {
		t.Errorf("it takes %.2f %% of one core, allowed are %.0f %%", share*100, most*100)
	}
}

// startInstances makes one server listen on as many ports as there are instances.
func startInstances(t *testing.T, checks *atomic.Int64) []string {
	t.Helper()
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		checks.Add(1)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"status":"ok","cpu_percent":3.5,"memory_percent":20,"connections":2,"event_loop_lag_ms":0.4}`)
	})}
	t.Cleanup(func() { srv.Close() })
	var urls []string
	for range functions * instances {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go srv.Serve(l)
		urls = append(urls, "http://"+l.Addr().String())
	}
	return urls
}

func writeConfig(t *testing.T, urls []string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "defaults: {health: {interval: %s, suspect_interval: %s}}\nfunctions:\n", interval, interval)
	for f := range functions {
		fmt.Fprintf(&b, "  f%d:\n    routes: [{path: /f%d/}]\n    health: {path: /health}\n    instances:\n", f, f)
		for i := range instances {
			fmt.Fprintf(&b, "      - {id: i%d, url: %q}\n", i, urls[f*instances+i])
		}
	}
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
