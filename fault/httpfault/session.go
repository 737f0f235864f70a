package httpfault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/fault"
	"holdfast/fault/internal/front"
	"holdfast/internal/http1"
)

// session is a client's connection and the one to the upstream that belongs to it, which is made for the first request
// that is passed on.
type session struct {
	p     *Proxy
	id    uint64
	done  <-chan struct{} // when all is to end
	end   func()          // ends it: both connections are closed
	parts sync.WaitGroup

	in   *feed
	back *feed // nil before there is a connection to the upstream
}

// asked is what has to be known of a request once its bytes are gone.
type asked struct {
	number     uint64
	head       []byte
	method     string
	path       string
	framing    http1.Framing
	length     int64
	keep       bool
	continues  bool
	minor      int
	delays     []hit
	strike     hit
	uploaded   chan struct{} // closed when the body was passed on, or could not be
	uploadErr  error         // set before
	halfClosed bool
}

// serve carries the requests of a connection until one side ends it or a rule does.
func (p *Proxy) serve(ctx context.Context, id uint64, client net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	s := &session{p: p, id: id, done: ctx.Done(), end: cancel}
	s.in = s.feed(ctx, client)
	for s.one(ctx) {
	}
	_ = client.Close() // before the upstream is told
	cancel()
	s.parts.Wait()
}

// feed reads from a connection, which is closed when the session ends.
func (s *session) feed(ctx context.Context, c net.Conn) *feed {
	f := newFeed(c)
	context.AfterFunc(ctx, func() { _ = c.Close() }) // ends the read
	s.parts.Go(func() {
		f.run(s.p.config.Idle, s.done)
		<-s.done // an end that was read is passed on by those who carry the request
		_ = c.Close()
	})
	return f
}

// one carries a request. False: there will be no other.
func (s *session) one(ctx context.Context) bool {
	r, ok := s.request()
	if !ok {
		return false
	}
	for _, d := range r.delays {
		wait := d.Delay.Draw(fault.Dice(s.p.config.Seed, d.n, d.text+" draw"))
		s.note(r, d, "delayed by "+wait.Round(time.Millisecond).String())
		if !s.wait(wait) {
			return false
		}
	}
	if r.strike.counted != nil {
		switch r.strike.Kind { //nolint:exhaustive // the others spoil the answer
		case Status:
			return s.answer(r)
		case Reset:
			s.note(r, r.strike, "reset, not asked")
			front.Abort(s.in.conn)
			return false
		}
	}
	if err := s.connect(ctx); err != nil {
		s.failed(r, err)
		return false
	}
	return s.exchange(r)
}

// wait lets a delay pass; false: somebody left meanwhile.
func (s *session) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.in.ended:
	case <-s.done:
	}
	return false
}

// request reads the next head and decides about it.
func (s *session) request() (*asked, bool) {
	var req http1.Request
	req.Reset(http1.Limits{})
	for {
		n, err := req.Parse(s.in.buf)
		if err != nil {
			s.refuse(err)
			return nil, false
		}
		if n > 0 {
			r := &asked{
				number: uint64(s.p.requests.Add(1)), head: slices.Clone(s.in.buf[:n]),
				method: strings.Clone(req.Method()), path: strings.Clone(req.Path()), framing: req.Framing(), length: req.Length(),
				keep: req.KeepAlive(), continues: req.Continues(), minor: req.Minor(),
			}
			r.delays, r.strike = s.p.decide(r.method, r.path)
			s.in.buf = s.in.buf[n:]
			return r, true
		}
		if !s.awaitClient() {
			return nil, false
		}
	}
}

// awaitClient waits for bytes of a request. When the upstream closes its side meanwhile, so is the client's, with what
// the upstream may have said.
func (s *session) awaitClient() bool {
	var left <-chan struct{}
	if s.back != nil {
		left = s.back.ended
	}
	select {
	case piece, ok := <-s.in.pieces:
		return s.in.take(piece, ok) == nil
	case <-left:
		for piece := range s.back.pieces {
			s.back.buf = append(s.back.buf, piece...)
		}
		_ = s.toClient(s.back.buf)
	case <-s.done:
	}
	return false
}

