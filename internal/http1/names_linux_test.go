package http1_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/http1"
	"holdfast/retry"
)

// zone plays the system's resolver.
type zone struct {
	answer  atomic.Pointer[[]netip.Addr] // nil: there is no such name
	hold    chan struct{}                // nil: it answers at once
	lookups atomic.Int32
}

func (z *zone) set(addrs ...string) {
	var list []netip.Addr
	for _, a := range addrs {
		list = append(list, netip.MustParseAddr(a))
	}
	z.answer.Store(&list)
}

func (z *zone) lookup(ctx context.Context, _ string) ([]netip.Addr, error) {
	z.lookups.Add(1)
	if z.hold != nil {
		select {
		case <-z.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if list := z.answer.Load(); list != nil {
		return *list, nil
	}
	return nil, errors.New("no such host")
}

// named is a setup in which instances have names.
func (z *zone) named(p exchange.Policy) setup {
	return setup{policy: p, loops: http1.LoopsConfig{Lookup: z.lookup}}
}

// at is an address of an instance under a name.
func at(t *testing.T, name, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return name + ":" + port
}

func TestEndpointsTheLoopsConnectTo(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{
		"http://127.0.0.1:80": true, "http://127.0.0.1": true, "http://[::1]:80": true, "http://[::1]": true, "http://[::1]:80/": true,
		"http://localhost:3000": true, "http://api.internal": true, "http://my_app-1.internal.:80": true, "http://API:80": true,
		"https://127.0.0.1:80": false, "https://a:443": false, "http://[fe80::1%25eth0]:80": false, "http://[fe80::1%eth0]:80": false,
		"http://a:0": false, "http://a:65536": false, "http://a:b": false, "http://": false, "http://:80": false, "http://a/b": false,
		"http://u@a": false, "127.0.0.1:80": false, "": false, "http://a:80:80": false, "http://[a]:80": false,
	} {
		if got := http1.Pollable(url); got != want {
			t.Errorf("%q: %v", url, got)
		}
	}
}

func TestRequestsWaitForANameTogether(t *testing.T) {
	t.Parallel()
	z := zone{hold: make(chan struct{})}
	z.set("127.0.0.1")
	r := newRig(t, z.named(exchange.Policy{}), at(t, "app.internal", instance(t, echo)))
	var clients []*client
	for range 5 {
		c := r.dial()
		c.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
		clients = append(clients, c)
	}
	gone := r.dial()
	gone.send("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n")
	await(t, "attempts under way", func() bool { return r.fn.InFlight() == 6 })
	gone.Close()
	await(t, "end of one", func() bool { return r.fn.InFlight() == 5 })
	close(z.hold)
	for _, c := range clients {
		if _, body := c.answer("POST"); body != "/x hi" {
			t.Errorf("%q", body)
		}
	}
	r.dial().get("/y", 200, "/y ")
	if n := z.lookups.Load(); n != 1 {
		t.Errorf("%d lookups, want 1", n)
	}
}

func TestANameThatIsNotFoundIsAnInstanceThatCannotBeReached(t *testing.T) {
	t.Parallel()
	t.Run("there is none", func(t *testing.T) {
		t.Parallel()
		z := zone{}
		began := time.Now()
		r := newRig(t, z.named(exchange.Policy{Timeouts: exchange.Timeouts{Connect: time.Minute}}), "app.internal:80")
		c := r.dial()
		for range 3 {
			c.get("/", 502, "502 instance unreachable\n")
		}
		if took := time.Since(began); took > patience/2 {
			t.Errorf("it took %v to say so", took)
		}
	})
	t.Run("nobody answers", func(t *testing.T) {
		t.Parallel()
		z := zone{hold: make(chan struct{})}
		r := newRig(t, z.named(exchange.Policy{Timeouts: exchange.Timeouts{Connect: 50 * time.Millisecond}}), "app.internal:80")
		r.dial().get("/", 502, "502 instance unreachable\n")
	})
	t.Run("another instance has one", func(t *testing.T) {
		t.Parallel()
		z := zone{}
		r := newRig(t, z.named(exchange.Policy{Retry: retry.DefaultPolicy()}), "app.internal:80", instance(t, echo))
		c := r.dial()
		for i := range 10 {
			path := fmt.Sprint("/", i)
			c.get(path, 200, path+" ")
		}
	})
}

func TestOneAddressOfSeveralIsEnough(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		addrs []string
	}{
		{"the first", []string{"127.0.0.1", "127.0.0.2"}},
		{"one that refuses before it", []string{"127.0.0.2", "127.0.0.1"}},
		{"another family before it", []string{"::1", "127.0.0.1"}},
		{"one in which nothing is heard before it", []string{"127.0.0.3", "127.0.0.1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			z := zone{}
			z.set(c.addrs...)
			addr := instance(t, echo)
			if c.addrs[0] == "127.0.0.3" {
				deaf(t, netip.MustParseAddrPort(at(t, "127.0.0.3", addr)))
			}
			policy := exchange.Policy{Timeouts: exchange.Timeouts{Connect: 4 * time.Second}}
			r := newRig(t, z.named(policy), at(t, "app.internal", addr))
			client := r.dial()
			for i := range 4 {
				began, path := time.Now(), fmt.Sprint("/leave/", i)
				client.get(path, 200, path+" ")
				if took := time.Since(began); i > 0 && took > 1500*time.Millisecond {
					t.Errorf("after %v: the address that answered was not the next to be tried", took)
				}
			}
		})
	}
}

// An address that is silent has the others tried beside it; whichever connects
// first is used and the rest closed.
func TestAddressesRace(t *testing.T) {
	t.Parallel()
	policy := exchange.Policy{Timeouts: exchange.Timeouts{Connect: time.Minute}}
	t.Run("the last of many wins", func(t *testing.T) {
		t.Parallel()
		addr := instance(t, echo)
		z, silent := zone{}, []string{"127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14", "127.0.0.15"}
		z.set(append(silent, "127.0.0.1")...)
		var pending []func() int
		var before []int
		for _, s := range silent {
			to := netip.MustParseAddrPort(at(t, s, addr))
			deaf(t, to)
			pending = append(pending, func() int { return connecting(t, to) })
			before = append(before, connecting(t, to))
		}
		r := newRig(t, z.named(policy), at(t, "app.internal", addr))
		began := time.Now()
		r.dial().get("/x", 200, "/x ")
		if took := time.Since(began); took < 1200*time.Millisecond || took > patience/2 {
			t.Errorf("it took %v, want five times 250 ms", took)
		}
		for i, count := range pending {
			await(t, "end of the connection that lost", func() bool { return count() == before[i] })
		}
	})
	t.Run("the first answers after all", func(t *testing.T) {
		t.Parallel()
		addr := instance(t, func(net.Conn, *bufio.Reader) {}) // only its port is wanted
		z := zone{}
		z.set("127.0.0.16", "127.0.0.17")
		first, second := netip.MustParseAddrPort(at(t, "127.0.0.16", addr)), netip.MustParseAddrPort(at(t, "127.0.0.17", addr))
		hears := deaf(t, first)
		deaf(t, second)
		before := []int{connecting(t, first), connecting(t, second)}
		r := newRig(t, z.named(policy), at(t, "app.internal", addr))
		c := r.dial()
		c.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
		await(t, "both to be tried at a time", func() bool {
			return connecting(t, first) == before[0]+1 && connecting(t, second) == before[1]+1
		})
		serveListener(t, hears(), echo)
		if _, body := c.answer("GET"); body != "/x " {
			t.Errorf("%q", body)
		}
		await(t, "end of the connection that lost", func() bool { return connecting(t, second) == before[1] })
		r.end()
	})
	t.Run("a client that leaves ends it", func(t *testing.T) {
		t.Parallel()
		addr := instance(t, func(net.Conn, *bufio.Reader) {}) // only its port is wanted
		z := zone{}
		z.set("127.0.0.18", "127.0.0.19")
		first, second := netip.MustParseAddrPort(at(t, "127.0.0.18", addr)), netip.MustParseAddrPort(at(t, "127.0.0.19", addr))
		deaf(t, first)
		deaf(t, second)
		before := []int{connecting(t, first), connecting(t, second)}
		r := newRig(t, z.named(policy), at(t, "app.internal", addr))
		c := r.dial()
		c.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
		await(t, "both to be tried at a time", func() bool {
			return connecting(t, first) == before[0]+1 && connecting(t, second) == before[1]+1
		})
		c.Close()
		await(t, "end of both", func() bool { return connecting(t, first) == before[0] && connecting(t, second) == before[1] })
	})
}

// connecting counts the connections to an address that nobody answered yet.
func connecting(t *testing.T, to netip.AddrPort) int {
	t.Helper()
	all, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(all), " "+kernelName(to.String())+" 02 ") // 02: SYN sent
}

