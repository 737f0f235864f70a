package balancer

import (
	"fmt"
	"time"
)

// maxQueuedEvents bounds what a slow OnEvent can pile up.
const maxQueuedEvents = 4096

// EventKind says what an Event reports.
type EventKind uint8

const (
	// StatusChanged reports every step of an instance from one Status to another.
	StatusChanged EventKind = iota
	// Ejected comes before the StatusChanged it causes.
	Ejected
	// Returned reports the end of an ejection.
	Returned
	// EjectionRefused means that the cap on ejections kept a failing instance in
	// rotation. It is reported once per BaseTime and instance.
	EjectionRefused
	// PanicEntered begins a time in which health is ignored. It has no Instance.
	PanicEntered
	// PanicLeft ends it.
	PanicLeft
	// Ready reports that an instance may get traffic from now on while its status
	// stays what it was: recovering, when slow start begins, or failed, when it
	// could be used in panic. Any other way there is a StatusChanged.
	Ready
)

// String returns a short name such as status_changed.
func (k EventKind) String() string {
	switch k {
	case StatusChanged:
		return "status_changed"
	case Ejected:
		return "ejected"
	case Returned:
		return "returned"
	case EjectionRefused:
		return "ejection_refused"
	case PanicEntered:
		return "panic_entered"
	case PanicLeft:
		return "panic_left"
	case Ready:
		return "ready"
	}
	return fmt.Sprintf("event(%d)", uint8(k))
}

// Event is something that happened to the set or to one instance.
type Event struct {
	At       time.Time
	Kind     EventKind
	Instance *Instance // nil for panic
	From, To Status
	Source   string // who caused it: health, lifecycle, drain, ejection, slow-start
	Reason   string // one sentence for people
}

// emit queues an event. Requires b.mu.
func (b *Balancer) emit(e Event) {
	if b.cfg.OnEvent == nil {
		return
	}
	if len(b.events) >= maxQueuedEvents {
		b.dropped++
		return
	}
	b.events = append(b.events, e)
}

// unlock releases b.mu and delivers what was queued. Only one caller delivers
// at a time, which keeps the order; the others, and OnEvent itself when it
// calls back, leave their events to that one.
func (b *Balancer) unlock() {
	if b.delivering || len(b.events) == 0 {
		b.mu.Unlock()
		return
	}
	b.delivering = true
	for len(b.events) > 0 {
		batch, deliver := b.events, b.cfg.OnEvent
		b.events = nil
		b.mu.Unlock()
		for _, e := range batch {
			if deliver != nil {
				deliver(e)
			}
		}
		b.mu.Lock()
	}
	b.delivering = false
	b.mu.Unlock()
}
