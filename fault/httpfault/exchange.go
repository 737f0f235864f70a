package httpfault

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"holdfast/fault"
	"holdfast/fault/internal/front"
	"holdfast/internal/http1"
)

// exchange passes a request on and brings its answer back. False: the session is over.
func (s *session) exchange(r *asked) bool {
	if err := s.write(s.back.conn, r.head); err != nil {
		s.failed(r, err)
		return false
	}
	r.uploaded = make(chan struct{})
	if r.framing == http1.NoBody {
		close(r.uploaded)
	} else {
		s.parts.Go(func() { s.upload(r) })
	}
	for {
		a, err := s.head(r)
		if err != nil {
			s.failed(r, fmt.Errorf("read the answer: %w", err))
			return false
		}
		switch {
		case a.status == http.StatusSwitchingProtocols:
			s.tunnel(r, a)
			return false
		case a.status < 200:
			if s.toClient(a.head) != nil {
				return false
			}
		default:
			return s.relay(r, a) && s.settled(r)
		}
	}
}

// upload passes the body of a request on.
func (s *session) upload(r *asked) {
	defer close(r.uploaded)
	b := body{from: s.in, frames: r.framing, left: r.length}
	for {
		raw, _, done, err := b.next(s.done)
		if err == nil {
			err = s.write(s.back.conn, raw)
		}
		if err != nil {
			r.uploadErr = err
			if !isEnd(err) {
				return
			}
			s.halfClose() // the client will send no more, and may still want the answer
			return
		}
		if done {
			return
		}
	}
}

func (s *session) halfClose() {
	if half, ok := s.back.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // gone already is as good
	}
}

// settled waits for the rest of an upload that the upstream answered early. False: the connection cannot be used again.
func (s *session) settled(r *asked) bool {
	select {
	case <-r.uploaded:
		return r.uploadErr == nil
	case <-s.back.ended:
	case <-s.done:
	}
	return false
}

// answered is the head of an answer.
type answered struct {
	head   []byte
	status int
	frames http1.Framing
	length int64
	reuse  bool
}

// head reads the next head of an answer.
func (s *session) head(r *asked) (*answered, error) {
	var resp http1.Response
	resp.Reset(http1.Limits{})
	for {
		n, err := resp.Parse(s.back.buf, r.method == http.MethodHead)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			a := &answered{
				head: slices.Clone(s.back.buf[:n]), status: resp.Status(), frames: resp.Framing(), length: resp.Length(),
				reuse: resp.Reusable(),
			}
			s.back.buf = s.back.buf[n:]
			return a, nil
		}
		if err := s.awaitAnswer(r); err != nil {
			return nil, err
		}
	}
}

var errClientLeft = errors.New("the client left")

// awaitAnswer waits for bytes of an answer. A client that ends its side meanwhile is passed on to the upstream, which
// decides what it makes of it.
func (s *session) awaitAnswer(r *asked) error {
	for {
		uploaded, left := r.uploaded, (<-chan struct{})(nil)
		select {
		case <-uploaded: // until then the feed is the upload's
			uploaded = nil
			if !r.halfClosed {
				left = s.in.ended
			}
		default:
		}
		select {
		case piece, ok := <-s.back.pieces:
			return s.back.take(piece, ok)
		case <-uploaded:
		case <-left:
			if !isEnd(s.in.err) {
				return errClientLeft
			}
			if r.halfClosed = true; s.in.drained() {
				s.halfClose()
			}
		case <-s.done:
			return errClientLeft
		}
	}
}

// relay brings the answer to the client as the rule says.
func (s *session) relay(r *asked, a *answered) bool {
	if r.strike.counted == nil {
		return s.pass(r, a) && a.reuse && r.keep
	}
	switch r.strike.Kind {
	case Lost:
		if err := s.each(a, func(_, _ []byte) error { return nil }); err != nil {
			s.failed(r, err)
			return false
		}
		s.note(r, r.strike, "asked, the answer is lost")
		front.Abort(s.in.conn)
		return false
	case Garbage:
		s.note(r, r.strike, "a header line of garbage")
		a.head = withGarbage(a.head, s.p.config.Seed, r.strike)
		return s.pass(r, a) && a.reuse && r.keep
	case Close:
		s.note(r, r.strike, "closed behind the answer")
		s.pass(r, a)
		return false
	case Truncate, BrokenChunk, WrongLength:
		return s.spoil(r, a)
	case Status, Delay, Reset:
	}
	return s.pass(r, a) && a.reuse && r.keep
}

// pass brings an answer to the client as it is.
func (s *session) pass(r *asked, a *answered) bool {
	err := s.toClient(a.head)
	if err == nil {
		err = s.each(a, func(raw, _ []byte) error { return s.toClient(raw) })
	}
	if err != nil {
		s.failed(r, fmt.Errorf("pass the answer on: %w", err))
	}
	return err == nil
}

// each calls do with the pieces of an answer's body, as they came and as content.
func (s *session) each(a *answered, do func(raw, data []byte) error) error {
	b := body{from: s.back, frames: a.frames, left: a.length}
	for {
		raw, data, done, err := b.next(s.done)
		if err != nil {
			return err
		}
		if err := do(raw, data); err != nil || done {
			return err
		}
	}
}

// tunnel carries what two sides say to each other after an upgrade, until one of them ends.
func (s *session) tunnel(r *asked, a *answered) {
	<-r.uploaded
	if s.toClient(a.head) != nil {
		return
	}
	s.parts.Go(func() {
		defer s.end()
		s.pump(s.in, s.back)
	})
	s.pump(s.back, s.in)
}

func (s *session) pump(from, to *feed) {
	for {
		if s.write(to.conn, from.buf) != nil {
			return
		}
		from.buf = from.buf[:0]
		if from.more(s.done) != nil {
			return
		}
	}
}

// withGarbage puts a line of random bytes behind the status line: never a line end, and always one byte that no field
// may have.
func withGarbage(head []byte, seed uint64, h hit) []byte {
	dice := fault.Dice(seed, h.n, h.text+" draw")
	line := make([]byte, h.Bytes)
	for i := range line {
		for line[i] = byte(dice.Uint32()); line[i] == '\r' || line[i] == '\n'; {
			line[i] = byte(dice.Uint32())
		}
	}
	line[len(line)/2] = 0
	first := bytes.IndexByte(head, '\n') + 1
	return slices.Concat(head[:first], line, []byte("\r\n"), head[first:])
}

// reframed states another length of the body, or none, in a head.
func reframed(head []byte, statement string) []byte {
	var out []byte
	for line := range bytes.SplitAfterSeq(head, []byte("\n")) {
		name, _, _ := strings.Cut(string(line), ":")
		if strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "Transfer-Encoding") || strings.EqualFold(name, "Trailer") {
			continue
		}
		if string(line) == "\r\n" {
			out = append(out, statement...)
		}
		out = append(out, line...)
	}
	return out
}
