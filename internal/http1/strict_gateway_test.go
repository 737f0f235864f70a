package http1_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/event"
	"holdfast/internal/gateway"
	"holdfast/internal/http1"
	"holdfast/retry"
)

// wires is a network in memory: what is dialed is accepted. Nothing is
// buffered on the way.
type wires struct {
	conns chan net.Conn
	done  chan struct{}
}

func newWires() *wires { return &wires{make(chan net.Conn), make(chan struct{})} }

func (w *wires) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.done:
		return nil, net.ErrClosed
	}
}

func (w *wires) Close() error   { close(w.done); return nil }
func (w *wires) Addr() net.Addr { return &net.TCPAddr{} }

func (w *wires) dial(ctx context.Context) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case w.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// secondTier is a gateway without loops, in front of one instance that gets
// the bytes as they are.
type secondTier struct {
	t     *testing.T
	front *wires
	g     *gateway.Gateway
	talks sync.WaitGroup // of the instance
}

func newSecondTier(t *testing.T, minRate int64, talk func(conn net.Conn)) *secondTier {
	t.Helper()
	s := &secondTier{t: t, front: newWires()}
	s.g = gateway.New(gateway.Config{
		Logger: slog.New(slog.DiscardHandler), Events: event.NewBus(8), Secret: make([]byte, 32), Strict: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			s.talks.Go(func() { defer there.Close(); talk(there) })
			return here, nil
		},
	})
	spec := gateway.Spec{Config: exchange.FunctionConfig{Name: "f", Policy: exchange.Policy{Retry: retry.DefaultPolicy()}}, Routes: []exchange.Route{{Path: "/"}}}
	if err := s.g.Apply([]gateway.Spec{spec}, time.Now()); err != nil {
		t.Fatal(err)
	}
	list, err := s.g.SetInstances("f", []balancer.Spec{{ID: "i", Endpoint: "http://192.0.2.9:80"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s.g.Function("f").Balancer().SetHealth(list[0], balancer.HealthUp, "test", time.Now())
	ctx, stop := context.WithCancel(context.Background()) //nolint:usetesting // it ends after the clients
	ended := make(chan error, 1)
	go func() {
		ended <- s.g.Run(ctx, s.front, gateway.ServeConfig{HeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MinRate: minRate})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.talks.Wait()
	})
	return s
}

func (s *secondTier) dial() net.Conn {
	s.t.Helper()
	c, err := s.front.dial(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// The rules of reference/gateway.md 4.3 hold for requests the loops do not
// carry too: what is refused gets the same answer, and of what is accepted the
// instance gets the same.
func TestTheSecondTierReadsHeadsAsTheLoopsDo(t *testing.T) {
	t.Parallel()
	heads := make(chan string, len(headRules())) // nothing waits for a test that failed
	s := newSecondTier(t, 0, func(c net.Conn) {
		head, err := readHead(bufio.NewReader(c))
		if err != nil {
			return
		}
		heads <- head
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") // an answer that does not arrive shows
	})
	for _, c := range headRules() { //nolint:paralleltest // they share the instance
		t.Run(fmt.Sprintf("%d/%s", c.number, c.name), func(t *testing.T) {
			conn := s.dial()
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			for len(heads) > 0 {
				<-heads
			}
			go func() {
				in := c.in
				if len(in) < 80_000 {
					in += "\r\n\r\n"
				}
				_, _ = io.WriteString(conn, in) // the gateway may have enough of it
				_, _ = io.WriteString(conn, bodyFor(c.up))
			}()
			res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: methodOf(c.in)})
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.Header.Get("X-Request-Id") == "" {
				t.Error("the answer has no id")
			}
			if c.fault != nil {
				if want := statusOf(c.fault); res.StatusCode != want || !res.Close {
					t.Errorf("%d, close %v, want %d", res.StatusCode, res.Close, want)
				}
				return
			}
			if res.StatusCode != http.StatusOK {
				t.Fatalf("%d", res.StatusCode)
			}
			sameHead(t, <-heads, asNetHTTPSays(c.up))
		})
	}
}

// asNetHTTPSays is a head as net/http writes it: it always names a host, and
// always says that a POST has no body.
func asNetHTTPSays(head string) string {
	switch {
	case strings.HasSuffix(head, "\r\nHost: "):
		return head + "192.0.2.9:80"
	case strings.HasPrefix(head, "POST ") && !strings.Contains(head, "Content-Length") && !strings.Contains(head, "chunked"):
		return head + "\r\nContent-Length: 0"
	}
	return head
}

func methodOf(in string) string { m, _, _ := strings.Cut(in, " "); return m }

// bodyFor is a body that fits what a head says about it.
func bodyFor(head string) string {
	head = strings.ToLower(head)
	if strings.Contains(head, "chunked") {
		return "0\r\n\r\n"
	}
	n := 0
	if _, length, ok := strings.Cut(head, "content-length: "); ok {
		_, _ = fmt.Sscan(length, &n)
	}
	return strings.Repeat("x", n)
}

func statusOf(fault error) int {
	if f, ok := errors.AsType[http1.SyntaxError](fault); ok {
		return f.Status()
	}
	return http.StatusBadRequest
}

func readHead(b *bufio.Reader) (string, error) {
	var head strings.Builder
	for !strings.HasSuffix(head.String(), "\r\n\r\n") {
		line, err := b.ReadString('\n')
		if err != nil {
			return "", err
		}
		head.WriteString(line)
	}
	return strings.TrimSuffix(head.String(), "\r\n\r\n"), nil
}

// sameHead compares heads but for the order of their fields, which net/http
// sorts, and for what the gateway adds.
func sameHead(t *testing.T, got, want string) {
	t.Helper()
	first, got, _ := strings.Cut(got, "\r\n")
	line, want, _ := strings.Cut(want, "\r\n")
	if first != line {
		t.Errorf("%q, want %q", first, line)
	}
	var have []string
	for l := range strings.SplitSeq(got, "\r\n") {
		name, _, _ := strings.Cut(l, ":")
		switch name {
		case "X-Forwarded-Host", "X-Forwarded-Proto", "X-Request-Id", "Via":
		default:
			have = append(have, strings.ToLower(l))
		}
	}
	wanted := strings.Split(strings.ToLower(want), "\r\n")
	slices.Sort(have)
	slices.Sort(wanted)
	if !slices.Equal(have, wanted) {
		t.Errorf("the instance gets\n%q, want\n%q", have, wanted)
	}
}

// swallow reads whatever comes and never answers.
func swallow(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func TestClientsBelowTheLeastRateAreCutOff(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"sized":   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
		"chunked": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSecondTier(t, 240, swallow)
				c := s.dial()
				began := time.Now()
				var dripping sync.WaitGroup
				dripping.Go(func() { drip(c, head, 100) })
				defer dripping.Wait()
				defer c.Close()
				res, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if took := time.Since(began); res.StatusCode != http.StatusRequestTimeout || !res.Close || took < 5*time.Second || took > 7*time.Second {
					t.Errorf("%d after %v, close %v", res.StatusCode, took, res.Close)
				}
				synctest.Wait()
				rec, ok := s.g.Records().Find(res.Header.Get("X-Request-Id"))
				if !ok || rec.N != 1 || rec.Attempts[0].Kind != retry.Canceled {
					t.Errorf("the instance is blamed: %v, %d attempts, %v", ok, rec.N, rec.Attempts[0].Kind)
				}
			})
		})
	}
}

