package enginetest

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/middleware"
)

// world is a gateway with a client in front of it.
type world struct {
	Gateway
	addr   string
	client *http.Client
}

// patience bounds all waiting on real time. With the race detector, beside other tests, an upload of 64 MiB takes a while.
const patience = time.Minute

// newWorld starts a gateway on loopback.
func newWorld(t *testing.T, start Start, c middleware.Config) *world {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{addr: ln.Addr().String()}
	w.client = newClient(w.connect)
	w.Gateway = start(t, c, ln)
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

// connect opens a connection to the gateway, with TLS where that wants it.
func (w *world) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil || w.TLS == nil {
		return conn, err
	}
	secure := tls.Client(conn, w.TLS)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error is the one to tell
		return nil, err
	}
	return secure, nil
}

// proto is what clients use with the gateway.
func (w *world) proto() string {
	if w.TLS != nil {
		return "https"
	}
	return "http"
}

func newClient(dial func(context.Context, string, string) (net.Conn, error)) *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DialContext: dial, DisableCompression: true, ExpectContinueTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// in front of instances, as function "f" on all paths.
func in(endpoints ...string) middleware.Function {
	f := middleware.Function{Name: "f", Routes: []exchange.Route{{Path: "/"}}}
	f.Policy.Timeouts.Connect = patience // on a busy machine a handshake may take longer than the default
	for i, e := range endpoints {
		f.Instances = append(f.Instances, balancer.Spec{ID: fmt.Sprint("i", i), Endpoint: e})
	}
	f.Balancer.Strategy = balancer.RoundRobin
	return f
}

func config(f ...middleware.Function) middleware.Config { return middleware.Config{Functions: f} }

// instance serves an endpoint on loopback.
func instance(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL
}

// rawInstance serves an endpoint by bytes: talk gets each connection and the
// head of its first request.
func rawInstance(t *testing.T, talk func(conn net.Conn, r *http.Request)) string {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveRaw(t, ln, talk)
	return "http://" + ln.Addr().String()
}

