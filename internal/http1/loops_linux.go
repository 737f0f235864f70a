package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/balancer"
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
	// get it has an endpoint that is not Pollable. Of one that comes later an
	// exchange that waits is handed over, if no instance has heard of it. nil: they carry all. What it is
	// given is borrowed for the call.
	Takes func(method, host, path string, h exchange.Header) bool
	// Lookup finds the addresses of an instance's name, in the order in which they
	// are to be tried; it is called on goroutines of Run, with a deadline. nil: the
	// system's.
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)
	// Options returns what a loop needs to know of a function beyond its rules; it
	// is asked per request. nil: DefaultOptions for all.
	Options func(*exchange.Function) Options
	// Cookie makes the value of Set-Cookie for a step that asks for one, for a
	// client that used http or https; required where affinity uses cookies.
	Cookie func(step exchange.Step, proto string) string
	// Problem writes the answer to a request that gets none from an instance, for
	// a client that accepts these types. nil: a line of text.
	Problem func(accept []string, status int, reason, id string) (contentType, body string)
	// Panicked is told of a panic while a loop worked on a connection, which is
	// then closed. nil: such a panic ends the program.
	Panicked func(cause any, stack []byte)
	// Handed says, once ctx of Run has ended, that another process accepts on the
	// same socket: connections then end with their next answer, and those on which
	// nothing happens once all are quiet. nil: never.
	Handed func() bool
	// TLS is spoken with clients where it is set. Those that choose h2 are handed
	// over as a *tls.Conn, others that are handed over have its ConnectionState
	// method; the handshake is done.
	TLS *tls.Config
	// Handshakes is how many may be under way at once, per loop; 0: 512.
	Handshakes int
	// Via is the name in Via by which requests are known that come back; "": one
	// is made up.
	Via string
	// TrustedProxies may tell who the client is and give the request its id.
	TrustedProxies []netip.Prefix
	Limits         Limits        // of requests
	Connections    int           // of clients, per loop; 0: 16,384, or fewer: all loops together take 3/4 of the descriptors there may be
	HeaderTimeout  time.Duration // for a request, from its first byte: 60 s
	IdleTimeout    time.Duration // between two requests: 60 s
	MinRate        int64         // bytes a second a client moves at least while it owes some, see Owed: 0, no limit
	Shutdown       time.Duration // for exchanges under way once Run is told to end: 0, they are cut
}

// Options are what a loop needs to know of one function beyond its rules.
type Options struct {
	// InstanceHost sends the instance's own host in Host instead of the client's.
	InstanceHost bool
	// ReplayLimit is the largest body, in bytes, that may be sent again.
	ReplayLimit int64
}

// DefaultOptions let every body be sent again that a loop carries.
func DefaultOptions() Options { return Options{ReplayLimit: requestBuffer} }

// Loops carry the common kind of request on threads of their own: HTTP/1.1 on
// plain TCP, with a head and a body that fit a buffer. Each loop has an epoll
// set, connections, upstream pools and timers that nobody else touches; they
// share the machine and the listener, and new connections go to the loop that
// has the fewest.
type Loops struct {
	config   LoopsConfig
	returned atomic.Int64 // connections that were handed over and came back
	moved    atomic.Int64 // Unix time in ns when something last happened while they leave gently
	names    *resolver
	idle     idlePlaces
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
	if c.Handshakes <= 0 {
		c.Handshakes = 512
	}
	if c.TLS != nil {
		c.TLS = c.TLS.Clone()
		c.TLS.DynamicRecordSizingDisabled = true // an answer that fits one record is not worth two
	}
	if c.Via == "" {
		c.Via = "holdfast-" + strconv.FormatUint(rand.Uint64(), 16)
	}
	if c.Lookup == nil {
		c.Lookup = func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		}
	}
	return &Loops{config: c, names: newResolver(c.Lookup), idle: idlePlaces{all: map[*balancer.Instance]*places{}}}
}

// Returned says how many connections were handed over and came back.
func (s *Loops) Returned() int64 { return s.returned.Load() }

// Run runs n loops (at least one) that take connections from ln, until ctx
// ends. Then it lets exchanges under way finish for as long as
// LoopsConfig.Shutdown. It returns when all connections are closed or handed
// over. It closes ln once the loops have duplicates of it, which accept until
// ctx ends. One Run at a time.
func (s *Loops) Run(ctx context.Context, ln *net.TCPListener, n int) error {
	loops, err := s.open(ln, max(1, n))
	if err != nil {
		return err
	}
	_ = ln.Close() // the loops have duplicates; of this one the runtime would hear of each new connection
	endNames := s.runNames(ctx)
	defer endNames()
	errs := make([]error, len(loops))
	var running sync.WaitGroup
	ctx, end := context.WithCancel(ctx)
	defer end()
	for i, l := range loops {
		running.Go(func() {
			if errs[i] = l.run(); errs[i] != nil {
				end() // the others cannot take its part
			}
		})
	}
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(told)
		how := leavesNow
		if s.config.Handed != nil && s.config.Handed() {
			how = leavesGently
		}
		s.moved.Store(time.Now().UnixNano())
		for _, l := range loops {
			l.leave(how)
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

// runNames runs the resolver until the returned function is called, which waits
// for it: exchanges under way need it also when ctx has ended.
func (s *Loops) runNames(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { s.names.run(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

func (s *Loops) open(ln *net.TCPListener, n int) (loops []*loop, err error) {
	if s.config.Connections <= 0 {
		var files unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
			return nil, fmt.Errorf("make poll loops: %w", err)
		}
		s.config.Connections = connectionsOf(files.Cur, n)
	}
	for range n {
		l, err := s.newLoop(ln)
		if err != nil {
			for _, l := range loops {
				l.release()
			}
			return nil, fmt.Errorf("make a poll loop: %w", err)
		}
		loops = append(loops, l)
	}
	for _, l := range loops {
		l.all = loops
		l.spare = runtime.GOMAXPROCS(0) >= 2*n
	}
	return loops, nil
}

// connectionsOf leaves descriptors for connections to instances: who is let in
// must be answered.
func connectionsOf(files uint64, loops int) int {
	return int(min(16<<10, max(1, files/4*3/uint64(loops))))
}

func (s *Loops) trusts(a netip.Addr) bool {
	for _, p := range s.config.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
