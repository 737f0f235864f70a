//go:build linux

package flood_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// raiseLimit lets this process and those it starts have many descriptors; room
// is how many connections that leaves for hostile clients.
func raiseLimit(t *testing.T) (room int) {
	t.Helper()
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	if want := uint64(64 << 10); l.Max < want {
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: want, Max: want}) == nil {
			l.Max = want
		}
	} else if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: want, Max: l.Max}); err != nil {
		t.Fatal(err)
	} else {
		l.Max = want
	}
	return int(l.Max) - 2000
}

// startInstance answers /N with N MB, and all else with a few bytes.
func startInstance(t *testing.T) string {
	t.Helper()
	block := []byte(strings.Repeat("x", 1<<20))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var megabytes int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &megabytes); err != nil {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, "hello")
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(megabytes<<20))
		for range megabytes {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func writeConfig(t *testing.T, engine, instance string, idle time.Duration) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	text := fmt.Sprintf(`engine: %s
log: {access: "off"}
limits: {header_timeout: %v, idle_timeout: %v}
functions:
  f:
    routes: [{path: /}]
    instances: [{id: a, url: %q}]
`, engine, headerTimeout, idle, instance)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const (
	judges       = 4 // connections of the good client
	pace         = judges * time.Second / 100
	perConnected = 10 // requests on each connection
)

// judge is the client that behaves: 100 requests a second at planned times, on
// four connections that are each made anew now and then.
type judge struct {
	good, failed int
	slowest      time.Duration // since the planned time
	err          error         // of the last request that failed

	addr string
	stop context.CancelFunc
	mu   sync.Mutex
	all  sync.WaitGroup
}

func startJudge(gateway string) *judge {
	ctx, stop := context.WithCancel(context.Background())
	j := &judge{addr: strings.TrimPrefix(gateway, "http://"), stop: stop}
	for range judges {
		j.all.Go(func() { j.run(ctx) })
	}
	return j
}

func (j *judge) end() *judge {
	j.stop()
	j.all.Wait()
	return j
}

func (j *judge) run(ctx context.Context) {
	var conn net.Conn
	var r *bufio.Reader
	for planned, n := time.Now(), 0; ctx.Err() == nil; planned, n = planned.Add(pace), n+1 {
		time.Sleep(time.Until(planned))
		if n%perConnected == 0 || conn == nil {
			if conn != nil {
				conn.Close()
			}
			var err error
			if conn, err = net.DialTimeout("tcp", j.addr, 20*time.Second); err != nil {
				j.note(time.Since(planned), err)
				conn = nil
				continue
			}
			r = bufio.NewReader(conn)
		}
		err := ask(conn, r)
		j.note(time.Since(planned), err)
		if err != nil {
			conn.Close()
			conn = nil
		}
	}
	if conn != nil {
		conn.Close()
	}
}

func ask(conn net.Conn, r *bufio.Reader) error {
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, get+"\r\n"); err != nil {
		return err
	}
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != "hello" {
		return fmt.Errorf("%d %q: %w", res.StatusCode, b, err)
	}
	return nil
}

func (j *judge) note(took time.Duration, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.slowest = max(j.slowest, took)
	if err != nil {
		j.failed, j.err = j.failed+1, err
		return
	}
	j.good++
}
