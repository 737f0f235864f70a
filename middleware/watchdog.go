package middleware

import (
	"sync"
	"time"
)

// past is a deadline that has been missed.
var past = time.Unix(1, 0) //nolint:gochecknoglobals // a constant

// watchdog bites when the side whose turn it is does nothing for too long:
// before the head an instance that does not answer or a client that does not
// upload, after it whoever keeps the bytes from moving. Safe for concurrent
// use; it bites once, and never after stop returned.
type watchdog struct {
	mu       sync.Mutex // guards all below; bite is called with it held and does not block
	bite     func(cause error)
	timer    *time.Timer
	head     time.Duration // for the instance, until its head came
	idle     time.Duration // for the client, and for both once the head came
	moved    time.Time
	headDone bool
	client   bool          // it is the client's turn, after the head
	waits    int           // under way for the client, to send or to take a 1xx answer
	since    time.Time     // the first of them began
	waited   time.Duration // for the client, until the head came
	hurried  bool          // what is still to come is not for the client
	over     bool
}

func newWatchdog(head, idle time.Duration, bite func(cause error)) *watchdog {
	d := &watchdog{bite: bite, head: head, idle: idle, moved: time.Now()}
	d.mu.Lock() // the timer may fire before it is assigned
	defer d.mu.Unlock()
	d.timer = time.AfterFunc(head, d.look)
	return d
}

// limit returns how long whose turn it is may do nothing.
func (d *watchdog) limit() time.Duration {
	if !d.headDone && d.waits == 0 {
		return d.head
	}
	return d.idle
}

// cause blames the instance only while nothing is missing from the client, and
// the client only while it is waited for.
func (d *watchdog) cause() error {
	switch {
	case d.hurried:
		return errIdle
	case d.client, d.waits > 0:
		return errClientStalled
	case d.headDone:
		return errIdle
	default:
		return errAttemptTimeout
	}
}

// look runs when the timer fires; bytes may have moved since it was set.
func (d *watchdog) look() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		return
	}
	if left := d.limit() - time.Since(d.moved); left > 0 {
		d.timer.Reset(left)
		return
	}
	d.over = true
	d.bite(d.cause())
}

// waiting says that the engine waits for the client, to send more of the body
// or to take a 1xx answer, or no longer does; each wait ends once.
func (d *watchdog) waiting(begins bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	switch {
	case begins:
		if d.waits++; d.waits == 1 {
			d.turn(now)
		}
	default:
		if d.waits--; d.waits == 0 {
			d.turn(now)
		}
	}
}

// turn passes the turn to or from the client. Once the head came the timer is
// left alone, look sees, and that the client sends no more is no movement.
func (d *watchdog) turn(now time.Time) {
	if d.headDone {
		if d.waits == 0 {
			d.moved = now
		}
		return
	}
	if d.waits > 0 {
		d.since = now
	} else {
		d.waited += now.Sub(d.since)
	}
	d.moved = now
	if !d.over {
		d.timer.Reset(d.limit()) // the limits differ
	}
}

// headCame begins the second part; false: it was too late.
func (d *watchdog) headCame() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		return false
	}
	now := time.Now()
	d.waited = d.waitedBy(now)
	d.headDone, d.client, d.moved = true, false, now
	d.timer.Reset(d.idle)
	return true
}

func (d *watchdog) waitedBy(now time.Time) time.Duration {
	if d.headDone || d.waits == 0 {
		return d.waited
	}
	return d.waited + now.Sub(d.since)
}

// forClient returns how long the engine waited for the client until the head
// came, or until now. What the instance did meanwhile is not asked: one that
// gives up on a slow client was not slow itself.
func (d *watchdog) forClient() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waitedBy(time.Now())
}

// relaying says that bytes moved and whose turn it is: the client's to take
// them, or the instance's to send more. The timer is left alone, look sees.
func (d *watchdog) relaying(client bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.client, d.moved = client, time.Now()
}

// hurry leaves little time for all that is still to come.
func (d *watchdog) hurry(limit time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.over {
		d.idle, d.moved, d.hurried = limit, time.Now(), true
		d.timer.Reset(limit)
	}
}

func (d *watchdog) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	d.timer.Stop()
}
