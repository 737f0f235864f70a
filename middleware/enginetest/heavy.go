package enginetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"holdfast/breaker"
	"holdfast/retry"
)

func heavyTests() []test {
	return []test{
		{"failing requests leave nothing behind", failuresLeaveNothing},
		{"clients that leave leave nothing behind", leaversLeaveNothing},
		{"large bodies stream both ways in little memory", largeBodies},
		{"a thousand event streams", thousandEvents},
		{"a thousand WebSockets", thousandWebSockets},
	}
}

const many = 1000

// settled waits until no more goroutines run than before, but for a few that
// net/http keeps for idle connections.
func settled(t *testing.T, before int) {
	t.Helper()
	var now int
	deadline := time.Now().Add(patience)
	for now = runtime.NumGoroutine(); now > before+10 && time.Now().Before(deadline); now = runtime.NumGoroutine() {
		pause(10 * time.Millisecond)
	}
	if now > before+10 {
		t.Errorf("%d goroutines, %d before", now, before)
	}
}

// counted is an instance that counts its open connections.
func counted(t *testing.T, h http.HandlerFunc) (url string, open, made *atomic.Int64) {
	t.Helper()
	open, made = new(atomic.Int64), new(atomic.Int64)
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
			made.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		case http.StateActive, http.StateIdle:
		}
	}
	srv.Start()
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL, open, made
}

func failuresLeaveNothing(t *testing.T, start Start) {
	url, open, made := counted(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/break" {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "try later")
	})
	f := in(url, url, deadEndpoint(t))
	f.Breaker = breaker.Config{FailureThreshold: -1}
	f.Balancer.Ejection.Disabled = true
	f.Policy.Retry = retry.DefaultPolicy()
	w := newWorld(t, start, config(f))
	w.get(t, "/") // what is made once
	before := runtime.NumGoroutine()
	for n := range many {
		switch n % 3 {
		case 0:
			w.do(t, w.request(t, "PUT", "/", io.LimitReader(zeros{}, 1000)))
		case 1:
			w.get(t, "/break")
		case 2:
			w.get(t, "/")
		}
	}
	settled(t, before)
	if open.Load() > 10 || made.Load() > many*3/2 {
		t.Errorf("%d connections open, %d made", open.Load(), made.Load())
	}
	t.Logf("%d failing requests, %d attempts: %d connections made, %d open", many, w.Function("f").Stats().Attempts.Load(), made.Load(), open.Load())
	w.idle(t)
}

// idle wants nothing in flight.
func (w *world) idle(t *testing.T) {
	t.Helper()
	fn := w.Function("f")
	eventually(t, "nothing in flight", func() bool {
		n := fn.InFlight()
		for _, i := range fn.Balancer().Instances() {
			n += i.InFlight()
		}
		return n == 0
	})
}

func leaversLeaveNothing(t *testing.T, start Start) {
	url, open, _ := counted(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	})
	f := in(url)
	w := newWorld(t, start, config(f))
	before := runtime.NumGoroutine()
	for n := range many {
		ctx, cancel := context.WithCancel(t.Context())
		r := w.request(t, "GET", []string{"/head", "/body"}[n%2], nil).WithContext(ctx)
		time.AfterFunc(time.Duration(n%4)*time.Millisecond, cancel)
		if res, err := w.client.Do(r); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		cancel()
	}
	eventually(t, "connections are closed", func() bool { return open.Load() == 0 })
	settled(t, before)
	w.idle(t)
	w.blameless(t)
}

// heap returns the bytes in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// watchHeap samples the memory in use while f runs and returns the most it
// grew by.
func watchHeap(f func()) (grown int64) {
	base := heap()
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				grown = max(grown, int64(heap())-int64(base))
			}
		}
	})
	f()
	close(done)
	watcher.Wait()
	return grown
}

