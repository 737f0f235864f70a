package fault

import (
	"sync"
	"time"
)

// Event is something that was injected, or changed what is injected.
type Event struct {
	At      time.Time `json:"at"`
	Conn    uint64    `json:"conn,omitempty"`    // number of the connection, from 1; 0: about the whole proxy
	Request uint64    `json:"request,omitempty"` // number of the request, from 1; 0: about no single one
	Fault   string    `json:"fault"`             // as it is described
	Note    string    `json:"note"`              // what happened, in words
}

// Log keeps the last events. Its methods may be called from any goroutine.
type Log struct {
	on   func(Event)
	size int

	mu    sync.Mutex // guards what follows
	ring  []Event
	count uint64 // of all events ever
}

// DefaultEvents is how many events a [Log] keeps that was not told.
const DefaultEvents = 1000

// NewLog returns a log of the last size events (0: [DefaultEvents]). on, which may be nil, is told each; it is called by
// the goroutine in which the event happens, at the same time as others, and must not wait.
func NewLog(size int, on func(Event)) *Log {
	if size <= 0 {
		size = DefaultEvents
	}
	return &Log{on: on, size: size}
}

// Add keeps e and drops the oldest event when there is no room; a zero At is now.
func (l *Log) Add(e Event) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	l.mu.Lock()
	if len(l.ring) < l.size {
		l.ring = append(l.ring, e)
	} else {
		l.ring[l.count%uint64(l.size)] = e
	}
	l.count++
	l.mu.Unlock()
	if l.on != nil {
		l.on(e)
	}
}

// Events returns what is kept, oldest first, and how many events were dropped before.
func (l *Log) Events() (events []Event, dropped uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := uint64(len(l.ring))
	events = make([]Event, 0, n)
	for i := l.count - n; i < l.count; i++ {
		events = append(events, l.ring[i%uint64(l.size)])
	}
	return events, l.count - n
}
