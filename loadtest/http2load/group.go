package http2load

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"holdfast/loadtest/check"
)

// group is users that share a connection to each target.
type group struct {
	client *Client
	users  int // guarded by Client.mu

	mu      sync.Mutex
	links   []*link         // by target; nil: none
	opening []chan struct{} // by target; closed when an attempt to connect is over
}

// link is a connection. Its fields are guarded by group.mu.
type link struct {
	conn  *http.ClientConn
	since time.Time
	left  int // requests it may still carry; -1: any number
	open  int // requests on it
	used  bool
	gone  bool // it is to be closed when open is 0
}

// take returns a connection to a target for one request; whoever finds none opens it, and the others wait. fresh says
// that it was opened for this request. Give it back.
func (g *group) take(ctx context.Context, target int) (l *link, fresh bool, err error) {
	for {
		g.mu.Lock()
		if l = g.usable(target); l != nil {
			l.open++
			if l.left > 0 {
				l.left--
			}
			g.mu.Unlock()
			return l, fresh, nil
		}
		wait := g.opening[target]
		if wait == nil {
			g.opening[target] = make(chan struct{})
		}
		g.mu.Unlock()
		if wait == nil {
			if err := g.connect(ctx, target); err != nil {
				return nil, false, err
			}
			fresh = true
			continue
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, false, check.ConnectError{Err: ctx.Err()}
		}
	}
}

// usable returns the connection to a target unless it has served its time.
func (g *group) usable(target int) *link {
	l := g.links[target]
	if l == nil {
		return nil
	}
	age := g.client.config.ConnAge
	if l.left == 0 || l.used && age > 0 && time.Since(l.since) >= age || l.conn.Err() != nil {
		g.retire(target)
		return nil
	}
	l.used = true // so that even the shortest life is long enough for one request
	return l
}

// retire gives up the connection to a target. It ends with the last request on it.
func (g *group) retire(target int) {
	l := g.links[target]
	g.links[target] = nil
	l.gone = true
	if l.open == 0 {
		_ = l.conn.Close() // nobody asks any more
	}
}

// give takes back a connection after a request.
func (g *group) give(l *link) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l.open--
	if l.gone && l.open == 0 {
		_ = l.conn.Close() // nobody asks any more
	}
}

// close ends all connections. No request is under way.
func (g *group) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for target, l := range g.links {
		if l != nil {
			g.retire(target)
		}
	}
}

// carries draws how many requests the next connection is for.
func (g *group) carries() int {
	r := g.client.config.ConnRequests
	if g.client.config.NoKeepAlive {
		return 1
	}
	if r.Max == 0 {
		return -1
	}
	low := max(r.Min, 1)
	return low + rand.IntN(r.Max-low+1) //nolint:gosec // nobody gains by guessing it
}

func (g *group) connect(ctx context.Context, target int) error {
	ctx, cancel := context.WithTimeout(ctx, g.client.config.ConnectTimeout)
	defer cancel()
	t := g.client.targets[target]
	conn, err := g.client.transport.NewClientConn(ctx, t.scheme, t.address)
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.opening[target])
	g.opening[target] = nil
	if err != nil {
		return err
	}
	g.links[target] = &link{conn: conn, since: time.Now(), left: g.carries()}
	return nil
}
