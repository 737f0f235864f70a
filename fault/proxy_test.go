package fault_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/fault"
	"holdfast/fault/internal/faulttest"
)

func TestBytesArriveUnchangedAndAreCounted(t *testing.T) {
	t.Parallel()
	for _, faults := range []string{"", "slice=1000B~900B", "latency=2ms~2ms:normal", "bandwidth=20MiB/s"} {
		t.Run(faults, func(t *testing.T) {
			t.Parallel()
			p := tcp(t, echo, 1, faults)
			c := dial(t, p)
			sent := make([]byte, 300_000)
			for i, r := 0, rand.New(rand.NewPCG(1, 2)); i < len(sent); i++ {
				sent[i] = byte(r.Uint32())
			}
			go func() {
				_, _ = c.Write(sent)
				_ = c.CloseWrite() // and its end arrives too
			}()
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, sent) {
				t.Fatalf("got %d bytes (%v), want the %d that were sent", len(got), err, len(sent))
			}
			faulttest.Until(t, "the connection is closed", func() bool { return p.Stats().Open == 0 })
			if s := p.Stats(); s.Accepted != 1 || s.Up != 300_000 || s.Down != 300_000 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

func TestResetIsRST(t *testing.T) {
	t.Parallel()
	p := tcp(t, echo, 1, "up.reset=5B")
	c := dial(t, p)
	if err := ask(c, "hell"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("o")); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) { // the fifth byte passes, and may be echoed
		t.Errorf("after the fifth byte: %q, %v, want connection reset", got, err)
	}
	if !noted(p, "up.reset=5B: connection reset") {
		t.Errorf("events: %q", notes(p))
	}
}

func TestResetHitsConnectionsThatExist(t *testing.T) {
	t.Parallel()
	p := tcp(t, echo, 1, "")
	c := dial(t, p)
	if err := ask(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := p.Set(parse(t, "reset")...); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read = %v, want connection reset", err)
	}
}

func TestLimitClosesInOrderAfterSoManyBytes(t *testing.T) {
	t.Parallel()
	p := tcp(t, func(c net.Conn) { _, _ = c.Write(make([]byte, 100_000)); _, _ = io.Copy(io.Discard, c) }, 1, "down.limit=70000B")
	got, err := io.ReadAll(dial(t, p))
	if err != nil || len(got) != 70_000 {
		t.Errorf("got %d bytes (%v), want 70000 and the end", len(got), err)
	}
}

func TestALimitThatIsLongPassedEndsTheConnectionAtTheNextByte(t *testing.T) {
	t.Parallel()
	p := tcp(t, echo, 1, "")
	c := dial(t, p)
	if err := ask(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := p.Set(parse(t, "up.limit=2B")...); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes, want the end", n)
	}
}

func TestHalfOpenIsSilentOneWayAndCannotBeHealed(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 10)
	p := tcp(t, func(c net.Conn) {
		for buf := make([]byte, 64); ; {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			heard <- string(buf[:n])
			_, _ = c.Write([]byte("answer"))
		}
	}, 1, "down.half-open")
	c := dial(t, p)
	for range 3 {
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if got := <-heard; got != "hello" {
			t.Errorf("the upstream heard %q", got)
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := c.Read(make([]byte, 10)); err == nil {
		t.Fatalf("read %d bytes through the silent direction", n)
	}
	_ = c.SetReadDeadline(time.Now().Add(faulttest.Patience))
	if err := p.Set(); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write([]byte("hello"))
	if _, err := c.Read(make([]byte, 10)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read = %v, want connection reset", err)
	}
}

// whoIsHit opens n connections and returns which were reset.
func whoIsHit(t *testing.T, p *fault.Proxy, n int) (hit []int) {
	t.Helper()
	for i := range n {
		if err := try(p); err != nil {
			hit = append(hit, i)
		}
	}
	return hit
}

func TestTheSameSeedHitsTheSameConnections(t *testing.T) {
	t.Parallel()
	const n = 200
	one := whoIsHit(t, tcp(t, echo, 7, "reset=20%"), n)
	again := whoIsHit(t, tcp(t, echo, 7, "reset=20%"), n)
	other := whoIsHit(t, tcp(t, echo, 8, "reset=20%"), n)
	if !slices.Equal(one, again) {
		t.Errorf("seed 7 hit %v, then %v", one, again)
	}
	if slices.Equal(one, other) {
		t.Error("seeds 7 and 8 hit the same connections")
	}
	for _, hit := range [][]int{one, other} {
		if len(hit) < 20 || len(hit) > 60 {
			t.Errorf("%d of 200 were hit, want about 40", len(hit))
		}
	}
}

func TestAnUpstreamThatIsAwayResetsTheClient(t *testing.T) {
	t.Parallel()
	gone := listen(t)
	_ = gone.Close()
	p := start(t, fault.Config{Listener: listen(t), Upstream: gone.Addr().String()})
	if err := try(p); err == nil {
		t.Error("an answer from nobody")
	}
	faulttest.Until(t, "the error is counted", func() bool { return p.Stats().DialErrors == 1 && noted(p, "cannot be reached") })
}

func TestTooManyConnectionsAreReset(t *testing.T) {
	t.Parallel()
	upstream := listen(t)
	serve(t, upstream, echo)
	p := start(t, fault.Config{Listener: listen(t), Upstream: upstream.Addr().String(), MaxConns: 1})
	first := dial(t, p)
	if err := ask(first, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := try(p); err == nil {
		t.Error("a second connection was served")
	}
	if s := p.Stats(); s.Refused != 1 || s.Open != 1 {
		t.Errorf("stats %+v", s)
	}
	_ = first.Close()
	faulttest.Until(t, "the first is gone", func() bool { return p.Stats().Open == 0 })
	if err := ask(dial(t, p), "hello"); err != nil {
		t.Errorf("after the first is gone: %v", err)
	}
}

func TestFaultsChangeUnderLoad(t *testing.T) {
	t.Parallel()
	p := tcp(t, echo, 1, "")
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for ctx.Err() == nil {
				c, err := net.Dial("tcp", p.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				_ = c.SetDeadline(time.Now().Add(faulttest.Patience))
				for range 20 {
					if ask(c, "hello there") != nil {
						break // the faults' doing
					}
				}
				_ = c.Close()
			}
		})
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		all := []string{"latency=1ms~1ms", "reset=5%", "slice=2B", "", "limit=30B@50%", "blackhole", "bandwidth=1MiB/s, up.latency=1ms"}
		if err := p.Set(parse(t, all[i%len(all)])...); err != nil {
			t.Fatal(err)
		}
		<-tick.C
	}
	if err := p.Set(); err != nil {
		t.Fatal(err)
	}
	clients.Wait()
	if err := ask(dial(t, p), "hello"); err != nil {
		t.Errorf("with no fault in force: %v", err)
	}
	faulttest.Until(t, "all others are closed", func() bool { return p.Stats().Open == 1 })
}

func TestABadConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	l := listen(t)
	defer l.Close()
	for want, c := range map[string]fault.Config{
		"Listener is missing":              {Upstream: "127.0.0.1:1"},
		"want either Upstream or Dial":     {Listener: l},
		"latency needs a time":             {Listener: l, Upstream: "x:1", Faults: []fault.Fault{{Kind: fault.Latency}}},
		"slice needs the size":             {Listener: l, Upstream: "x:1", Faults: []fault.Fault{{Kind: fault.Slice}}},
		"the kind is unknown":              {Listener: l, Upstream: "x:1", Faults: []fault.Fault{{}}},
		"a time must lie between 0 and 24": {Listener: l, Upstream: "x:1", Timeline: []fault.Step{{At: -1}}},
	} {
		if _, err := fault.New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want %q", err, want)
		}
	}
	p, err := fault.New(fault.Config{Listener: l, Upstream: "x:1", Faults: parse(t, "reset")})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Set(fault.Fault{Kind: fault.Bandwidth}); err == nil || len(p.Faults()) != 1 {
		t.Errorf("Set of a bad fault = %v, in force %v", err, p.Faults())
	}
}

func TestTheLogIsBounded(t *testing.T) {
	t.Parallel()
	told := 0
	l := fault.NewLog(3, func(fault.Event) { told++ })
	for i := range 5 {
		l.Add(fault.Event{Conn: uint64(i + 1)})
	}
	events, dropped := l.Events()
	if len(events) != 3 || dropped != 2 || told != 5 || events[0].Conn != 3 || events[2].Conn != 5 || events[0].At.IsZero() {
		t.Errorf("events %+v, %d dropped, %d told", events, dropped, told)
	}
}
