package supervise

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	maxFrame     = 4 << 20 // of an input or a result, in bytes
	maxWaiting   = 256     // frames on their way to a child
	writeTimeout = 10 * time.Second

	codeUnknown = "unknown_method"
	codeBusy    = "busy"
)

// Errors of Call that callers may ask for.
var (
	// ErrNotRunning: the child is not running now; nothing was sent.
	ErrNotRunning = errors.New("the child process is not running")
	// ErrEnded: the child ended during the call; it may have acted on it.
	ErrEnded = errors.New("the child process ended during the call")
	// ErrUnknownMethod: the child has no such method.
	ErrUnknownMethod = errors.New("unknown method")
	// ErrBusy: the child works on too many calls already.
	ErrBusy = errors.New("too many calls")
)

// RemoteError is an error that a handler returned.
type RemoteError struct{ Method, Message string }

// Error implements error.
func (e *RemoteError) Error() string { return e.Message }

// session is the parent's end of one child's socket.
type session struct {
	conn net.Conn
	out  chan frame

	greeted chan struct{} // closed when the child has said hello
	over    chan struct{} // closed when the connection is gone

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan frame
	heard   time.Time // anything from the child
}

func newSession(conn net.Conn) *session {
	return &session{
		conn: conn, out: make(chan frame, maxWaiting), waiting: map[uint64]chan frame{},
		greeted: make(chan struct{}), over: make(chan struct{}), heard: time.Now(),
	}
}

// run moves frames until the connection is gone or ctx ends.
func (s *session) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	defer stop()
	wg.Go(s.write)
	s.out <- frame{Kind: hello, ID: protocol} // the queue is empty: this does not wait
	s.read()
	_ = s.conn.Close() // ends the writer too
	close(s.over)
}

func (s *session) write() {
	for {
		select {
		case <-s.over:
			return
		case f := <-s.out:
			_ = s.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
			if err := writeFrame(s.conn, f, maxFrame); err != nil {
				_ = s.conn.Close() // ends the reader
				return
			}
		}
	}
}

func (s *session) read() {
	r := bufio.NewReader(s.conn)
	for {
		f, err := readFrame(r, maxFrame)
		if err != nil {
			return // what became of the child is told by its process
		}
		s.mu.Lock()
		s.heard = time.Now()
		s.mu.Unlock()
		switch f.Kind {
		case hello:
			select {
			case <-s.greeted:
			default:
				close(s.greeted)
			}
		case answer:
			s.deliver(f)
		case ping, pong, call, cancel:
		}
	}
}

func (s *session) deliver(f frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.waiting[f.ID]; c != nil {
		c <- f // has room for one, and gets one
		delete(s.waiting, f.ID)
	}
}

// silence is how long nothing has come from the child.
func (s *session) silence(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Sub(s.heard)
}

// ping asks for a sign of life; a full queue is one that goes nowhere, which
// shows in the silence.
func (s *session) ping() {
	select {
	case s.out <- frame{Kind: ping}:
	default:
	}
}

// call sends one request and waits for its answer.
func (s *session) call(ctx context.Context, method string, body json.RawMessage, left time.Duration) (json.RawMessage, error) {
	id, result := s.expect()
	defer s.forget(id)
	// The child's deadline is there for a parent that cannot cancel any more; it
	// comes after the caller's own, so that both say the same.
	f := frame{Kind: call, ID: id, Method: method, Left: max(left, 0).Milliseconds() + 100, Body: body}
	select {
	case s.out <- f:
	case <-s.over:
		return nil, ErrNotRunning
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case f := <-result:
		return f.Body, remoteError(method, f)
	case <-s.over:
		select {
		case f := <-result: // it came just before the end
			return f.Body, remoteError(method, f)
		default:
			return nil, ErrEnded
		}
	case <-ctx.Done():
		select {
		case s.out <- frame{Kind: cancel, ID: id}:
		default: // its deadline ends it as well
		}
		return nil, ctx.Err()
	}
}

func remoteError(method string, f frame) error {
	switch {
	case f.Error == "":
		return nil
	case f.Code == codeUnknown:
		return fmt.Errorf("%w: %s", ErrUnknownMethod, f.Error)
	case f.Code == codeBusy:
		return fmt.Errorf("%w: %s", ErrBusy, f.Error)
	default:
		return &RemoteError{method, f.Error}
	}
}

func (s *session) expect() (uint64, chan frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	c := make(chan frame, 1)
	s.waiting[s.next] = c
	return s.next, c
}

func (s *session) forget(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, id)
}