// deaf lets nobody connect, nor tells anybody: its queue is full. What it
// returns makes room in it.
func deaf(t *testing.T, addr netip.AddrPort) (hears func() net.Listener) {
	t.Helper()
	open := func() int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	fd, sa := open(), &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	listener := os.NewFile(uintptr(fd), "listener")
	t.Cleanup(func() { _ = listener.Close() })
	if err := errors.Join(unix.Bind(fd, sa), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	var queue []int
	for range 8 { // more than it takes
		fd := open()
		_ = unix.Connect(fd, sa) // in progress, for ever
		queue = append(queue, fd)
	}
	leave := sync.OnceFunc(func() {
		for _, fd := range queue {
			_ = unix.Close(fd)
		}
	})
	t.Cleanup(leave)
	return func() net.Listener {
		leave()
		ln, err := net.FileListener(listener)
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
}

func TestANameThatMovedIsLookedUpAgain(t *testing.T) {
	t.Parallel()
	z := zone{}
	z.set("127.0.0.2")
	hold, dropped := make(chan struct{}), make(chan struct{}, 2)
	var came atomic.Int32
	ln, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	serveListener(t, ln, func(c net.Conn, b *bufio.Reader) {
		for {
			if _, _, ok := request(b); !ok {
				dropped <- struct{}{}
				return
			}
			came.Add(1)
			<-hold
			_, _ = c.Write([]byte(hello))
		}
	})
	r := newRig(t, z.named(exchange.Policy{}), at(t, "app.internal", ln.Addr().String()))
	busy := []*client{r.dial(), r.dial()}
	for _, c := range busy {
		c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	await(t, "exchanges", func() bool { return came.Load() == 2 })
	looked := time.Now()
	ln.Close()
	z.set("127.0.0.1")
	serveOn(t, at(t, "127.0.0.1", ln.Addr().String()), echo)
	await(t, "time for another lookup", func() bool { return time.Since(looked) > 1100*time.Millisecond })
	r.dial().get("/new", 200, "/new ") // its first connection is refused
	close(hold)
	for _, c := range busy {
		if _, body := c.answer("GET"); body != "hello" {
			t.Errorf("%q", body)
		}
	}
	answered := time.Now()
	await(t, "end of the connections to the old address", func() bool { return len(dropped) == 2 })
	if took := time.Since(answered); took > 2*time.Second {
		t.Errorf("connections to the old address were kept for %v", took)
	}
	if n := z.lookups.Load(); n != 2 {
		t.Errorf("%d lookups, want 2", n)
	}
	r.end()
}

func TestAnInstanceThatIsTakenAwayMeanwhileAnswersWhoWaitsForIt(t *testing.T) {
	t.Parallel()
	z := zone{hold: make(chan struct{})}
	z.set("127.0.0.1")
	other := instance(t, says(hello))
	r := newRig(t, z.named(exchange.Policy{}), at(t, "app.internal", instance(t, echo)))
	c := r.dial()
	c.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
	await(t, "attempt", func() bool { return r.fn.InFlight() == 1 && z.lookups.Load() == 1 })
	next := balancer.NewInstance(balancer.Spec{ID: "next", Endpoint: "http://" + other})
	r.fn.SetInstances([]*balancer.Instance{next}, time.Now())
	r.fn.Balancer().SetHealth(next, balancer.HealthUp, "not checked", time.Now())
	r.dial().get("/", 200, "hello")
	close(z.hold)
	if res, body := c.answer("POST"); res.StatusCode != http.StatusOK || body != "/x hi" {
		t.Errorf("%d %q", res.StatusCode, body)
	}
}