func serveRaw(t *testing.T, ln net.Listener, talk func(conn net.Conn, r *http.Request)) {
	t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			all.Go(func() {
				defer conn.Close()
				br := bufio.NewReader(conn)
				if r, err := http.ReadRequest(br); err == nil {
					talk(buffered{conn, br}, r)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
}

// buffered is a connection whose first bytes are in a buffer.
type buffered struct {
	net.Conn
	br *bufio.Reader
}

func (b buffered) Read(p []byte) (int, error) { return b.br.Read(p) }

// reset closes a connection so that the other side gets a reset.
func reset(conn net.Conn) {
	if b, ok := conn.(buffered); ok {
		conn = b.Conn
	}
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// deadEndpoint returns an endpoint that refuses connections. Its port is the near end of a connection until the test ends:
// one that was only closed may be the next listener's, even the gateway's own.
func deadEndpoint(t *testing.T) string {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}
	conn, err := d.DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close() // it carried nothing
		_ = ln.Close()   // as above
	})
	return "http://" + conn.LocalAddr().String()
}

// request makes a request for the gateway.
func (w *world) request(t *testing.T, method, target string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+w.addr+target, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// answer is an answer with its body.
type answer struct {
	*http.Response
	body string
	err  error // of reading the body
}

// do sends a request and reads the answer.
func (w *world) do(t *testing.T, r *http.Request) answer {
	t.Helper()
	res, err := w.client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res, string(body), err}
}

func (w *world) get(t *testing.T, target string) answer {
	t.Helper()
	return w.do(t, w.request(t, http.MethodGet, target, nil))
}

func (w *world) post(t *testing.T, target, body string) answer {
	t.Helper()
	return w.do(t, w.request(t, http.MethodPost, target, strings.NewReader(body)))
}

// is fails the test unless the answer is whole and as wanted.
func (a answer) is(t *testing.T, status int, body string) {
	t.Helper()
	if a.err != nil || a.StatusCode != status || a.body != body {
		t.Fatalf("got %d %q (%v), want %d %q", a.StatusCode, a.body, a.err, status, body)
	}
}

// dial opens a connection to the gateway.
func (w *world) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := w.connect(t.Context(), "tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// raw sends bytes over a new connection and returns a reader of what comes back.
func (w *world) raw(t *testing.T, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn := w.dial(t)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// rawAnswer sends bytes and reads one answer to a method.
func (w *world) rawAnswer(t *testing.T, method, text string) answer {
	t.Helper()
	_, br := w.raw(t, text)
	return readAnswer(t, br, method)
}

func readAnswer(t *testing.T, br *bufio.Reader, method string) answer {
	t.Helper()
	res, err := http.ReadResponse(br, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res, string(body), err}
}

// record waits for the record of an answer.
func (w *world) record(t *testing.T, a answer) exchange.Record {
	t.Helper()
	id := a.Header.Get("X-Request-Id")
	return w.recordOf(t, func(f *exchange.Facts) bool { return f.ID.String() == id })
}

// recordOf waits for a record that passes keep.
func (w *world) recordOf(t *testing.T, keep func(*exchange.Facts) bool) exchange.Record {
	t.Helper()
	var found exchange.Record
	eventually(t, "a record", func() bool {
		list := w.Records.Last(1, keep)
		if len(list) > 0 {
			found = list[0]
		}
		return len(list) > 0
	})
	return found
}

func all(*exchange.Facts) bool { return true }

// gone waits for the record of an exchange whose client left.
func (w *world) gone(t *testing.T) exchange.Record {
	t.Helper()
	return w.recordOf(t, func(f *exchange.Facts) bool { return f.Reason == exchange.ReasonClientGone })
}

// blameless fails the test if an attempt was counted against an instance, or
// is still counted as in flight.
func (w *world) blameless(t *testing.T) {
	t.Helper()
	fn := w.Function("f")
	eventually(t, "no exchange in flight", func() bool { return fn.InFlight() == 0 })
	for _, i := range fn.Balancer().Stats(time.Now()).Instances {
		if i.Failures != 0 || i.InFlight != 0 {
			t.Errorf("instance %s: %d failures, %d in flight, want none", i.ID, i.Failures, i.InFlight)
		}
	}
}

// eventually polls a condition, ever less often.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	step := time.Millisecond
	for deadline := time.Now().Add(patience); !ok(); step = min(2*step, patience/50) {
		if time.Now().After(deadline) {
			t.Fatalf("did not come about: %s", what)
		}
		pause(step)
	}
}

// pause is for polling only.
func pause(d time.Duration) { <-time.After(d) }

// await receives from a channel, in time.
func await[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("did not come about: %s", what)
		panic("unreachable")
	}
}

// memory is a network without sockets, for virtual time.
type memory struct {
	mu     sync.Mutex // guards places
	places map[string]*pipeListener
}

var errRefused = errors.New("connection refused")

// listen makes an address; dials of others are refused.
func (m *memory) listen(addr string) *pipeListener {
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.places == nil {
		m.places = map[string]*pipeListener{}
	}
	m.places[addr] = l
	return l
}

// dial connects to an address, or hangs as long as it may when the address is
// a black hole.
func (m *memory) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	m.mu.Lock()
	l := m.places[addr]
	m.mu.Unlock()
	if strings.HasPrefix(addr, "blackhole") {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if l == nil {
		return nil, errRefused
	}
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, errRefused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// instance serves an endpoint in memory.
func (m *memory) instance(t *testing.T, name string, h http.HandlerFunc) string {
	t.Helper()
	l := m.listen(name + ":80")
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Hour}
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(l) })
	t.Cleanup(func() {
		_ = srv.Close()
		serving.Wait()
	})
	return "http://" + name + ":80"
}

// world starts a gateway in memory.
func (m *memory) world(t *testing.T, start Start, c middleware.Config) *world {
	t.Helper()
	c.Dial = m.dial
	w := &world{addr: "gateway:80", client: newClient(m.dial)}
	w.Gateway = start(t, c, m.listen(w.addr))
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }
