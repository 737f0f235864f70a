package fault_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/fault"
	"holdfast/fault/internal/faulttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen opens a listener on loopback.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serve gives each connection of l to handle until the test ends.
func serve(t *testing.T, l net.Listener, handle func(net.Conn)) {
	t.Helper()
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				stop := context.AfterFunc(t.Context(), func() { _ = c.Close() })
				defer stop()
				handle(c)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
}

func echo(c net.Conn) {
	_, err := io.Copy(c, c)
	if half, ok := c.(*net.TCPConn); ok && err == nil {
		_ = half.CloseWrite()
	}
}

// start runs a proxy until the test ends.
func start(t *testing.T, c fault.Config) *fault.Proxy {
	t.Helper()
	p, err := fault.New(c)
	if err != nil {
		t.Fatal(err)
	}
	faulttest.Serve(t, p.Run)
	return p
}

// tcp is a proxy on loopback in front of a server that answers with handle.
func tcp(t *testing.T, handle func(net.Conn), seed uint64, faults string) *fault.Proxy {
	t.Helper()
	upstream := listen(t)
	serve(t, upstream, handle)
	return start(t, fault.Config{Listener: listen(t), Upstream: upstream.Addr().String(), Seed: seed, Faults: parse(t, faults)})
}

func language() faulttest.Language[fault.Fault] {
	return faulttest.Language[fault.Fault]{Parse: fault.Parse, Format: fault.Format}
}

func parse(t *testing.T, text string) []fault.Fault {
	t.Helper()
	return language().Must(t, text)
}

func dial(t *testing.T, p *fault.Proxy) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(faulttest.Patience))
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn)
}

// ask sends text and reads as much back.
func ask(c net.Conn, text string) error {
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != text {
		return errors.New("got " + string(got))
	}
	return nil
}

// try asks once over a connection of its own. RST may come so early that connecting already reports it.
func try(p *fault.Proxy) error {
	c, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(faulttest.Patience))
	return ask(c, "hello")
}

func notes(p *fault.Proxy) []string {
	events, _ := p.Events()
	var list []string
	for _, e := range events {
		list = append(list, e.Fault+": "+e.Note)
	}
	return list
}

func noted(p *fault.Proxy, text string) bool {
	return slices.ContainsFunc(notes(p), func(n string) bool { return strings.Contains(n, text) })
}

// pipes is a listener in memory, for tests on virtual time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (l *pipes) dial(ctx context.Context) (net.Conn, error) {
	c, s := net.Pipe()
	select {
	case l.conns <- s:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// virtual is a proxy in memory in front of a server that answers with handle, and a client's connection to it. Call stop
// before the bubble of synctest ends.
func virtual(t *testing.T, handle func(net.Conn), c fault.Config) (p *fault.Proxy, client net.Conn, stop func()) {
	t.Helper()
	upstream, front := newPipes(), newPipes()
	c.Listener, c.Dial = front, upstream.dial
	p, err := fault.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if err := p.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	all.Go(func() {
		for {
			s, err := upstream.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer s.Close(); handle(s) })
		}
	})
	client, err = front.dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return p, client, func() { _ = client.Close(); cancel(); _ = upstream.Close(); all.Wait() }
}
