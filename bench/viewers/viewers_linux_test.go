package viewers_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/test/holdfast"
)

const (
	window  = 4 * time.Second
	settle  = 1500 * time.Millisecond // after viewers came or went
	startup = time.Minute
)

// rig is a Holdfast with its instances, and a load.
type rig struct {
	b         *testing.B
	p         *holdfast.Process
	token     string
	functions int
	requests  atomic.Int64
	pages     atomic.Int64 // messages that viewers read
}

// build starts functions with so many instances each.
func build(b *testing.B, functions, instances int) *rig {
	b.Helper()
	port := serve(b)
	var text strings.Builder
	text.WriteString("log: {access: 'off'}\nfunctions:\n")
	for f := range functions {
		fmt.Fprintf(&text, "  f%03d:\n    routes: [{path: /f%03d/}]\n    instances:\n", f, f)
		for i := range instances {
			fmt.Fprintf(&text, "      - {id: i%d, url: 'http://127.%d.%d.%d:%d'}\n", i, 1+f/200, 1+f%200, 1+i, port)
		}
	}
	path := filepath.Join(b.TempDir(), "holdfast.yaml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	r := &rig{b: b, functions: functions, p: holdfast.Up(b, "-c", path)}
	r.p.Ready(b, startup)
	token, err := os.ReadFile(filepath.Join(r.p.Data, "admin-token"))
	if err != nil {
		b.Fatal(err)
	}
	r.token = strings.TrimSpace(string(token))
	return r
}

// serve is all instances: every address of 127/8 is this machine.
func serve(b *testing.B) (port int) {
	b.Helper()
	ln, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(ln) // it ends by being closed
	}()
	b.Cleanup(func() {
		_ = srv.Close() // the benchmark is over
		<-done
	})
	return ln.Addr().(*net.TCPAddr).Port
}

// load asks all functions in turn, at a rate, until the benchmark ends.
func (r *rig) load(rate int) {
	ctx, stop := context.WithCancel(context.Background())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	const workers = 16
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			ticker := time.NewTicker(time.Second * workers / time.Duration(rate))
			defer ticker.Stop()
			for n := w; ctx.Err() == nil; n += workers {
				r.request(ctx, client, n%r.functions)
				select {
				case <-ctx.Done():
				case <-ticker.C:
				}
			}
		})
	}
	r.b.Cleanup(func() {
		stop()
		wg.Wait()
		client.CloseIdleConnections()
	})
}

func (r *rig) request(ctx context.Context, c *http.Client, function int) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/f%03d/x", r.p.Gateway, function), nil)
	if err != nil {
		r.b.Error(err)
		return
	}
	res, err := c.Do(req)
	if err != nil {
		if ctx.Err() == nil {
			r.b.Error(err)
		}
		return
	}
	_, _ = io.Copy(io.Discard, res.Body) // it is five bytes
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		r.b.Errorf("%s: %s", req.URL, res.Status)
	}
	r.requests.Add(1)
}

// watch has n viewers, half of them of a function, until leave.
func (r *rig) watch(n int) (leave func()) {
	ctx, stop := context.WithCancel(context.Background())
	socket := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(r.p.Data, "holdfast.sock"))
	}}}
	tcp := &http.Client{Transport: &http.Transport{}}
	var wg sync.WaitGroup
	for i := range n {
		url, client := r.p.Admin+"/api/v1/live", tcp
		if i%2 == 1 { // one identity has at most 8 streams
			url, client = "http://holdfast/api/v1/live", socket
		}
		if i%4 == 3 {
			url += "?function=f000"
		}
		wg.Go(func() { r.view(ctx, client, url) })
	}
	return func() {
		stop()
		wg.Wait()
		socket.CloseIdleConnections()
		tcp.CloseIdleConnections()
	}
}

// view reads the stream until ctx ends.
func (r *rig) view(ctx context.Context, c *http.Client, url string) {
	res, err := r.open(ctx, c, url)
	if err != nil {
		r.b.Error(err)
		return
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "event: ") {
			r.pages.Add(1)
		}
	}
}

// open asks for a stream. The places of viewers who left are free only once the
// server has seen them go, so it asks again for a while when there are too many.
func (r *rig) open(ctx context.Context, c *http.Client, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+r.token)
	for end := time.Now().Add(settle); ; time.Sleep(settle / 50) {
		res, err := c.Do(req)
		if err != nil || res.StatusCode == http.StatusOK {
			return res, err
		}
		body, _ := io.ReadAll(res.Body) // what could be read explains the refusal
		_ = res.Body.Close()
		if res.StatusCode != http.StatusTooManyRequests || time.Now().After(end) {
			return nil, fmt.Errorf("%s: %s: %s", url, res.Status, body)
		}
	}
}

// used is what a window took.
type used struct {
	core     float64 // processor time by time
	requests float64 // a second
}

// each is the processor time of a request, in microseconds.
func (u used) each() float64 { return 1e6 * u.core / u.requests }

// measure watches the process for a window, with so many viewers.
func (r *rig) measure(viewers int) used {
	leave := r.watch(viewers)
	defer leave()
	time.Sleep(settle)
	begun, cpu, requests, pages := time.Now(), r.cpu(), r.requests.Load(), r.pages.Load()
	time.Sleep(window)
	long := time.Since(begun).Seconds()
	u := used{(r.cpu() - cpu).Seconds() / long, float64(r.requests.Load()-requests) / long}
	if got := float64(r.pages.Load() - pages); got < 0.5*float64(viewers)*long {
		r.b.Errorf("%d viewers read only %v messages in %.1f s", viewers, got, long)
	}
	return u
}

// cpu is the processor time the process has used, from its own clock, which is
// finer than /proc.
func (r *rig) cpu() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^r.p.PID()<<3|2), &t); err != nil {
		r.b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// compare is one iteration after another, in pairs.
func (r *rig) compare(viewers int) {
	var extra, alone, ratio, rate []float64
	for r.b.Loop() {
		a := [4]used{r.measure(0), r.measure(viewers), r.measure(viewers), r.measure(0)}
		without, with := (a[0].each()+a[3].each())/2, (a[1].each()+a[2].each())/2
		extra = append(extra, 50*(a[1].core+a[2].core-a[0].core-a[3].core))
		alone, ratio = append(alone, without), append(ratio, with/without)
		rate = append(rate, (a[0].requests+a[1].requests+a[2].requests+a[3].requests)/4)
	}
	r.b.ReportMetric(median(extra), "extra-%core")
	r.b.ReportMetric(median(alone), "us/request")
	r.b.ReportMetric(median(ratio), "ratio")
	r.b.ReportMetric(median(rate), "requests/s")
	r.b.ReportMetric(0, "ns/op") // it is the length of the windows
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// 1,000 instances of 200 functions, all of which are busy, for one viewer.
func BenchmarkUpdatesOfAThousandInstances(b *testing.B) {
	r := build(b, 200, 5)
	r.load(800)
	r.compare(1)
}

// Ten viewers of an installation with 10 functions, under a load that it could
// serve several times.
func BenchmarkTenViewers(b *testing.B) {
	r := build(b, 10, 3)
	r.load(4000)
	r.compare(10)
}

// The same of the large one.
func BenchmarkTenViewersOfAThousandInstances(b *testing.B) {
	r := build(b, 200, 5)
	r.load(4000)
	r.compare(10)
}
