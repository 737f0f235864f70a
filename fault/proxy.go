package fault

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/fault/internal/front"
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
	door   front.Door
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

type counts struct{ up, down, struck, dialErrors atomic.Int64 }

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
	var err error
	if c.Dial, err = front.Dialer(c.Listener, c.Upstream, c.Dial); err != nil {
		return nil, fmt.Errorf("make fault proxy: %w", err)
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
	p.door.Listener, p.door.Max = c.Listener, int64(c.MaxConns)
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
		Accepted: p.door.Accepted.Load(), Open: p.door.Open.Load(), Up: c.up.Load(), Down: c.down.Load(),
		Struck: c.struck.Load(), DialErrors: c.dialErrors.Load(), Refused: p.door.Refused.Load(),
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
func (p *Proxy) Run(ctx context.Context) error { return p.door.Run(ctx, p.follow, p.serve) }

// follow plays the timeline.
func (p *Proxy) follow(ctx context.Context) {
	spans := make([]Span, len(p.config.Timeline))
	for i, s := range p.config.Timeline {
		spans[i] = Span{At: s.At, For: s.For}
	}
	Play(ctx, spans, func(active []int) {
		p.apply(func() {
			p.timeline = nil
			for _, i := range active {
				p.timeline = append(p.timeline, p.config.Timeline[i].Faults...)
			}
		})
	})
}

func (p *Proxy) serve(ctx context.Context, id uint64, client net.Conn) {
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	server, err := p.config.Dial(dialing)
	cancel()
	if err != nil {
		p.counts.dialErrors.Add(1)
		p.log.Add(Event{Conn: id, Note: "not injected: the upstream cannot be reached: " + err.Error()})
		front.Abort(client)
		return
	}
	newPair(p, id, client, server).run(ctx)
}
