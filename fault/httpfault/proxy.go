package httpfault

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

	"holdfast/fault"
	"holdfast/fault/internal/front"
)

// Step is rules for a while.
type Step struct {
	At    time.Duration // since the proxy began to run
	For   time.Duration // 0: to the end
	Rules []Rule
}

// Config is what a proxy needs. Listener and one of Upstream and Dial must be set.
type Config struct {
	Listener net.Listener                                // where clients come; Run closes it
	Upstream string                                      // host:port, over TCP
	Dial     func(ctx context.Context) (net.Conn, error) // instead of Upstream
	Seed     uint64                                      // of all chance; print it, to see the same again
	Rules    []Rule                                      // in force from the start, until Set
	Timeline []Step                                      // rules for a while, behind the others
	Events   int                                         // how many are kept: fault.DefaultEvents
	OnEvent  func(fault.Event)                           // see fault.NewLog
	MaxConns int                                         // open at the same time: 10,000; further ones are reset
	Idle     time.Duration                               // a side that is silent for so long is closed: 10 minutes
}

const (
	defaultConns = 10_000
	defaultIdle  = 10 * time.Minute
	dialTimeout  = 10 * time.Second
)

// Proxy passes requests on and spoils those that its rules say. Its methods may be called from any goroutine.
type Proxy struct {
	config Config
	door   front.Door
	log    *fault.Log
	now    atomic.Pointer[ruleSet]

	requests, struck, failed atomic.Int64

	mu       sync.Mutex // guards what now is made of
	base     []*counted
	timeline []*counted
	steps    [][]*counted // of Config.Timeline: a step that comes again counts on
}

type ruleSet struct{ rules []*counted }

// counted is a rule with the number of requests it was about.
type counted struct {
	Rule
	text string
	seen atomic.Uint64
}

// hit is a rule that strikes its nth request.
type hit struct {
	*counted
	n uint64
}

// Stats counts what a proxy did since it was made.
type Stats struct {
	Accepted int64 `json:"accepted"` // connections
	Open     int64 `json:"open"`     // connections, now
	Refused  int64 `json:"refused"`  // connections that were reset because too many were open
	Requests int64 `json:"requests"` // that were understood
	Struck   int64 `json:"struck"`   // times a rule struck
	Failed   int64 `json:"failed"`   // requests without a whole answer though no rule struck: the upstream's doing
}

// New checks the configuration and makes a proxy; [Proxy.Run] lets it work.
func New(c Config) (*Proxy, error) {
	var err error
	if c.Dial, err = front.Dialer(c.Listener, c.Upstream, c.Dial); err != nil {
		return nil, fmt.Errorf("make HTTP fault proxy: %w", err)
	}
	c.MaxConns, c.Idle = cmp.Or(c.MaxConns, defaultConns), cmp.Or(c.Idle, defaultIdle)
	p := &Proxy{config: c, log: fault.NewLog(c.Events, c.OnEvent)}
	p.door.Listener, p.door.Max = c.Listener, int64(c.MaxConns)
	if p.base, err = counters(c.Rules); err != nil {
		return nil, fmt.Errorf("make HTTP fault proxy: %w", err)
	}
	for _, s := range c.Timeline {
		if min(s.At, s.For) < 0 || max(s.At, s.For) > fault.MaxDelay {
			return nil, errors.New("make HTTP fault proxy: the times of a step must lie between 0 and 24h")
		}
		rules, err := counters(s.Rules)
		if err != nil {
			return nil, fmt.Errorf("make HTTP fault proxy: %w", err)
		}
		p.steps = append(p.steps, rules)
	}
	p.now.Store(&ruleSet{p.base})
	return p, nil
}

func counters(rules []Rule) ([]*counted, error) {
	if len(rules) > MaxRules {
		return nil, fmt.Errorf("check rules: %d are too many, at most %d are taken", len(rules), MaxRules)
	}
	list := make([]*counted, len(rules))
	for i, r := range rules {
		if err := r.Check(); err != nil {
			return nil, err
		}
		list[i] = &counted{Rule: r, text: r.String()}
	}
	return list, nil
}

// Addr is where clients connect to.
func (p *Proxy) Addr() net.Addr { return p.config.Listener.Addr() }

// Set puts rules in force instead of those of Config.Rules or the last Set; their counts begin anew. It holds for the
// requests that come from now on. With an error nothing is changed.
func (p *Proxy) Set(rules ...Rule) error {
	list, err := counters(rules)
	if err != nil {
		return fmt.Errorf("set rules: %w", err)
	}
	p.apply(func() { p.base = list })
	return nil
}

// Rules returns the rules in force, with those of the timeline.
func (p *Proxy) Rules() []Rule {
	var list []Rule
	for _, r := range p.now.Load().rules {
		list = append(list, r.Rule)
	}
	return list
}

// Events returns the last events, oldest first, and how many were dropped before them.
func (p *Proxy) Events() (events []fault.Event, dropped uint64) { return p.log.Events() }

// Stats returns the present counts. They are read one after the other.
func (p *Proxy) Stats() Stats {
	return Stats{
		Accepted: p.door.Accepted.Load(), Open: p.door.Open.Load(), Refused: p.door.Refused.Load(),
		Requests: p.requests.Load(), Struck: p.struck.Load(), Failed: p.failed.Load(),
	}
}

func (p *Proxy) apply(change func()) {
	p.mu.Lock()
	change()
	p.now.Store(&ruleSet{slices.Concat(p.base, p.timeline)})
	p.mu.Unlock()
	rules := p.Rules()
	note := "in force"
	if len(rules) == 0 {
		note = "no rule is in force"
	}
	p.log.Add(fault.Event{Fault: Format(rules), Note: note})
}

// Run serves until ctx ends, which is no error. It closes the listener and all connections and returns when nothing of
// the proxy is left running. It can be called once.
func (p *Proxy) Run(ctx context.Context) error { return p.door.Run(ctx, p.follow, p.serve) }

func (p *Proxy) follow(ctx context.Context) {
	spans := make([]fault.Span, len(p.config.Timeline))
	for i, s := range p.config.Timeline {
		spans[i] = fault.Span{At: s.At, For: s.For}
	}
	fault.Play(ctx, spans, func(active []int) {
		p.apply(func() {
			p.timeline = nil
			for _, i := range active {
				p.timeline = append(p.timeline, p.steps[i]...)
			}
		})
	})
}

// decide returns what happens to a request: the delays, and at most one other.
func (p *Proxy) decide(method, path string) (delays []hit, end hit) {
	for _, r := range p.now.Load().rules {
		if !r.covers(method, path) {
			continue
		}
		h := hit{r, r.seen.Add(1)}
		switch {
		case !r.strikes(p.config.Seed, h.n):
		case r.Kind == Delay:
			delays = append(delays, h)
		case end.counted == nil:
			end = h
		}
	}
	return delays, end
}