func largeBodies(t *testing.T, start Start) {
	size := int64(256 << 20)
	if os.Getenv("HOLDFAST_SOAK") == "1" { // the long form
		size = 1 << 30
	}
	w := newWorld(t, start, config(in(instance(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodPost {
			_, _ = fmt.Fprint(w, n, err)
			return
		}
		_, _ = io.Copy(w, io.LimitReader(zeros{}, size))
	}))))
	w.get(t, "/none")
	for _, length := range []int64{size, -1} {
		var took time.Duration
		grown := watchHeap(func() {
			r := w.request(t, "POST", "/", io.LimitReader(zeros{}, size))
			r.ContentLength = length
			began := time.Now()
			w.do(t, r).is(t, 200, fmt.Sprint(size, " <nil>"))
			took = time.Since(began)
		})
		report(t, "upload", size, took, grown)
	}
	grown := watchHeap(func() {
		began := time.Now()
		res, err := w.client.Do(w.request(t, "GET", "/", nil))
		if err != nil {
			t.Error(err)
			return
		}
		defer res.Body.Close()
		if n, err := io.Copy(io.Discard, res.Body); n != size || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		report(t, "download", size, time.Since(began), 0)
	})
	report(t, "download memory", size, 0, grown)
}

const flat = 8 << 20

func report(t *testing.T, what string, size int64, took time.Duration, grown int64) {
	t.Helper()
	t.Logf("%s of %d MiB in %v, heap grew by %d KiB at most", what, size>>20, took.Round(time.Millisecond), grown>>10)
	if grown > flat {
		t.Errorf("%s: the heap grew by %d KiB", what, grown>>10)
	}
}

func thousandEvents(t *testing.T, start Start) {
	next, closing := make(chan struct{}), make(chan struct{})
	var round atomic.Pointer[chan struct{}]
	round.Store(&next)
	w := newWorld(t, start, config(in(instance(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for n := 0; ; n++ {
			wait := *round.Load()
			_, _ = fmt.Fprintf(w, "data: %d\n\n", n)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-wait:
			case <-closing:
				return
			}
		}
	}))))
	before, used := runtime.NumGoroutine(), heap()
	readers := make([]*bufio.Reader, many)
	for i := range readers {
		res, err := w.client.Do(w.request(t, "GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		readers[i] = bufio.NewReaderSize(res.Body, 64)
	}
	for n := range 3 {
		for i, br := range readers {
			line, err := br.ReadString('\n')
			if _, err2 := br.ReadString('\n'); err != nil || err2 != nil || line != fmt.Sprintf("data: %d\n", n) {
				t.Fatalf("stream %d: %q %v", i, line, err)
			}
		}
		was, again := *round.Load(), make(chan struct{})
		round.Store(&again)
		if n < 2 {
			close(was)
		}
	}
	w.streaming(t, used)
	close(closing)
	for _, br := range readers {
		_, _ = io.Copy(io.Discard, br)
	}
	w.client.CloseIdleConnections()
	w.idle(t)
	settledStreams(t, before)
}

// streaming checks what open streams cost: client, gateway and instance are
// all in this process.
func (w *world) streaming(t *testing.T, used uint64) {
	t.Helper()
	if n := w.Function("f").InFlight(); n != many {
		t.Errorf("%d in flight, want %d", n, many)
	}
	each := (int64(heap()) - int64(used)) / many
	t.Logf("%d streams: %d KiB of heap each, with client and instance", many, each>>10)
	if each > 100<<10 {
		t.Errorf("a stream holds %d KiB of heap", each>>10)
	}
}

// settledStreams allows for connections that stay idle for a while.
func settledStreams(t *testing.T, before int) {
	t.Helper()
	eventually(t, "the goroutines of streams are gone", func() bool { return runtime.NumGoroutine() < before+many })
}

func thousandWebSockets(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, webSocketEcho))))
	before, used := runtime.NumGoroutine(), heap()
	conns := make([]*websocket.Conn, many)
	for i := range conns {
		var err error
		if conns[i], _, err = websocket.Dial(t.Context(), "ws://"+w.addr+"/", &websocket.DialOptions{HTTPClient: w.client}); err != nil { //nolint:bodyclose // it has none
			t.Fatal(err)
		}
		defer conns[i].CloseNow()
	}
	for range 3 {
		for i, c := range conns {
			if err := c.Write(t.Context(), websocket.MessageText, []byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, got, err := c.Read(t.Context()); err != nil || string(got) != "echo x" {
				t.Fatalf("socket %d: %q %v", i, got, err)
			}
		}
	}
	w.streaming(t, used)
	for _, c := range conns {
		_ = c.CloseNow()
	}
	w.idle(t)
	w.blameless(t)
	settled(t, before)
}
