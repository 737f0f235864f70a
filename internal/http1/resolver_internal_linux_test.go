package http1

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/balancer"
)

type bell struct{ rung atomic.Int32 }

func (b *bell) Wake() { b.rung.Add(1) }

// running starts a resolver that ends with the test.
func running(t *testing.T, lookup func(context.Context, string) ([]netip.Addr, error)) *resolver {
	t.Helper()
	r := newResolver(lookup)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return r
}

func TestTheLastGoodAddressesAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answers := map[int]string{1: "", 2: "10.0.0.1 ::ffff:10.0.0.2 10.0.0.1", 3: "", 4: "fe80::1%eth0", 5: "10.0.0.3"}
		n := 0
		r := running(t, func(context.Context, string) (list []netip.Addr, err error) {
			n++
			for text := range strings.FieldsSeq(answers[n]) {
				list = append(list, netip.MustParseAddr(text))
			}
			if len(list) == 0 {
				err = errors.New("no such host")
			}
			return list, err
		})
		h := r.use("app")
		for k, want := range []string{"[] no such host", "[10.0.0.1 10.0.0.2] <nil>", "[10.0.0.1 10.0.0.2] no such host", "[10.0.0.1 10.0.0.2] " + errNoAddress.Error(), "[10.0.0.3] <nil>"} {
			var b bell
			r.ask(h, &b)
			r.ask(h, &b)
			synctest.Wait()
			f := h.found.Load()
			if got := fmt.Sprint(f.addrs, " ", f.err); got != want || !f.at.Equal(time.Now()) || b.rung.Load() != 1 || n != k+1 {
				t.Errorf("lookup %d: %s at %v, rung %d times, want %s", n, got, f.at, b.rung.Load(), want)
			}
		}
	})
}

func TestLookupsEndAndAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		r := running(t, func(ctx context.Context, _ string) ([]netip.Addr, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			<-ctx.Done()
			return nil, ctx.Err()
		})
		const taken = maxAsked + maxLookups + 1 // one is on its way to its place
		var b bell
		var names []*hostname
		for i := range taken + 1 {
			names = append(names, r.use(fmt.Sprint(i)))
			r.ask(names[i], &b)
			synctest.Wait()
		}
		if r.ask(names[taken], &b); names[taken].asked {
			t.Error("more are waiting than there is room for")
		}
		time.Sleep(lookupTime)
		synctest.Wait()
		if n := b.rung.Load(); n != maxLookups {
			t.Errorf("%d are over, want %d", n, maxLookups)
		}
		if r.ask(names[taken], &b); !names[taken].asked {
			t.Error("who asks again is not heard")
		}
		time.Sleep(taken * lookupTime)
		if n := b.rung.Load(); n != taken+1 || most.Load() != maxLookups {
			t.Errorf("%d are over, %d at once", n, most.Load())
		}
	})
}

func TestNamesAreForgottenWithTheirLastUser(t *testing.T) {
	t.Parallel()
	r := newResolver(nil)
	one, two, other := r.use("a"), r.use("a"), r.use("b")
	if one != two || one == other {
		t.Error("a name has one entry")
	}
	r.drop(one)
	r.drop(other)
	if len(r.known) != 1 || r.use("a") != one {
		t.Errorf("%v", r.known)
	}
	r.drop(two)
	r.drop(two)
	if len(r.known) != 0 {
		t.Errorf("%v", r.known)
	}
}

func TestLocalhostHasBothAddressesInTheOrderOfTheSystem(t *testing.T) {
	t.Parallel()
	four, six := netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()
	for _, c := range []struct {
		name        string
		found, want []netip.Addr
	}{
		{"localhost", nil, []netip.Addr{four, six}},
		{"LocalHost.", []netip.Addr{six}, []netip.Addr{six, four}},
		{"app.localhost", []netip.Addr{four, six}, []netip.Addr{four, six}},
		{"notlocalhost", nil, nil},
		{"localhost.example", []netip.Addr{four}, []netip.Addr{four}},
	} {
		if got := usable(c.name, c.found); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestANameInUseIsRenewed(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		name    string
		age     time.Duration // of the answer; negative: there is none
		unused  time.Duration
		waiting bool
		want    int
	}{
		{"fresh", freshFor - time.Second, 0, false, 0},
		{"old", freshFor + time.Second, time.Second, false, 1},
		{"old, and nobody needs it", freshFor + time.Second, freshFor, false, 0},
		{"nobody has looked, somebody waits", -1, 0, true, 1},
		{"nobody has looked, nobody waits", -1, 0, false, 0},
	} {
		s := &Loops{names: newResolver(nil)}
		p := &pool{loop: &loop{Loops: s, now: now}, name: s.names.use("a"), used: now.Add(-c.unused)}
		if c.age >= 0 {
			p.name.found.Store(&found{at: now.Add(-c.age)})
		}
		if c.waiting {
			p.waiting = map[*flight]bool{{}: true}
		}
		p.renew()
		if n := len(s.names.asked); n != c.want {
			t.Errorf("%s: %d lookups, want %d", c.name, n, c.want)
		}
	}
}

func TestConnectionsToAddressesThatAreGoneAreNotKept(t *testing.T) {
	t.Parallel()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := NewLoops(LoopsConfig{})
	l, err := s.newLoop(ln)
	if err != nil {
		t.Fatal(err)
	}
	defer l.release()
	defer l.closeAll()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	p := l.pool(balancer.NewInstance(balancer.Spec{ID: "i", Endpoint: "http://app:" + port}))
	here, there := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.0.0.1")
	find := func(addrs ...netip.Addr) {
		p.name.found.Store(&found{addrs: addrs, at: time.Now()})
		p.refresh()
	}
	find(there, here)
	p.first = 1
	idle, err := p.connect(p.addrs[1])
	if err != nil {
		t.Fatal(err)
	}
	busy, err := p.connect(p.addrs[1])
	if err != nil || !p.keep(idle) {
		t.Fatal(err)
	}
	find(here, there)
	if p.first != 0 || idle.closed || len(p.idle) != 1 {
		t.Errorf("first %d, closed %v: the order alone changed", p.first, idle.closed)
	}
	find(there)
	if p.first != 0 || !idle.closed || len(p.idle) != 0 || p.keep(busy) {
		t.Errorf("first %d, closed %v, %d idle", p.first, idle.closed, len(p.idle))
	}
}