// drip sends a head and so many bytes a second behind it.
func drip(c net.Conn, head string, rate int) {
	if _, err := io.WriteString(c, head); err != nil {
		return
	}
	for {
		time.Sleep(time.Second) // on virtual time
		if _, err := io.WriteString(c, strings.Repeat("x", rate)); err != nil {
			return
		}
	}
}

func TestClientsAtTheLeastRateMayGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSecondTier(t, 240, answerTo(30*400))
		c := s.dial()
		began := time.Now()
		var dripping sync.WaitGroup
		dripping.Go(func() { drip(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12000\r\n\r\n", 400) })
		defer dripping.Wait()
		defer c.Close()
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if took := time.Since(began); res.StatusCode != http.StatusOK || took != 30*time.Second {
			t.Errorf("%d after %v", res.StatusCode, took)
		}
	})
}

// answerTo answers a request with a body of n bytes with twice as many, the
// second half after an hour.
func answerTo(n int) func(net.Conn) {
	return func(c net.Conn) {
		b := bufio.NewReader(c)
		if _, err := readHead(b); err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, b, int64(n)); err != nil {
			return
		}
		body := strings.Repeat("x", n)
		if _, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", 2*n, body); err != nil {
			return
		}
		time.Sleep(30 * time.Second) // on virtual time, and shorter than the idle timeout
		_, _ = io.WriteString(c, body)
	}
}

// Who does not take what there is, is cut off; an instance that is silent for
// longer is waited for.
func TestAnswersAreTakenAtTheLeastRate(t *testing.T) {
	t.Parallel()
	const n = 4800 // at 240 bytes a second, 20 s
	for _, c := range []struct {
		name string
		wait time.Duration // before the client takes a part
		ok   bool
	}{{"in time", 8 * time.Second, true}, {"too late", 40 * time.Second, false}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSecondTier(t, 240, answerTo(n))
				conn := s.dial()
				if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", n, strings.Repeat("x", n)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(c.wait)
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if !c.ok {
					if err == nil {
						t.Error("the client was waited for")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if body, err := io.ReadAll(res.Body); len(body) != 2*n || err != nil {
					t.Errorf("%d bytes, %v", len(body), err)
				}
			})
		})
	}
}

func TestClientsMayTakeTheirTimeWhileTheyOweNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSecondTier(t, 240, answerTo(1))
		c := s.dial()
		time.Sleep(9 * time.Second) // the limit is that of heads, 10 s
		if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := io.ReadAll(res.Body); err != nil {
			t.Error(err)
		}
	})
}

func TestSlowHeadsAndSilentConnectionsEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, sent string
		want       time.Duration
	}{
		{"nothing came", "", 10 * time.Second},
		{"a part of a head", "GET / HTTP/1.1\r\nHost: ", 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSecondTier(t, 240, swallow)
				conn := s.dial()
				began := time.Now()
				if _, err := io.WriteString(conn, c.sent); err != nil {
					t.Fatal(err)
				}
				if b, err := io.ReadAll(conn); err != nil || len(b) > 0 {
					t.Errorf("%q, %v", b, err)
				}
				if took := time.Since(began); took != c.want {
					t.Errorf("ended after %v, want %v", took, c.want)
				}
			})
		})
	}
}
