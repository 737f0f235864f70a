package httpload

import (
	"errors"
	"os"
	"time"

	"holdfast/loadtest"
)

var _ loadtest.Sender = (*user)(nil)

// longAgo is a deadline that ends a read.
func longAgo() time.Time { return time.Unix(1, 0) }

// StandBy implements loadtest.Sender. It reads before anything is sent, so that the scheduler finds the user waiting when
// the answer comes.
func (u *user) StandBy() bool {
	c := &u.conns[0]
	if !u.wait(c) {
		return false
	}
	n, err := u.receive(c)
	u.mu.Lock()
	u.ahead.waiting = false
	sent := u.ahead.sent
	u.mu.Unlock()
	if !sent { // the target closed the connection, or said something nobody asked for
		u.drop(c)
		u.release()
		return false
	}
	if u.ahead.wrote < len(u.ahead.out) { // Send ended the read, or was about to
		if again := c.SetReadDeadline(time.Time{}); again != nil || errors.Is(err, os.ErrDeadlineExceeded) {
			err = again
		}
	}
	if u.ahead.trouble = err; n > 0 {
		u.answer.have = n
	}
	return true
}

// wait says whether there is something to wait for, and lets Send know. That is with one target, on a connection nobody
// has to look at before it is used and which can be written to without waiting: TLS cannot promise that.
func (u *user) wait(c *conn) bool {
	_, plain := c.Conn.(*wire)
	u.mu.Lock()
	defer u.mu.Unlock()
	if !plain || len(u.conns) > 1 || u.client.config.ConnAge > 0 || u.cut || u.ahead.missed || u.ahead.dismissed {
		return false
	}
	u.raw, u.cancel = c.raw, nil
	u.ahead.waiting = true
	return true
}

// Send implements loadtest.Sender.
func (u *user) Send(s *loadtest.Shot) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ahead.missed = !u.ahead.waiting; u.ahead.missed {
		return false
	}
	c := &u.conns[0]
	u.ahead.sent = true
	u.ahead.out = u.compose(s, &u.client.requests[s.Endpoint])
	s.Written = max(s.Now(), 1)
	w, _ := c.Conn.(*wire)
	u.ahead.wrote, _ = w.TryWrite(u.ahead.out) // what is wrong with it, Do finds out
	s.BytesOut += int64(u.ahead.wrote)
	if u.ahead.wrote < len(u.ahead.out) {
		_ = c.raw.SetReadDeadline(longAgo()) // Do sends the rest, or finds out what is wrong
	}
	return true
}

// Dismiss implements loadtest.Sender.
func (u *user) Dismiss() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ahead.dismissed = true
	if u.ahead.waiting {
		_ = u.raw.SetReadDeadline(longAgo())
	}
}
