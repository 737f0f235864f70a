package http1

import "golang.org/x/sys/unix"

// leave tells the loop to end; it may be called by anybody.
func (l *loop) leave(how uint32) {
	l.leaving.Store(how)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring()
}

// part stops taking connections. What follows depends on whether another
// process takes them.
func (l *loop) part() {
	l.parting = true
	l.deadline = l.after(max(0, l.config.Shutdown))
	l.pause()
	_ = unix.Close(l.listener) // it was read only
	l.listener = -1
	if l.leaving.Load() == leavesNow {
		l.closeIdle()
	}
}

// closeIdle gives the others their last time.
func (l *loop) closeIdle() {
	l.left = true
	for fd := range l.slots {
		c := l.slots[fd].client
		switch {
		case c == nil:
		case c.state == reading && c.have == 0:
			c.dismiss()
		case c.state == shaking, l.now.Sub(l.start) >= l.deadline:
			c.abandon()
		default:
			c.lastCall = l.deadline
			c.setTimer(c.timer.deadline)
		}
	}
}

// stirred notes that something happened on a connection.
func (l *loop) stirred() {
	if l.parting {
		l.moved.Store(l.now.UnixNano())
	}
}

// ended says whether the loop is done; from then on it takes no arrivals.
func (l *loop) ended() bool {
	if !l.parting || l.load.Load() > 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deaf = len(l.arrived) == 0
	return l.deaf
}
