// Package event carries what happened to whoever wants to know: the log, the
// terminal, alerts, the dashboard. Events are facts in the past tense; they
// never ask for anything. The last ones are kept in memory, numbered, so that
// a reader that lost its connection can go on where it stopped.
package event

import (
	"strconv"
	"sync"
	"time"
)

// Event is one fact.
type Event struct {
	Run      string    `json:"-"`   // set by the Bus: within one, Seq is unique
	Seq      uint64    `json:"seq"` // set by the Bus, from 1 without gaps
	At       time.Time `json:"at"`
	Kind     Kind      `json:"kind"`
	Function string    `json:"function,omitempty"`
	Instance string    `json:"instance,omitempty"`
	From     string    `json:"from,omitempty"`
	To       string    `json:"to,omitempty"`
	Source   string    `json:"source,omitempty"` // who says so: health, results, platform, operator
	Reason   string    `json:"reason,omitempty"`
	// Numbers are the figures behind the reason, by name with unit; not changed
	// once published.
	Numbers map[string]float64 `json:"numbers,omitempty"`
}

// Kind names what happened.
type Kind string

// The kinds.
const (
	InstanceStatus  Kind = "instance_status"
	InstanceEjected Kind = "instance_ejected"
	InstanceBack    Kind = "instance_back"
	EjectionRefused Kind = "ejection_refused" // the cap on ejections kept it in
	Panic           Kind = "panic"            // health is ignored, or no longer
	Breaker         Kind = "breaker"
	Recovery        Kind = "recovery" // an instance came back from failed
	Process         Kind = "process"
	Platform        Kind = "platform" // nothing is known of a function's platform, or again; somebody else scales there; it refused an order
	Config          Kind = "config"
	Action          Kind = "action"  // somebody ordered something
	Scaling         Kind = "scaling" // a function looks, or no longer looks, like an incident rather than load
	Run             Kind = "run"     // a load test, stress test or drill began or ended
	Anomaly         Kind = "anomaly" // the performance monitor's: something is out of the ordinary, or no longer
	Alert           Kind = "alert"   // an alert fires or is resolved; From and To are severities, Source is the rule
)

// Bus hands events to its subscribers and keeps the last ones. The zero value
// is not ready; use NewBus. Safe for concurrent use.
type Bus struct {
	tell []func(Event)
	run  string

	mu   sync.Mutex
	seq  uint64
	ring []Event
	wake map[chan struct{}]struct{}
}

// NewBus makes a bus that keeps the last keep events (at least 1). Each of
// tell is called for every event, outside locks, by the goroutine that
// publishes: it must not block.
func NewBus(keep int, tell ...func(Event)) *Bus {
	return &Bus{tell: tell, run: strconv.FormatInt(time.Now().UnixMilli(), 36), ring: make([]Event, 0, max(keep, 1))}
}

// Run names the life of this bus, as its events do: the numbers of another
// process are others.
func (b *Bus) Run() string { return b.run }

// Publish numbers an event, keeps it and hands it on. A zero time is now.
func (b *Bus) Publish(e Event) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	b.mu.Lock()
	b.seq++
	e.Run, e.Seq = b.run, b.seq
	if len(b.ring) < cap(b.ring) {
		b.ring = append(b.ring, e)
	} else {
		b.ring[int((e.Seq-1)%uint64(cap(b.ring)))] = e
	}
	for c := range b.wake {
		select {
		case c <- struct{}{}:
		default: // it has not looked since the last time
		}
	}
	b.mu.Unlock()
	for _, tell := range b.tell {
		tell(e)
	}
}

// Subscribe returns a channel that has something in it when events were
// published since it was last read; Since tells which. Nobody waits for a
// subscriber, and nothing is kept for it. End gives the channel up.
func (b *Bus) Subscribe() (wake <-chan struct{}, end func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wake == nil {
		b.wake = map[chan struct{}]struct{}{}
	}
	b.wake[c] = struct{}{}
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.wake, c)
	}
}

// Since returns the kept events after number seq, oldest first.
func (b *Bus) Since(seq uint64) []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := uint64(len(b.ring))
	from := max(seq, b.seq-n)
	list := make([]Event, 0, b.seq-min(from, b.seq))
	for s := from; s < b.seq; s++ {
		list = append(list, b.ring[s%uint64(cap(b.ring))])
	}
	return list
}
