// Package stream_test shows that bodies and long streams pass with flat memory.
package stream_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

const gigabyte = 1 << 30

// upstream serves large bodies, event streams and echoing WebSockets.
func upstream(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/down", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.CopyN(w, zeros{}, gigabyte)
	})
	mux.HandleFunc("/up", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := 0; ; i++ {
			fmt.Fprintf(w, "data: %d\n\n", i)
			if http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-time.After(time.Second):
			}
		}
	})
	mux.HandleFunc("/socket", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, message, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, message) != nil {
				return
			}
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestAGigabytePassesBothWaysWithFlatMemory(t *testing.T) {
	need.Plain(t)
	p := holdfast.Up(t, "--to", upstream(t))
	p.Ready(t, 20*time.Second)
	before := holdfast.RSS(t, p.PID())
	res, err := http.Get(p.Gateway + "/down")
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if err != nil || n != gigabyte {
		t.Fatalf("got %d bytes, %v", n, err)
	}
	down := holdfast.RSS(t, p.PID())
	res, err = http.Post(p.Gateway+"/up", "application/octet-stream", io.LimitReader(zeros{}, gigabyte))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || string(got) != fmt.Sprint(gigabyte) {
		t.Fatalf("the instance got %s bytes, %v", got, err)
	}
	up := holdfast.RSS(t, p.PID())
	t.Attr("rss_before_down_up", fmt.Sprintf("%s, %s, %s", mib(before), mib(down), mib(up)))
	if grown := max(down, up) - before; grown > 16<<20 {
		t.Errorf("memory grew by %s", mib(grown))
	}
}

// The slope is judged over minutes in the long form; the short one shows that
// no stream keeps what passed.
func TestAThousandStreamsKeepMemoryFlat(t *testing.T) {
	need.Plain(t)
	const streams = 500 // of each kind
	warmUp, window := 10*time.Second, 30*time.Second
	if need.Soak() {
		warmUp, window = 2*time.Minute, 20*time.Minute
	}
	p := holdfast.Up(t, "--to", upstream(t))
	p.Ready(t, 20*time.Second)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var events, echoes, broken atomic.Int64
	for range streams {
		wg.Go(func() { listen(ctx, p.Gateway+"/events", &events, &broken) })
		wg.Go(func() { chat(ctx, p.Gateway+"/socket", &echoes, &broken) })
	}
	time.Sleep(warmUp)
	slope := measureSlope(t, p.PID(), window)
	per10 := slope * 600
	if broken.Load() > 0 {
		t.Errorf("%d streams broke", broken.Load())
	}
	stop()
	wg.Wait()
	t.Attr("streams", fmt.Sprintf("%d, %d events, %d echoes", 2*streams, events.Load(), echoes.Load()))
	t.Attr("rss_slope", fmt.Sprintf("%.2f MiB per 10 min", per10/(1<<20)))
	if events.Load() < streams || echoes.Load() < streams {
		t.Errorf("only %d events and %d echoes came through", events.Load(), echoes.Load())
	}
	limit := float64(1 << 20)
	if !need.Soak() {
		limit = 40 << 20 // 30 s of a garbage collected heap say little about 10 minutes
	}
	if per10 > limit {
		t.Errorf("memory grows by %.2f MiB per 10 min", per10/(1<<20))
	}
}

func listen(ctx context.Context, url string, events, broken *atomic.Int64) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		broken.Add(1)
		return
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		broken.Add(1)
		return
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "data:") {
			events.Add(1)
		}
	}
	if ctx.Err() == nil {
		broken.Add(1)
	}
}

func chat(ctx context.Context, url string, echoes, broken *atomic.Int64) {
	c, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		broken.Add(1)
		return
	}
	defer c.CloseNow()
	for ctx.Err() == nil {
		if err := c.Write(ctx, websocket.MessageText, []byte("ping")); err != nil {
			break
		}
		if _, _, err := c.Read(ctx); err != nil {
			break
		}
		echoes.Add(1)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	if ctx.Err() == nil {
		broken.Add(1)
	}
}

// measureSlope fits a line through the resident memory, in bytes per second.
func measureSlope(t *testing.T, pid int, window time.Duration) float64 {
	t.Helper()
	var n, sx, sy, sxx, sxy float64
	start := time.Now()
	for time.Since(start) < window {
		x, y := time.Since(start).Seconds(), float64(holdfast.RSS(t, pid))
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
		time.Sleep(window / 100)
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
