package http1

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/exchange"
)

// LoopsConfig configures poll loops.
type LoopsConfig struct {
	// Machine decides; required.
	Machine *exchange.Machine
	// HandOver gets the connections whose next request the loops do not carry,
	// as if nothing had been read from them; required. It must not block.
	HandOver func(net.Conn)
	// Takes says whether the loops carry a request: not when an instance that may
	// get it has an endpoint that is not Pollable. nil: they carry all. What it is
	// given is borrowed for the call.
	Takes func(method, host, path string, h exchange.Header) bool
	// Cookie makes the value of Set-Cookie for a step that asks for one; required
	// where affinity uses cookies.
	Cookie func(exchange.Step) string
	// TrustedProxies may tell who the client is and give the request its id.
	TrustedProxies []netip.Prefix
	Limits         Limits        // of requests
	Connections    int           // of clients, per loop; 0: 16,384
	HeaderTimeout  time.Duration // for a request, from its first byte: 60 s
	IdleTimeout    time.Duration // between two requests: 60 s
	Shutdown       time.Duration // for exchanges under way once Run is told to end: 0, they are cut
}

// Loops carry the common kind of request on threads of their own: HTTP/1.1 on
// plain TCP, with a head and a body that fit a buffer. Each loop has a listener,
// an epoll set, connections, upstream pools and timers that nobody else
// touches; they only share the machine.
type Loops struct {
	config LoopsConfig
	via    string
}

// NewLoops makes loops; Run runs them.
func NewLoops(c LoopsConfig) *Loops {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&c.HeaderTimeout, time.Minute)
	set(&c.IdleTimeout, time.Minute)
	if c.Connections <= 0 {
		c.Connections = 16 << 10
	}
	return &Loops{config: c, via: "holdfast-" + strconv.FormatUint(rand.Uint64(), 16)}
}

// Listen opens n listeners on one address, among which the kernel divides the
// connections: one for each loop. Port 0 is one free port for all.
func Listen(ctx context.Context, addr string, n int) ([]*net.TCPListener, error) {
	c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if outer := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}); outer != nil {
			return outer
		}
		return err
	}}
	var list []*net.TCPListener
	for range n {
		ln, err := c.Listen(ctx, "tcp", addr)
		if err != nil {
			for _, l := range list {
				_ = l.Close() // the error is the one to tell
			}
			return nil, fmt.Errorf("listen for a poll loop: %w", err)
		}
		list = append(list, ln.(*net.TCPListener)) //nolint:errcheck,forcetypeassert // of network tcp
		addr = ln.Addr().String()
	}
	return list, nil
}

// Pollable says whether the loops can connect to an endpoint: http on a literal
// address.
func Pollable(endpoint string) bool {
	_, err := pollAddr(endpoint)
	return err == nil
}

func pollAddr(endpoint string) (netip.AddrPort, error) {
	host, ok := strings.CutPrefix(endpoint, "http://")
	if !ok {
		return netip.AddrPort{}, errors.New("not http")
	}
	return netip.ParseAddrPort(strings.TrimSuffix(host, "/"))
}

// Run runs one loop per listener until ctx ends, lets exchanges under way finish
// for as long as LoopsConfig.Shutdown, and returns when all connections are
// closed. It closes the listeners. A second Run may follow.
func (s *Loops) Run(ctx context.Context, listeners []*net.TCPListener) error {
	loops, err := s.open(listeners)
	if err != nil {
		return err
	}
	errs := make([]error, len(loops))
	var running sync.WaitGroup
	for i, l := range loops {
		running.Go(func() { errs[i] = l.run() })
	}
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(told)
		for _, l := range loops {
			l.leave()
		}
	})
	running.Wait()
	if !stop() {
		<-told
	}
	for _, l := range loops {
		l.release()
	}
	return errors.Join(errs...)
}

func (s *Loops) open(listeners []*net.TCPListener) (loops []*loop, err error) {
	for _, ln := range listeners {
		l, err := s.newLoop(ln)
		_ = ln.Close() // the loop has a duplicate
		if err != nil {
			for _, l := range loops {
				l.release()
			}
			return nil, fmt.Errorf("make a poll loop: %w", err)
		}
		loops = append(loops, l)
	}
	return loops, nil
}

func (s *Loops) trusts(a netip.Addr) bool {
	for _, p := range s.config.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
