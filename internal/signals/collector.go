package signals

import (
	"cmp"
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// Source is where a number comes from.
type Source struct {
	// Function and Name are the number's own; there is one source for each pair.
	Function, Name string
	// URL is a document, or with Query a Prometheus.
	URL string
	// Query is an instant query in PromQL.
	Query string
	// Path is the way to the number in the document, as health.Number has it.
	Path     string
	Headers  map[string]string
	Interval time.Duration // 0: 15 s
	Timeout  time.Duration // 0: 5 s
}

// Reading is what is known of a source.
type Reading struct {
	Name string
	// Known says that Value holds now. At is when it was last asked for and came;
	// zero: never.
	Known bool
	Value float64
	At    time.Time
	// Problem says in a sentence why the last request brought none; empty: it did.
	Problem string
}

// Config configures a Collector. The zero value is usable.
type Config struct {
	// Tell is told when a source begins to have a problem, and with an empty text
	// when it ends. It must not block. May be nil.
	Tell func(function, name, problem string)
	// TLS is used for https; nil verifies against the system's roots.
	TLS *tls.Config
}

// Collector fetches numbers. Safe for concurrent use.
type Collector struct {
	config Config
	client *http.Client
	places chan struct{} // for requests under way
	wake   chan struct{} // capacity 1: wanted has changed

	mu      sync.Mutex
	wanted  []Source
	running map[place]*following
}

type place struct{ function, name string }

const (
	mostRequests    = 16
	defaultInterval = 15 * time.Second
	defaultTimeout  = 5 * time.Second
	// fresh is how many intervals a number counts.
	fresh = 3
)

// New makes a collector that asks for nothing until Run.
func New(c Config) *Collector {
	return &Collector{
		config: c, client: newClient(c.TLS), places: make(chan struct{}, mostRequests), wake: make(chan struct{}, 1),
		running: map[place]*following{},
	}
}

// Set says which sources there are. Those that did not change keep their
// numbers.
func (c *Collector) Set(list []Source) {
	c.mu.Lock()
	c.wanted = slices.Clone(list)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default: // it is about to look
	}
}

// Readings returns what is known of a function's sources now, by name.
func (c *Collector) Readings(function string, now time.Time) []Reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []Reading
	for p, f := range c.running {
		if p.function == function {
			list = append(list, f.reading(now))
		}
	}
	slices.SortFunc(list, func(a, b Reading) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Run fetches until ctx ends, and returns when all requests have ended.
func (c *Collector) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer c.client.CloseIdleConnections()
	defer wg.Wait()
	defer cancel()
	for {
		c.reconcile(ctx, &wg)
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
		}
	}
}

// reconcile ends what is not wanted any more and begins what is new.
func (c *Collector) reconcile(ctx context.Context, wg *sync.WaitGroup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wanted := map[place]Source{}
	for _, s := range c.wanted {
		s.Interval, s.Timeout = cmp.Or(s.Interval, defaultInterval), cmp.Or(s.Timeout, defaultTimeout)
		wanted[place{s.Function, s.Name}] = s
	}
	for p, f := range c.running {
		if s, ok := wanted[p]; !ok || !reflect.DeepEqual(s, f.source) {
			f.cancel()
			delete(c.running, p)
		}
	}
	for p, s := range wanted {
		if c.running[p] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		f := &following{source: s, cancel: cancel}
		c.running[p] = f
		wg.Go(func() { c.follow(ctx, f) })
	}
}

// following is a source and what is known of it.
type following struct {
	source Source
	cancel context.CancelFunc

	mu      sync.Mutex
	known   bool
	value   float64
	at      time.Time // when the value came
	problem string
}

// follow asks until ctx ends.
func (c *Collector) follow(ctx context.Context, f *following) {
	defer f.cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		select {
		case <-ctx.Done():
			return
		case c.places <- struct{}{}:
		}
		a := c.ask(ctx, &f.source)
		<-c.places
		if ctx.Err() != nil {
			return // that it ended says nothing about the source
		}
		if f.take(a, time.Now()) && c.config.Tell != nil {
			c.config.Tell(f.source.Function, f.source.Name, a.problem)
		}
		timer.Reset(time.Duration((0.9 + 0.2*rand.Float64()) * float64(f.source.Interval)))
	}
}

// take notes an answer, and says whether a problem began or ended with it.
func (f *following) take(a answer, now time.Time) (turned bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	turned = (a.problem == "") != (f.problem == "")
	f.problem = a.problem
	switch {
	case a.problem == "":
		f.known, f.value, f.at = true, a.value, now
	case a.none:
		f.known = false
	}
	return turned
}

func (f *following) reading(now time.Time) Reading {
	f.mu.Lock()
	defer f.mu.Unlock()
	limit := fresh*f.source.Interval + f.source.Timeout
	return Reading{Name: f.source.Name, Known: f.known && now.Sub(f.at) <= limit, Value: f.value, At: f.at, Problem: f.problem}
}
