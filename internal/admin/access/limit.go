package access

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Rate is a token bucket: Burst requests at once, PerSecond in the long run.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Limits protect the admin interface from being worn out. The zero value means
// the defaults; nothing can be switched off. The local socket has no rates.
type Limits struct {
	Address  Rate  // per client address (IPv6: per /64); 50/s, burst 200
	Identity Rate  // per token, also behind its sessions; 100/s, burst 400
	Body     int64 // bytes of a request body; 1 MiB
	Header   int   // bytes of a request head; 16 KiB
	Streams  int   // event streams at once per identity or anonymous address; 8
	Total    int   // event streams at once; 256
	Tracked  int   // addresses and identities remembered; 4,096 each
	// Failures are failed logins an address has free; after that each one
	// doubles the time in which wrong tokens are not even looked at, from
	// FirstDelay (1 s) to MaxDelay (5 min). 5.
	Failures             int
	FirstDelay, MaxDelay time.Duration
}

func (l Limits) withDefaults() Limits {
	l.Address = l.Address.withDefaults(50, 200)
	l.Identity = l.Identity.withDefaults(100, 400)
	l.Body = orDefault(l.Body, 1<<20)
	l.Header = orDefault(l.Header, 16<<10)
	l.Streams, l.Total = orDefault(l.Streams, 8), orDefault(l.Total, 256)
	l.Tracked, l.Failures = orDefault(l.Tracked, 4096), orDefault(l.Failures, 5)
	l.FirstDelay, l.MaxDelay = orDefault(l.FirstDelay, time.Second), orDefault(l.MaxDelay, 5*time.Minute)
	return l
}

func (r Rate) withDefaults(perSecond float64, burst int) Rate {
	return Rate{orDefault(r.PerSecond, perSecond), orDefault(r.Burst, burst)}
}

// buckets is a token bucket per key. A key that was forgotten begins with a
// full bucket. Safe for concurrent use.
type buckets[K comparable] struct {
	rate Rate
	mu   sync.Mutex
	all  *lru[K, bucket]
}

type bucket struct {
	left float64
	at   time.Time
}

func newBuckets[K comparable](rate Rate, tracked int) *buckets[K] {
	return &buckets[K]{rate: rate, all: newLRU[K, bucket](tracked)}
}

// take takes one token. When there is none it returns the time until there is.
func (b *buckets[K]) take(key K, now time.Time) (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.all.get(key)
	if e == nil {
		e = b.all.add(key, bucket{float64(b.rate.Burst), now})
	}
	if passed := now.Sub(e.at); passed > 0 {
		e.left = min(float64(b.rate.Burst), e.left+passed.Seconds()*b.rate.PerSecond)
		e.at = now
	}
	if e.left < 1 {
		return time.Duration((1 - e.left) / b.rate.PerSecond * float64(time.Second)), false
	}
	e.left--
	return 0, true
}

// failures remembers failed logins per address. Safe for concurrent use.
type failures struct {
	free       int
	first, max time.Duration
	any        atomic.Bool // false: nobody ever failed, and the lock is not worth it
	mu         sync.Mutex
	all        *lru[netip.Prefix, failure]
}

type failure struct {
	count       int
	last, until time.Time
}

// failureMemory is how long after the last failure an address is innocent again.
const failureMemory = 15 * time.Minute

func newFailures(l Limits) *failures {
	return &failures{free: l.Failures, first: l.FirstDelay, max: l.MaxDelay, all: newLRU[netip.Prefix, failure](l.Tracked)}
}

// wait returns how long wrong tokens of an address are not looked at.
func (f *failures) wait(who netip.Prefix, now time.Time) time.Duration {
	if !f.any.Load() {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if e := f.all.get(who); e != nil {
		return max(0, e.until.Sub(now))
	}
	return 0
}

// failed counts a failure and returns how many there were.
func (f *failures) failed(who netip.Prefix, now time.Time) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.all.get(who)
	if e == nil {
		e = f.all.add(who, failure{})
		f.any.Store(true)
	}
	if now.Sub(e.last) > failureMemory {
		e.count = 0
	}
	e.count++
	e.last = now
	if beyond := e.count - f.free; beyond > 0 {
		e.until = now.Add(min(f.max, f.first<<min(beyond-1, 20)))
	}
	return e.count
}

// succeeded forgets the failures of an address.
func (f *failures) succeeded(who netip.Prefix) {
	if !f.any.Load() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all.remove(who)
	f.any.Store(len(f.all.items) > 0)
}

// streams counts open event streams. Safe for concurrent use.
type streams struct {
	each, total int
	mu          sync.Mutex
	open        map[string]int // never more entries than total
	count       int
}

// enter counts a stream in; false: there are too many.
func (s *streams) enter(who string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[who] >= s.each || s.count >= s.total {
		return false
	}
	s.open[who]++
	s.count++
	return true
}

func (s *streams) leave(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count--
	if s.open[who]--; s.open[who] <= 0 {
		delete(s.open, who)
	}
}

// clientNetwork is what limits are counted for: one IPv4 address, or the /64
// that an IPv6 host has for itself.
func clientNetwork(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero prefix for the zero address
	return p
}