// refuse answers what is no request that one could pass on.
func (s *session) refuse(err error) {
	status := http.StatusBadRequest
	if syntax, ok := errors.AsType[http1.SyntaxError](err); ok {
		status = syntax.Status()
	}
	s.p.log.Add(fault.Event{Conn: s.id, Note: "not injected: the request cannot be understood: " + err.Error()})
	_ = s.toClient(local(status, err.Error()+"\n", 0).AppendTo(nil))
}

func local(status int, text string, number uint64) *http1.Local {
	return &http1.Local{
		Status: status, Reason: http.StatusText(status), ID: fmt.Sprintf("fault-%d", number), Date: http1.AppendDate(nil, time.Now()),
		Fields: []byte("Content-Type: text/plain; charset=utf-8\r\n"), Body: text, Close: true,
	}
}

// maxDrain is how much of a body is read that nobody gets.
const maxDrain = 1 << 20

// answer answers instead of the upstream.
func (s *session) answer(r *asked) bool {
	a := local(r.strike.Status, "injected: "+r.strike.text+"\n", r.number)
	a.Head, a.Old = r.method == http.MethodHead, r.minor == 0
	a.Close = !r.keep || r.continues || !s.drain(r)
	if after := r.strike.RetryAfter; after > 0 {
		a.Fields = fmt.Appendf(a.Fields, "Retry-After: %d\r\n", (after+time.Second-1)/time.Second)
	}
	s.note(r, r.strike, "answered, not asked")
	return s.toClient(a.AppendTo(nil)) == nil && !a.Close
}

// drain reads the request's body and says whether it got to the end.
func (s *session) drain(r *asked) bool {
	if r.continues {
		return false
	}
	b := body{from: s.in, frames: r.framing, left: r.length}
	for read := 0; read <= maxDrain; {
		raw, _, done, err := b.next(s.done)
		if done || err != nil {
			return err == nil
		}
		read += len(raw)
	}
	return false
}

func (s *session) connect(ctx context.Context) error {
	if s.back != nil {
		return nil
	}
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, err := s.p.config.Dial(dialing)
	if err != nil {
		return fmt.Errorf("reach the upstream: %w", err)
	}
	s.back = s.feed(ctx, c)
	return nil
}

// failed ends a session whose upstream failed: the client sees a connection that breaks.
func (s *session) failed(r *asked, err error) {
	s.p.failed.Add(1)
	s.p.log.Add(fault.Event{Conn: s.id, Request: r.number, Note: "not injected: " + short(r.method+" "+r.path) + ": " + err.Error()})
	front.Abort(s.in.conn)
}

func (s *session) note(r *asked, h hit, what string) {
	s.p.struck.Add(1)
	s.p.log.Add(fault.Event{Conn: s.id, Request: r.number, Fault: h.text, Note: short(r.method+" "+r.path) + ": " + what})
}

// missed notes a rule that could not be carried out.
func (s *session) missed(r *asked, why string) {
	s.p.log.Add(fault.Event{
		Conn: s.id, Request: r.number, Fault: r.strike.text,
		Note: short(r.method+" "+r.path) + ": not injected: " + why,
	})
}

func short(text string) string { return text[:min(len(text), 100)] }

func (s *session) toClient(b []byte) error { return s.write(s.in.conn, b) }

// write gives a side that does not read as long as one that does not write.
func (s *session) write(c net.Conn, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_ = c.SetWriteDeadline(time.Now().Add(s.p.config.Idle)) // the write tells
	_, err := c.Write(b)
	return err
}

func isEnd(err error) bool { return errors.Is(err, io.EOF) }
