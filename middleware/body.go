package middleware

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// replayBody lets several attempts read one request body, one after another.
// What was read is kept up to a limit; past it the body can only be read on.
//
// An attempt that was given up may still be reading in net/http's own
// goroutine, and nothing but the client's next bytes ends that. So who holds
// the token reads the source, the state has a lock of its own, and what a
// forgotten reader brings is kept for the next one. A read never asks for more
// than the limit has room for until the limit is reached, so that a body once
// called replayable stays so while nobody else begins to read.
//
// A nil replayBody is that of a request without one.
type replayBody struct {
	request *http.Request // the client's
	source  io.ReadCloser
	control *http.ResponseController
	limit   int
	token   chan struct{} // held while reading the source
	over    chan struct{}
	ahead   sync.WaitGroup

	mu      sync.Mutex // never held across a read
	kept    []byte
	total   int   // bytes read from the source
	dropped bool  // kept is no longer the whole of them
	err     error // of the source; io.EOF at its end
	live    *bodyView
	reading bool      // readAhead was called
	busy    bool      // somebody reads the source
	reader  *bodyView // who; nil: readAhead
}

func newReplayBody(r *http.Request, limit int64, control *http.ResponseController) *replayBody {
	b := &replayBody{
		request: r, source: r.Body, control: control, limit: int(limit),
		token: make(chan struct{}, 1), over: make(chan struct{}), dropped: limit == 0,
	}
	b.token <- struct{}{}
	return b
}

// linger is how long net/http may look for the end of a body nobody read, to
// use the connection again.
const linger = time.Second

// close ends all reading and returns when it has ended; the source belongs to
// net/http's server again.
func (b *replayBody) close() {
	if b == nil {
		return
	}
	close(b.over)
	b.shut()
	select {
	case <-b.token:
	default:
		if b.control.SetReadDeadline(past) != nil {
			return // not to be interrupted from here; the server will
		}
		<-b.token
	}
	b.ahead.Wait()
	if !b.ended() {
		_ = b.control.SetReadDeadline(time.Now().Add(linger)) // where there are deadlines
	}
}

// open returns the body for one attempt and shuts the one before.
func (b *replayBody) open(dog *watchdog, trailer http.Header) *bodyView {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shutLocked()
	b.live = &bodyView{b: b, dog: dog, trailer: trailer, closed: make(chan struct{})}
	return b.live
}

// reopen is open for an attempt that begins anew, if it still can.
func (b *replayBody) reopen(dog *watchdog, trailer http.Header) (io.ReadCloser, error) {
	b.shut()
	if !b.replayable() {
		return nil, errAttemptOver
	}
	return b.open(dog, trailer), nil
}

// shut ends the reading of the attempt under way.
func (b *replayBody) shut() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shutLocked()
}

func (b *replayBody) shutLocked() {
	if b.live != nil {
		close(b.live.closed)
		b.live = nil
	}
}

// replayable says whether another attempt could read the body from its start.
func (b *replayBody) replayable() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.replayableLocked()
}

func (b *replayBody) replayableLocked() bool {
	return !b.dropped && (b.err == nil && len(b.kept) < b.limit || errors.Is(b.err, io.EOF))
}

// decide asks whether the attempt under way is the last one and lets nobody
// begin a read meanwhile, so that the answer to replayable holds. The last one
// reads on without keeping, unless a forgotten reader is about to bring what it
// must read next; the others are shut.
func (b *replayBody) decide(last func(replayable bool) bool) {
	if b == nil {
		last(true)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !last(b.replayableLocked()):
		b.shutLocked()
	case b.live == nil, b.live.at >= len(b.kept) && (!b.busy || b.reader == b.live):
		b.kept, b.dropped = nil, true
	}
}

// ended says whether the body was read to its end.
func (b *replayBody) ended() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return errors.Is(b.err, io.EOF)
}

// failed returns the client's error, if reading from it went wrong.
func (b *replayBody) failed() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if errors.Is(b.err, io.EOF) {
		return nil
	}
	return b.err
}

// settle waits for who still reads the source, after the exchange is over, so
// that failed says why. A connection that failed has ended the read by then,
// or is about to.
func (b *replayBody) settle() {
	if b == nil {
		return
	}
	b.shut()
	select {
	case <-b.token:
	default:
		if b.control.SetReadDeadline(past) != nil {
			return // not to be interrupted from here
		}
		<-b.token
	}
	b.token <- struct{}{}
}

// clientFault returns what to tell a client that sent a body which is none;
// nil: it broke off, or there is nothing to tell.
func clientFault(err error) *refusal {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &refusal{http.StatusRequestEntityTooLarge, tooLarge.Error()}
	}
	if own, ok := errors.AsType[statusError](err); ok {
		return &refusal{own.Status(), own.Error()}
	}
	if _, ok := errors.AsType[net.Error](err); ok || err == nil || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return &refusal{http.StatusBadRequest, "the request body is malformed"}
}

