package fault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a proxy needs. Listener and one of Upstream and Dial must be set.
type Config struct {
	Listener net.Listener                                // where clients come; Run closes it
	Upstream string                                      // host:port, over TCP
	Dial     func(ctx context.Context) (net.Conn, error) // instead of Upstream
	Seed     uint64                                      // of all chance; print it, to see the same again
	Faults   []Fault                                     // in force from the start, until Set
	Timeline []Step                                      // faults for a while, beside the others
	Events   int                                         // how many are kept: DefaultEvents
	OnEvent  func(Event)                                 // see NewLog
	MaxConns int                                         // open at the same time: 10,000; further ones are reset
}

const (
	defaultConns = 10_000
	dialTimeout  = 10 * time.Second
)

// Proxy passes connections on and does to them what its faults say. Its methods may be called from any goroutine.
type Proxy struct {
	config Config
	log    *Log
	now    atomic.Pointer[set]
	counts counts

	mu       sync.Mutex // guards what now is made of
	base     []Fault
	timeline []Fault
}

// set is the faults in force.
type set struct {
	faults  []Fault
	changed chan struct{} // closed when another takes its place
}

type counts struct{ accepted, open, up, down, struck, dialErrors, refused atomic.Int64 }

// Stats counts what a proxy did since it was made.
type Stats struct {
	Accepted   int64 `json:"accepted"`    // connections
	Open       int64 `json:"open"`        // connections, now
	Up         int64 `json:"up_bytes"`    // delivered to the upstream
	Down       int64 `json:"down_bytes"`  // delivered to clients
	Struck     int64 `json:"struck"`      // times a fault hit a connection
	DialErrors int64 `json:"dial_errors"` // connections that were reset because the upstream could not be reached
	Refused    int64 `json:"refused"`     // connections that were reset because too many were open
}

// New checks the configuration and makes a proxy; [Proxy.Run] lets it work.
func New(c Config) (*Proxy, error) {
	if c.Listener == nil {
		return nil, errors.New("make fault proxy: Listener is missing")
	}
	if (c.Upstream == "") == (c.Dial == nil) {
		return nil, errors.New("make fault proxy: want either Upstream or Dial")
	}
	if c.Dial == nil {
		c.Dial = func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", c.Upstream)
		}
	}
	c.MaxConns = cmp.Or(c.MaxConns, defaultConns)
	if err := checkAll(c.Faults); err != nil {
		return nil, fmt.Errorf("make fault proxy: %w", err)
	}
	for _, s := range c.Timeline {
		if err := s.Check(); err != nil {
			return nil, fmt.Errorf("make fault proxy: %w", err)
		}
	}
	p := &Proxy{config: c, log: NewLog(c.Events, c.OnEvent), base: slices.Clone(c.Faults)}
	p.now.Store(&set{faults: slices.Clone(c.Faults), changed: make(chan struct{})})
	return p, nil
}

// Addr is where clients connect to.
func (p *Proxy) Addr() net.Addr { return p.config.Listener.Addr() }

// Set puts faults in force instead of those of Config.Faults or the last Set, for new connections and for those that
// exist, all at once. Steps of the timeline stay. With an error nothing is changed.
func (p *Proxy) Set(faults ...Fault) error {
	if err := checkAll(faults); err != nil {
		return fmt.Errorf("set faults: %w", err)
	}
	p.apply(func() { p.base = slices.Clone(faults) })
	return nil
}

// Faults returns the faults in force, with those of the timeline.
func (p *Proxy) Faults() []Fault { return slices.Clone(p.now.Load().faults) }

// Events returns the last events, oldest first, and how many were dropped before them.
func (p *Proxy) Events() (events []Event, dropped uint64) { return p.log.Events() }

// Stats returns the present counts. They are read one after the other.
func (p *Proxy) Stats() Stats {
	c := &p.counts
	return Stats{
		Accepted: c.accepted.Load(), Open: c.open.Load(), Up: c.up.Load(), Down: c.down.Load(),
		Struck: c.struck.Load(), DialErrors: c.dialErrors.Load(), Refused: c.refused.Load(),
	}
}

// apply lets change alter what is in force.
func (p *Proxy) apply(change func()) {
	p.mu.Lock()
	change()
	next := &set{faults: slices.Concat(p.base, p.timeline), changed: make(chan struct{})}
	old := p.now.Swap(next)
	p.mu.Unlock()
	close(old.changed)
	note := "in force"
	if len(next.faults) == 0 {
		note = "no fault is in force"
	}
	p.log.Add(Event{Fault: Format(next.faults), Note: note})
}

// Run serves until ctx ends, which is no error. It closes the listener and all connections and returns when nothing of
// the proxy is left running. It can be called once.
func (p *Proxy) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = p.config.Listener.Close() })
	defer stop()
	var conns sync.WaitGroup
	conns.Go(func() { p.follow(ctx) })
	err := p.accept(ctx, &conns)
	_ = p.config.Listener.Close()
	cancel()
	conns.Wait()
	return err
}

// follow plays the timeline.
func (p *Proxy) follow(ctx context.Context) {
	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for len(p.config.Timeline) > 0 {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		elapsed := time.Since(began)
		if active := activeAt(p.config.Timeline, elapsed); len(active)+len(p.timeline) > 0 {
			p.apply(func() { p.timeline = active })
		}
		next, ok := nextChange(p.config.Timeline, elapsed)
		if !ok {
			return
		}
		timer.Reset(next - elapsed)
	}
}

const (
	acceptPause    = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

func (p *Proxy) accept(ctx context.Context, conns *sync.WaitGroup) error {
	pause := acceptPause
	for number := uint64(1); ; {
		client, err := p.config.Listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = client.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept connections to break: %w", err)
		case err != nil: // out of file descriptors, most likely
			rest(ctx, pause)
			pause = min(2*pause, acceptPauseMax)
			continue
		}
		pause = acceptPause
		p.counts.accepted.Add(1)
		if p.counts.open.Add(1) > int64(p.config.MaxConns) {
			p.counts.open.Add(-1)
			p.counts.refused.Add(1)
			abort(client)
			continue
		}
		id := number
		number++
		conns.Go(func() {
			defer p.counts.open.Add(-1)
			p.serve(ctx, id, client)
		})
	}
}

func (p *Proxy) serve(ctx context.Context, id uint64, client net.Conn) {
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	server, err := p.config.Dial(dialing)
	cancel()
	if err != nil {
		p.counts.dialErrors.Add(1)
		p.log.Add(Event{Conn: id, Note: "not injected: the upstream cannot be reached: " + err.Error()})
		abort(client)
		return
	}
	newPair(p, id, client, server).run(ctx)
}

// rest waits for d or ctx.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// abort closes a connection so that its peer gets RST.
func abort(c net.Conn) {
	if t, ok := c.(interface{ SetLinger(sec int) error }); ok {
		_ = t.SetLinger(0) // closed already is as good
	}
	_ = c.Close()
}
