package balancer

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxWeight  = 1000
	maxHistory = 16
)

// Spec describes one endpoint of a function.
type Spec struct {
	ID, Endpoint string
	// Weight is relative to the other instances. 0 is 1, the most is 1000.
	Weight int
	// Priority 0 is served first, higher ones when lower ones cannot carry it all.
	Priority int
	// Zone and Region say where the instance runs.
	Zone, Region string
	// MaxInFlight is how many attempts it may have at once; 0 is no limit.
	// Concurrent picks may exceed it by the number of racing callers.
	MaxInFlight int
}

// Instance is one endpoint and everything known about it. Its identity is the
// pointer: an instance kept across [Balancer.Replace] keeps its state. It
// belongs to one Balancer at a time. Methods are safe for concurrent use.
type Instance struct {
	results results // first: its head is one cache line
	*gauges
	spec    Spec
	lattice lattice
}

// gauges is all a pick reads of an instance: one cache line, allocated apart so
// that those of many instances lie close together.
type gauges struct {
	flight  flight
	cost    atomicFloat   // peak-EWMA of latency in ns; 0: no sample yet
	stamp   atomic.Int64  // tick of the last sample
	began   atomic.Int64  // tick of the last Begin
	failing atomicFloat   // EWMA of the share of failures
	place   atomic.Uint32 // tier
	status  atomic.Uint32
	_       [16]byte
}

// flight counts attempts: those in flight in the low bits, above them all that
// were ever begun, so that one write counts both.
type flight struct{ word atomic.Uint64 }

const (
	flightBits = 24
	flightMask = 1<<flightBits - 1
)

func (f *flight) now() int64    { return int64(f.word.Load() & flightMask) }
func (f *flight) begun() uint64 { return f.word.Load() >> flightBits }
func (f *flight) begin()        { f.word.Add(1<<flightBits + 1) }

// end reports false for one too many: it must not make the instance look idle
// for ever.
func (f *flight) end() bool {
	for {
		w := f.word.Load()
		if w&flightMask == 0 {
			return false
		}
		if f.word.CompareAndSwap(w, w-1) {
			return true
		}
	}
}

// results is what Observe learns. What every attempt writes comes first, close
// together: in a large set all of it is cold.
type results struct {
	mu          sync.Mutex  // guards all below
	mean        atomicFloat // plain EWMA of latency in ns, failures excluded; read without mu
	successes   uint64
	failures    uint64
	consecutive int // failures in a row; only a success resets it
	probation   int // attempts left in which one failure ejects again
	latencies   histogram
	window      window
}

// lattice is the state an instance's status follows from. Guarded by Balancer.mu.
type lattice struct {
	sources
	reasons   [4]string // by source: lifecycle, health, drain, ejection
	since     int64     // tick of the last change of status
	last      string    // reason of that change
	history   []transition
	begunBase uint64 // attempts begun when the membership last changed

	newcomer   bool // joined a set that was already serving
	wasFailed  bool
	everUsable bool
	rampFrom   int64

	cause        Failure
	byLatency    bool
	ejectedUntil int64
	returnedAt   int64
	ejections    int
	refusals     int
	refusedAt    int64
}

type transition struct {
	at       int64
	reason   string
	from, to Status
	by       source
}

// NewInstance returns an instance that waits for its first check: call
// [Balancer.SetHealth] with HealthUp where nothing checks it. A weight out of
// range is moved to the nearest that is in range.
func NewInstance(spec Spec) *Instance {
	spec.Weight = min(max(spec.Weight, 1), maxWeight)
	spec.MaxInFlight = max(spec.MaxInFlight, 0)
	i := &Instance{gauges: new(gauges), spec: spec}
	i.status.Store(uint32(Recovering))
	i.lattice.reasons[fromHealth-1] = "not checked yet"
	return i
}

// Spec returns what the instance was made from, with the weight in range.
func (i *Instance) Spec() Spec { return i.spec }

// ID returns the identifier given in the Spec.
func (i *Instance) ID() string { return i.spec.ID }

// Endpoint returns the endpoint given in the Spec.
func (i *Instance) Endpoint() string { return i.spec.Endpoint }

// InFlight returns the number of attempts begun and not released.
func (i *Instance) InFlight() int { return int(i.flight.now()) }

// Status returns the agreed state.
func (i *Instance) Status() Status { return Status(i.status.Load()) }

func (g *gauges) tier() tier { return tier(g.place.Load()) }

// Begin counts an attempt on i as in flight.
func (b *Balancer) Begin(i *Instance, now time.Time) {
	v := b.view.Load()
	i.flight.begin()
	i.began.Store(v.tick(now))
	if v.cfg.Strategy == ConsistentHash {
		b.signals.inflight.Add(1)
	}
}

// Release ends what Begin began. Call it when the body is done, also for
// streams and upgrades.
func (b *Balancer) Release(i *Instance, _ time.Time) {
	if i.flight.end() && b.view.Load().cfg.Strategy == ConsistentHash {
		b.signals.inflight.Add(-1)
	}
}