// readAhead begins, once, to read what can be kept, before an attempt wants
// it: net/http only notices that a client leaves once the body is read.
func (b *replayBody) readAhead() {
	if b == nil || b.request.Header.Get("Expect") != "" {
		return // that client waits to hear whether it should send at all
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reading || b.live != nil {
		return
	}
	b.reading = true
	b.ahead.Go(func() {
		buf := make([]byte, smallBuffer)
		for b.readOne(buf) {
		}
	})
}

// readOne reads once for readAhead; false: no more of it.
func (b *replayBody) readOne(buf []byte) bool {
	select {
	case <-b.token:
		defer func() { b.token <- struct{}{} }()
	case <-b.over:
		return false
	}
	b.mu.Lock()
	room := b.limit - len(b.kept)
	stop := b.dropped || room <= 0 || b.err != nil || b.live != nil || b.isOver()
	b.busy, b.reader = !stop, nil
	b.mu.Unlock()
	if stop {
		return false
	}
	n, err := b.source.Read(buf[:min(len(buf), room)])
	b.mu.Lock()
	defer b.mu.Unlock()
	b.take(buf[:n], err)
	return err == nil
}

func (b *replayBody) isOver() bool {
	select {
	case <-b.over:
		return true
	default:
		return false
	}
}

// take notes what a read of the source brought.
func (b *replayBody) take(p []byte, err error) {
	b.total += len(p)
	b.err, b.busy, b.reader = err, false, nil
	switch {
	case b.dropped:
	case len(b.kept)+len(p) > b.limit:
		b.kept, b.dropped = nil, true
	default:
		b.kept = append(b.kept, p...)
	}
}

// statusError is an error of a connection that knows how to tell the client.
type statusError interface {
	error
	Status() int
}

// bodyView is the body as one attempt reads it.
type bodyView struct {
	b       *replayBody
	dog     *watchdog
	trailer http.Header
	closed  chan struct{}
	at      int // guarded by b.mu
}

// Read implements io.Reader.
func (v *bodyView) Read(p []byte) (int, error) {
	if n, err, ok := v.fromKept(p); ok || len(p) == 0 {
		return n, err
	}
	if !v.takeToken() {
		return 0, errAttemptOver
	}
	defer func() { v.b.token <- struct{}{} }()
	if n, err, ok := v.fromKept(p); ok { // a forgotten reader brought it
		return n, err
	}
	return v.fromSource(p)
}

// takeToken waits until nobody else reads the source; false: the attempt is
// over. A forgotten reader waits for the client, and so does who waits for it.
func (v *bodyView) takeToken() bool {
	select {
	case <-v.b.token:
		return true
	default:
	}
	v.dog.waiting(true)
	defer v.dog.waiting(false)
	select {
	case <-v.b.token:
		return true
	case <-v.closed:
	case <-v.b.over:
	}
	return false
}

// fromKept reads without the source, if it can.
func (v *bodyView) fromKept(p []byte) (n int, err error, ok bool) { //nolint:revive // an ok after the error of the read it is about
	b := v.b
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.live != v || b.isOver():
		return 0, errAttemptOver, true
	case v.at < len(b.kept):
		n = copy(p, b.kept[v.at:])
		v.at += n
	case v.at != b.total:
		return 0, errAttemptOver, true // nobody may get a body with a hole
	case b.err == nil:
		return 0, nil, false
	}
	if v.at == b.total && b.err != nil {
		err = v.end()
	}
	return n, err, true
}

// fromSource reads from the client. The caller holds the token.
func (v *bodyView) fromSource(p []byte) (int, error) {
	b := v.b
	b.mu.Lock()
	if b.live != v { // since a moment ago
		b.mu.Unlock()
		return 0, errAttemptOver
	}
	if room := b.limit - len(b.kept); !b.dropped && room > 0 {
		p = p[:min(len(p), room)]
	}
	b.busy, b.reader = true, v
	b.mu.Unlock()
	v.dog.waiting(true)
	n, err := b.source.Read(p)
	v.dog.waiting(false)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.take(p[:n], err)
	v.at += n
	if err != nil {
		err = v.end()
	}
	return n, err
}

// end returns the source's error; at a good end it brings the trailers.
func (v *bodyView) end() error {
	if errors.Is(v.b.err, io.EOF) {
		for name := range v.trailer {
			v.trailer[name] = v.b.request.Trailer[name]
		}
	}
	return v.b.err
}

// Close implements io.Closer; the source stays open for the next attempt.
func (v *bodyView) Close() error {
	v.b.mu.Lock()
	defer v.b.mu.Unlock()
	if v.b.live == v {
		v.b.shutLocked()
	}
	return nil
}

const (
	maxSkip  = 64 << 10
	skipTime = 50 * time.Millisecond
)

// skip reads the rest of a body that no attempt will read, if it is short and
// there: the client's connection can then be used again.
func (b *replayBody) skip() {
	if b.ended() || b.request.ProtoMajor != 1 || b.request.Header.Get("Expect") != "" {
		return
	}
	b.shut()
	select {
	case <-b.token:
		defer func() { b.token <- struct{}{} }()
	default:
		return // a forgotten reader waits for more
	}
	if b.control.SetReadDeadline(time.Now().Add(skipTime)) != nil {
		return
	}
	_, err := io.CopyN(io.Discard, b.source, maxSkip)
	_ = b.control.SetReadDeadline(time.Time{}) // worked a moment ago
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropped, b.err = true, err
}
