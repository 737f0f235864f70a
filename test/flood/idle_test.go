//go:build linux

package flood_test

import (
	"bufio"
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

const (
	idleClients = 10_000
	idleLimit   = 60 // MiB
	restsAt     = 45 // MiB, without connections
	busyClients = 1000
	busyLimit   = 96 // MiB
	busyTime    = 3 * time.Second
)

// TestConnectionsCostLittle measures what is resident with connections that
// are kept between requests, and with some of them busy.
func TestConnectionsCostLittle(t *testing.T) {
	need.Plain(t)
	clients := min(idleClients, raiseLimit(t))
	p := holdfast.Up(t, "-c", writeConfig(t, "http1", startInstance(t), time.Minute))
	p.Ready(t, 20*time.Second)
	start := holdfast.RSS(t, p.PID())
	army := &army{}
	conns := make([]*net.TCPConn, clients)
	each(100, clients, func(n int) {
		if conns[n] = army.dial(p.Gateway, n); conns[n] != nil {
			army.noteError(ask(conns[n], bufio.NewReader(conns[n])))
		}
	})
	if army.err != nil {
		t.Fatal(army.err)
	}
	idle := settled(t, p, idleLimit)
	open := files(p.PID())
	ctx, stop := context.WithTimeout(t.Context(), busyTime)
	defer stop()
	busy := watch(t, p)
	each(busyClients, busyClients, func(n int) {
		for r := bufio.NewReader(conns[n]); ctx.Err() == nil; {
			if err := ask(conns[n], r); err != nil {
				army.noteError(err)
				return
			}
		}
	})
	most := busy.end()
	for _, c := range conns {
		c.Close()
	}
	t.Logf("resident: %d MiB at the start, %d with %d idle connections, up to %d with %d of them busy", start>>20, idle>>20, clients, most.rss>>20, busyClients)
	if open < clients || army.err != nil {
		t.Fatalf("%d descriptors for %d connections, last error %v", open, clients, army.err)
	}
	if idle > idleLimit<<20 || most.rss > busyLimit<<20 {
		t.Errorf("allowed are %d MiB idle, %d MiB busy", idleLimit, busyLimit)
	}
}

// settled is what is resident once the pages that only the start needed are
// given back, which is 5 s after it: below so many MiB, unless they stay.
func settled(t *testing.T, p *holdfast.Process, below int64) (rss int64) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if rss = holdfast.RSS(t, p.PID()); rss <= below<<20 {
			break
		}
	}
	return rss
}

// each calls do for 0 to n-1, so many at a time.
func each(atOnce, n int, do func(int)) {
	var all sync.WaitGroup
	for k := range atOnce {
		all.Go(func() {
			for i := k; i < n; i += atOnce {
				do(i)
			}
		})
	}
	all.Wait()
}

func (a *army) noteError(err error) {
	if err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.err = err
	}
}
