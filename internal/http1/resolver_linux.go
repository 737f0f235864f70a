package http1

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/exchange"
)

const (
	maxLookups = 16              // at a time
	maxAsked   = 1024            // names that wait for their lookup
	lookupTime = 5 * time.Second // for one of them
	// freshFor is how long the addresses of a name in use are used unseen.
	freshFor = 30 * time.Second
	// lookAfter is the least time between two lookups of a name, whatever fails.
	lookAfter = time.Second
)

// resolver finds the addresses of names for all loops, which never wait for it:
// they ask, go on with other connections and are woken when there is an answer.
type resolver struct {
	lookup func(ctx context.Context, name string) ([]netip.Addr, error)
	asked  chan *hostname

	mu    sync.Mutex
	known map[string]*hostname
}

// hostname is a name that pools use.
type hostname struct {
	name  string
	found atomic.Pointer[found] // nil: nobody has looked yet

	// Guarded by resolver.mu.
	users  int
	asked  bool // a lookup is under way or waits for its turn
	wakers []exchange.Waker
}

// found is what the last lookup of a name said.
type found struct {
	addrs []netip.Addr // those of the last good answer
	err   error        // the last answer was none
	at    time.Time
}

var errNoAddress = errors.New("the name has no address that can be used")

func newResolver(lookup func(context.Context, string) ([]netip.Addr, error)) *resolver {
	return &resolver{lookup: lookup, asked: make(chan *hostname, maxAsked), known: map[string]*hostname{}}
}

// use returns the entry of a name until drop.
func (r *resolver) use(name string) *hostname {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.known[name]
	if h == nil {
		h = &hostname{name: name}
		r.known[name] = h
	}
	h.users++
	return h
}

func (r *resolver) drop(h *hostname) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.users--; h.users == 0 {
		delete(r.known, h.name)
	}
}

// ask has a name looked up and w woken afterwards. Where more names wait than
// there is room for, nobody is: who still wants to know asks again.
func (r *resolver) ask(h *hostname, w exchange.Waker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !h.asked {
		select {
		case r.asked <- h:
			h.asked = true
		default:
			return
		}
	}
	if !slices.Contains(h.wakers, w) {
		h.wakers = append(h.wakers, w)
	}
}

// run looks names up until ctx ends.
func (r *resolver) run(ctx context.Context) {
	var looking sync.WaitGroup
	defer looking.Wait()
	places := make(chan struct{}, maxLookups)
	for {
		select {
		case <-ctx.Done():
			return
		case h := <-r.asked:
			places <- struct{}{} // free within lookupTime
			looking.Go(func() {
				r.look(ctx, h)
				<-places
			})
		}
	}
}

func (r *resolver) look(ctx context.Context, h *hostname) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	addrs, err := r.lookup(ctx, h.name)
	addrs = usable(h.name, addrs)
	switch before := h.found.Load(); {
	case len(addrs) > 0:
		err = nil
	case err == nil:
		err = errNoAddress
		fallthrough
	default:
		if before != nil {
			addrs = before.addrs
		}
	}
	h.found.Store(&found{addrs, err, time.Now()})
	r.mu.Lock()
	wakers := h.wakers
	h.wakers, h.asked = nil, false
	r.mu.Unlock()
	for _, w := range wakers {
		w.Wake()
	}
}

// usable keeps the addresses a loop can connect to. localhost has both
// addresses, whatever the system says (RFC 6761, 6.3): the order is the
// system's, so that all programs try the same first.
func usable(name string, addrs []netip.Addr) []netip.Addr {
	if name = strings.TrimSuffix(strings.ToLower(name), "."); name == "localhost" || strings.HasSuffix(name, ".localhost") {
		addrs = append(slices.Clip(addrs), netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback())
	}
	var list []netip.Addr
	for _, a := range addrs {
		if a = a.Unmap(); a.IsValid() && a.Zone() == "" && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}
