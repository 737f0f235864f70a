//go:build linux

package load_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"holdfast/bench/gateway/load"
	"holdfast/test/port"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server answers with a body of 512 bytes, and counts.
func server(t *testing.T, handler http.HandlerFunc) (addr string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		handler(w, r)
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), asked
}

func small(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(strings.Repeat("x", 512))) }

func connect(t *testing.T, target load.Target, connections int) *load.Client {
	t.Helper()
	c, err := load.Connect(t.Context(), target, connections, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestAClosedLoopCountsEveryAnswer(t *testing.T) {
	t.Parallel()
	addr, asked := server(t, small)
	r, err := connect(t, load.HTTP(addr, "/", 512), 5).Closed(t.Context(), 300*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if int64(r.Requests) != asked.Load() || r.Requests < 5 {
		t.Errorf("%d requests, the server saw %d", r.Requests, asked.Load())
	}
	if low, high := r.Percentile(0.5), r.Percentile(0.999); low <= 0 || high < low {
		t.Errorf("p50 %v, p99.9 %v", low, high)
	}
}

func TestAnOpenLoopSendsAtItsRate(t *testing.T) {
	t.Parallel()
	addr, asked := server(t, small)
	for _, precise := range []bool{false, true} {
		asked.Store(0)
		r, err := connect(t, load.HTTP(addr, "/", 512), 4).Open(t.Context(), time.Second, 100, precise)
		if err != nil {
			t.Fatal(err)
		}
		if r.Requests != 100 || asked.Load() != 100 {
			t.Errorf("precise %v: %d requests, the server saw %d, want 100", precise, r.Requests, asked.Load())
		}
	}
}

func TestARequestThatHadToWaitHasWaitedSinceItWasDue(t *testing.T) {
	t.Parallel()
	const pause = 300 * time.Millisecond
	var first atomic.Bool
	addr, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		if first.CompareAndSwap(false, true) {
			time.Sleep(pause)
		}
		small(w, r)
	})
	// One connection, a request each 10 ms: those behind the slow one wait up to its length.
	r, err := connect(t, load.HTTP(addr, "/", 512), 1).Open(t.Context(), 400*time.Millisecond, 100, false)
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != 40 || r.Percentile(0.5) < pause/10 {
		t.Errorf("%d requests, p50 %v: only the slow one seems to have waited", r.Requests, r.Percentile(0.5))
	}
}

func TestAWrongAnswerIsAnError(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"a status":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"a size":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(strings.Repeat("x", 600))) },
		"no answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"too much": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 16<<10))
			small(w, nil)
		},
		"no keeping": func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Connection", "close"); small(w, r) },
	} {
		addr, _ := server(t, handler)
		if r, err := connect(t, load.HTTP(addr, "/", 512), 1).Closed(t.Context(), 200*time.Millisecond); err == nil {
			t.Errorf("%s: no error, %d requests", name, r.Requests)
		}
	}
}

func TestMessagesComeBack(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 125, 126, 512} {
		addr, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
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
		c, err := load.Connect(t.Context(), load.WebSocket(addr, size), 2, 2)
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Closed(t.Context(), 100*time.Millisecond)
		c.Close()
		if err != nil || r.Requests == 0 {
			t.Errorf("%d bytes: %v, %d messages", size, err, r.Requests)
		}
	}
}

func TestIdleConnectionsStay(t *testing.T) {
	t.Parallel()
	addr, asked := server(t, small)
	c, err := load.Idle(t.Context(), load.HTTP(addr, "/", 512), 20)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if asked.Load() != 20 {
		t.Errorf("%d connections were served once, want 20", asked.Load())
	}
}

func TestNobodyThereIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := load.Connect(t.Context(), load.HTTP(port.Refusing(t), "/", 512), 1, 1); err == nil {
		t.Error("connected to nobody")
	}
}

func TestTheEndOfTheContextEndsTheLoad(t *testing.T) {
	t.Parallel()
	addr, _ := server(t, small)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := connect(t, load.HTTP(addr, "/", 512), 1).Closed(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
