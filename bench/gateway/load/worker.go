//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// conn is a connection of a worker.
type conn struct {
	fd      int
	since   time.Duration // when the request in flight was due
	waiting bool
	read    int
	buf     []byte
}

// worker drives its connections on a thread of its own.
type worker struct {
	target    Target
	poll      int
	conns     []conn
	free      []int // connections without a request, the longest idle first
	latencies []time.Duration
}

// pace says how long and how fast.
type pace struct {
	length time.Duration
	every  time.Duration // time between requests of one worker; 0: a closed loop
	spin   time.Duration // before a request is due
}

// patience is how long after the end answers are waited for.
const patience = 10 * time.Second

var errSilent = errors.New("requests without an answer")

func newWorker(t Target) (*worker, error) {
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create a poll set: %w", err)
	}
	return &worker{target: t, poll: poll}, nil
}

func (w *worker) add(fd int) error {
	w.conns = append(w.conns, conn{fd: fd})
	w.free = append(w.free, len(w.conns)-1)
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(len(w.conns) - 1)} //nolint:gosec // an index
	return unix.EpollCtl(w.poll, unix.EPOLL_CTL_ADD, fd, &event)
}

func (w *worker) close() {
	for i := range w.conns {
		_ = unix.Close(w.conns[i].fd) // nothing is written that could be lost
	}
	_ = unix.Close(w.poll) // as above
}

// drive sends until the pace's length is over and waits for what is on its way.
// It is worker i of n, which share the rate and take turns.
func (w *worker) drive(ctx context.Context, p pace, i, n int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // else the kernel wakes up to 50 us late; no harm where it may not be set
	w.latencies = w.latencies[:0]
	due := p.every * time.Duration(i) / time.Duration(n)
	events := make([]unix.EpollEvent, 256)
	start := time.Now()
	for ctx.Err() == nil {
		now := time.Since(start)
		if p.every == 0 {
			due = now
		}
		for due <= now && due < p.length && len(w.free) > 0 { // also what is late at the end was due
			if err := w.send(due); err != nil {
				return err
			}
			due += p.every
		}
		if now >= p.length {
			if len(w.free) == len(w.conns) { // else what was due would have been sent
				return nil
			}
			if now >= p.length+patience {
				return fmt.Errorf("%w: %d", errSilent, len(w.conns)-len(w.free))
			}
		}
		if err := w.await(p.wait(now, due, len(w.free) > 0), events, start); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// wait returns how long a worker may sleep: until the next request is due, and
// a while when there is none to send.
func (p pace) wait(now, due time.Duration, free bool) time.Duration {
	const most = 50 * time.Millisecond
	if p.every == 0 || !free || due >= p.length {
		return most
	}
	return min(most, max(0, due-now-p.spin))
}

func (w *worker) send(due time.Duration) error {
	c := &w.conns[w.free[0]]
	w.free = w.free[1:]
	c.since, c.waiting, c.read = due, true, 0
	n, err := unix.Write(c.fd, w.target.Request)
	if err != nil {
		return fmt.Errorf("send a request: %w", err)
	}
	if n < len(w.target.Request) {
		return fmt.Errorf("send a request: %w", io.ErrShortWrite)
	}
	return nil
}

// await handles what has come, after sleeping for at most d.
func (w *worker) await(d time.Duration, events []unix.EpollEvent, start time.Time) error {
	timeout := unix.NsecToTimespec(int64(d))
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(w.poll), uintptr(unsafe.Pointer(&events[0])), //nolint:gosec // the call's own way
		uintptr(len(events)), uintptr(unsafe.Pointer(&timeout)), 0, 0) //nolint:gosec // as above
	if errno == unix.EINTR {
		return nil
	}
	if errno != 0 {
		return fmt.Errorf("wait for answers (epoll_pwait2, Linux 5.11): %w", errno)
	}
	for _, event := range events[:n] {
		if err := w.receive(int(event.Fd), start); err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) receive(i int, start time.Time) error {
	c := &w.conns[i]
	if c.buf == nil {
		c.buf = make([]byte, bufferSize)
	}
	n, err := unix.Read(c.fd, c.buf[c.read:])
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return fmt.Errorf("read an answer: %w", err)
	case n == 0:
		return fmt.Errorf("read an answer: %w", io.ErrUnexpectedEOF)
	case !c.waiting:
		return fmt.Errorf("%w: %d bytes nobody asked for", errAnswer, n)
	}
	c.read += n
	whole, err := w.target.Frame(c.buf[:c.read])
	if err != nil {
		return err
	}
	if whole == 0 {
		if c.read == len(c.buf) {
			return errTooLarge
		}
		return nil
	}
	if whole < c.read {
		return fmt.Errorf("%w: %d bytes behind it", errAnswer, c.read-whole)
	}
	c.waiting = false
	w.free = append(w.free, i)
	w.latencies = append(w.latencies, time.Since(start)-c.since)
	return nil
}
