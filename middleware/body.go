package middleware

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// errAttemptOver is what a discarded attempt gets when it still reads the body.
var errAttemptOver = errors.New("attempt is over")

// replayBody lets several attempts read one request body, one after another.
// What was read is kept up to a limit; past it the body can only be read on.
// An attempt that was given up may still be reading in net/http's own
// goroutine: the token decides who may touch the source.
type replayBody struct {
	source  io.ReadCloser
	control *http.ResponseController
	idle    time.Duration
	limit   int64
	token   chan struct{} // held while reading the source
	over    chan struct{}

	// guarded by token
	kept    []byte
	dropped bool  // kept is not the whole of what was read
	err     error // of the source; io.EOF at its end
	total   int64
}

func newReplayBody(source io.ReadCloser, limit int64, idle time.Duration, control *http.ResponseController) *replayBody {
	b := &replayBody{
		source: source, limit: limit, idle: idle, control: control,
		token: make(chan struct{}, 1), over: make(chan struct{}),
	}
	b.token <- struct{}{}
	return b
}

// close ends all reading; the source belongs to net/http's server again.
func (b *replayBody) close() { close(b.over) }

// view returns the body for one attempt. The views before it are closed first.
func (b *replayBody) view() *bodyView {
	return &bodyView{b: b, closed: make(chan struct{})}
}

// replayable says whether another attempt could read the body from its start.
// It is false while an attempt is still reading.
func (b *replayBody) replayable() bool {
	select {
	case <-b.token:
		defer func() { b.token <- struct{}{} }()
		return !b.dropped && (b.err == nil || errors.Is(b.err, io.EOF))
	default:
		// A read is under way: what it brings is kept if it fits.
		return false
	}
}

// failed returns the client's error, if reading from it went wrong.
func (b *replayBody) failed() error {
	select {
	case <-b.token:
		defer func() { b.token <- struct{}{} }()
		if b.err != nil && !errors.Is(b.err, io.EOF) {
			return b.err
		}
	default:
	}
	return nil
}

// bodyView is the body as one attempt reads it.
type bodyView struct {
	b      *replayBody
	closed chan struct{}
	once   sync.Once
	at     int64
}

// Read implements io.Reader.
func (v *bodyView) Read(p []byte) (int, error) {
	select {
	case <-v.b.token:
		defer func() { v.b.token <- struct{}{} }()
	case <-v.closed:
		return 0, errAttemptOver
	case <-v.b.over:
		return 0, errAttemptOver
	}
	select { // both may have been ready
	case <-v.closed:
		return 0, errAttemptOver
	case <-v.b.over:
		return 0, errAttemptOver
	default:
	}
	return v.b.read(v, p)
}

func (b *replayBody) read(v *bodyView, p []byte) (int, error) {
	if v.at < int64(len(b.kept)) {
		n := copy(p, b.kept[v.at:])
		v.at += int64(n)
		return n, nil
	}
	if v.at != b.total {
		return 0, errAttemptOver // the bytes are gone; nobody may get a body with a hole
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.fromSource(p)
	b.keep(p[:n])
	b.total += int64(n)
	v.at += int64(n)
	b.err = err
	return n, err
}

// fromSource reads from the client, which must send something within idle.
func (b *replayBody) fromSource(p []byte) (int, error) {
	// Not every connection has deadlines; those that have not are bounded by
	// the attempt alone.
	_ = b.control.SetReadDeadline(time.Now().Add(b.idle))
	n, err := b.source.Read(p)
	if err != nil {
		// The server watches the idle connection for the client's leaving from
		// now on; the deadline must not look like that.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

func (b *replayBody) keep(p []byte) {
	if b.dropped || len(p) == 0 {
		return
	}
	if int64(len(b.kept)+len(p)) > b.limit {
		b.kept, b.dropped = nil, true
		return
	}
	b.kept = append(b.kept, p...)
}

// Close implements io.Closer; the source stays open for the next attempt.
func (v *bodyView) Close() error {
	v.once.Do(func() { close(v.closed) })
	return nil
}
