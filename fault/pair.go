package fault

import (
	"context"
	"net"
	"sync"
	"time"

	"holdfast/fault/internal/front"
)

// pair is a client's connection and the one to the upstream that belongs to it.
type pair struct {
	proxy          *Proxy
	id             uint64
	client, server net.Conn
	done           chan struct{} // closed when both are closed
	once           sync.Once

	mu      sync.Mutex // guards what follows
	current *plan
	lanes   int // directions that are still open
}

func newPair(p *Proxy, id uint64, client, server net.Conn) *pair {
	return &pair{proxy: p, id: id, client: client, server: server, done: make(chan struct{}), lanes: 2}
}

// run passes bytes until both directions have ended, a fault ends them, or ctx does.
func (c *pair) run(ctx context.Context) {
	c.resetIfDue(c.plan()) // before a byte passes
	var parts sync.WaitGroup
	for _, l := range []*lane{
		newLane(c, Up, c.client, c.server, &c.proxy.counts.up),
		newLane(c, Down, c.server, c.client, &c.proxy.counts.down),
	} {
		parts.Go(l.read)
		parts.Go(l.write)
	}
	c.watch(ctx)
	parts.Wait()
}

// watch resets the connection when a fault says so, also while no byte comes.
func (c *pair) watch(ctx context.Context) {
	for {
		p := c.plan()
		var due <-chan time.Time
		timer := (*time.Timer)(nil)
		if _, at, ok := p.resetDue(); ok {
			timer = time.NewTimer(time.Until(at))
			due = timer.C
		}
		select {
		case <-c.done:
		case <-ctx.Done():
			c.end(false)
		case <-p.set.changed:
		case <-due:
			c.resetIfDue(p)
		}
		if timer != nil {
			timer.Stop()
		}
		select {
		case <-c.done:
			return
		default:
		}
	}
}

// resetIfDue resets the connection if a fault says so. The lanes ask too, so that no byte slips through before the watch
// is there.
func (c *pair) resetIfDue(p *plan) bool {
	f, at, ok := p.resetDue()
	if !ok || time.Now().Before(at) {
		return false
	}
	c.kill(f)
	return true
}

// kill ends the connection with RST because of f.
func (c *pair) kill(f Fault) {
	c.endBy(true, f, "connection reset")
}

// plan is what the faults in force mean for this connection.
func (c *pair) plan() *plan {
	s := c.proxy.now.Load()
	c.mu.Lock()
	if c.current != nil && c.current.set == s {
		defer c.mu.Unlock()
		return c.current
	}
	var before map[string]bool
	if c.current != nil {
		before = c.current.struck
	}
	next, fresh := planFor(s, c.proxy.config.Seed, c.id, before, time.Now())
	c.current = next
	c.mu.Unlock()
	for _, f := range fresh {
		c.proxy.counts.struck.Add(1)
		c.note(f, "strikes the connection")
	}
	return next
}

func (c *pair) note(f Fault, what string) {
	c.proxy.log.Add(Event{Conn: c.id, Fault: f.String(), Note: what})
}

// laneEnded counts directions that came to their end in order.
func (c *pair) laneEnded() {
	c.mu.Lock()
	c.lanes--
	last := c.lanes == 0
	c.mu.Unlock()
	if last {
		c.end(false)
	}
}

// end closes both connections; hard: with RST.
func (c *pair) end(hard bool) { c.once.Do(func() { c.close(hard) }) }

// endBy is end because of f, which the log has before anybody can notice.
func (c *pair) endBy(hard bool, f Fault, what string) {
	c.once.Do(func() {
		c.note(f, what)
		c.close(hard)
	})
}

func (c *pair) close(hard bool) {
	for _, conn := range []net.Conn{c.client, c.server} {
		if hard {
			front.Abort(conn)
		} else {
			_ = conn.Close()
		}
	}
	close(c.done)
}
