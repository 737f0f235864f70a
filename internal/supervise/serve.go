package supervise

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// FD is the descriptor on which a child finds its parent.
const FD = 3

// maxCalls bounds the calls that a child works on at the same time.
const maxCalls = 64

// Handler answers one method in the child. ctx ends with the caller's deadline,
// when the caller gives up, and when the child is to stop. A panic ends the
// child, which is what children are for.
type Handler func(ctx context.Context, in json.RawMessage) (out any, err error)

// Handle makes a Handler of a function with types.
func Handle[In, Out any](f func(context.Context, In) (Out, error)) Handler {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		var in In
		if len(raw) > 0 {
			if err := json.Unmarshal(raw, &in); err != nil {
				return nil, fmt.Errorf("read input: %w", err)
			}
		}
		return f(ctx, in)
	}
}

// Serve is the body of a child: it answers the parent on descriptor fd ([FD])
// until ctx ends or the parent is gone, and returns when all handlers have. Both
// are nil; an error is about the connection.
func Serve(ctx context.Context, fd uintptr, handlers map[string]Handler) error {
	file := os.NewFile(fd, "parent")
	if file == nil {
		return fmt.Errorf("serve parent: there is no descriptor %d; this command is started by Holdfast itself", fd)
	}
	conn, err := net.FileConn(file)
	_ = file.Close() // conn has its own copy
	if err != nil {
		return fmt.Errorf("serve parent: %w (this command is started by Holdfast itself)", err)
	}
	s := &server{conn: conn, handlers: handlers, under: map[uint64]context.CancelFunc{}}
	return s.run(ctx)
}

type server struct {
	conn     net.Conn
	handlers map[string]Handler
	calls    sync.WaitGroup

	writing sync.Mutex // one frame at a time; bounded by the write deadline

	mu    sync.Mutex
	under map[uint64]context.CancelFunc // calls under way
}

func (s *server) run(ctx context.Context) error {
	defer func() { _ = s.conn.Close() }() // nothing is left to be said
	defer s.calls.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	unblock := context.AfterFunc(ctx, func() { _ = s.conn.SetReadDeadline(time.Now()) })
	defer unblock()
	err := s.read(ctx, bufio.NewReader(s.conn))
	if ctx.Err() != nil || errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("serve parent: %w", err)
}

func (s *server) read(ctx context.Context, r *bufio.Reader) error {
	for {
		f, err := readFrame(r, maxFrame)
		if err != nil {
			return err
		}
		switch f.Kind {
		case hello:
			if f.ID != protocol {
				return fmt.Errorf("the parent speaks version %d, this binary %d", f.ID, protocol)
			}
			err = s.send(frame{Kind: hello, ID: protocol})
		case ping:
			err = s.send(frame{Kind: pong})
		case call:
			err = s.begin(ctx, f)
		case cancel:
			s.mu.Lock()
			if end := s.under[f.ID]; end != nil {
				end()
			}
			s.mu.Unlock()
		case pong, answer:
			err = fmt.Errorf("unexpected %s", f.Kind)
		}
		if err != nil {
			return err
		}
	}
}

// begin starts the handler of a call.
func (s *server) begin(ctx context.Context, f frame) error {
	h := s.handlers[f.Method]
	if h == nil {
		return s.send(frame{Kind: answer, ID: f.ID, Code: codeUnknown, Error: fmt.Sprintf("there is no method %q", f.Method)})
	}
	ctx, end := context.WithTimeout(ctx, time.Duration(f.Left)*time.Millisecond)
	s.mu.Lock()
	full := len(s.under) >= maxCalls
	if !full {
		s.under[f.ID] = end
	}
	s.mu.Unlock()
	if full {
		end()
		return s.send(frame{Kind: answer, ID: f.ID, Code: codeBusy, Error: fmt.Sprintf("%d calls are under way", maxCalls)})
	}
	s.calls.Go(func() {
		s.answer(f.ID, func() (any, error) { return h(ctx, f.Body) })
		s.mu.Lock()
		delete(s.under, f.ID)
		s.mu.Unlock()
		end()
	})
	return nil
}

func (s *server) answer(id uint64, work func() (any, error)) {
	out, err := work()
	f := frame{Kind: answer, ID: id}
	if err == nil {
		f.Body, err = json.Marshal(out)
	}
	if err != nil {
		f.Body, f.Error = nil, err.Error()
	}
	if err := s.send(f); errors.Is(err, errTooLarge) {
		_ = s.send(frame{Kind: answer, ID: id, Error: err.Error()}) // else the connection is gone, which ends read
	}
}

func (s *server) send(f frame) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return writeFrame(s.conn, f, maxFrame)
}
