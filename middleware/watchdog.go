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
	client   bool // it is the client's turn
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
	if !d.headDone && !d.client {
		return d.head
	}
	return d.idle
}

func (d *watchdog) cause() error {
	switch {
	case d.client:
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

// uploading says that the engine waits for the client's next bytes, or no
// longer does. Once the head came, an upload only counts as movement.
func (d *watchdog) uploading(waits bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.headDone {
		if !waits {
			d.moved = time.Now()
		}
		return
	}
	d.client, d.moved = waits, time.Now()
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
	d.headDone, d.client, d.moved = true, false, time.Now()
	d.timer.Reset(d.idle)
	return true
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
		d.idle, d.moved = limit, time.Now()
		d.timer.Reset(limit)
	}
}

func (d *watchdog) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	d.timer.Stop()
}
