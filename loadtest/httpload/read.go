package httpload

import (
	"errors"
	"io"

	"holdfast/internal/http1"
	"holdfast/loadtest"
)

// errSurplus: the target sent more than the answer.
var errSurplus = errors.New("the target sent bytes behind its answer")

// exchange sends a request and reads its answer to the end.
func (u *user) exchange(s *loadtest.Shot, r *request, c *conn, out []byte) error {
	if s.Written == 0 {
		s.Written = max(s.Now(), 1)
	}
	if err := u.send(s, c, out); err != nil {
		return err
	}
	head, err := u.readHead(s, r, c)
	if err != nil {
		return err
	}
	verdict := u.judgeHead(s, r)
	reusable := u.answer.response.Reusable()
	if err := u.readBody(s, r, c, head); err != nil {
		return err
	}
	s.Done = s.Now()
	if s.Class = verdict; verdict == loadtest.OK {
		s.Class = r.checks.Body(u.answer.kept, u.answer.whole)
	}
	if c.left > 0 {
		c.left--
	}
	if !reusable || u.client.config.NoKeepAlive || c.left == 0 {
		u.drop(c)
	}
	return nil
}

// send writes a request, or what Send left of it.
func (u *user) send(s *loadtest.Shot, c *conn, out []byte) error {
	if err := u.ahead.trouble; err != nil {
		u.ahead.trouble = nil
		return err
	}
	if len(out) == 0 {
		return nil
	}
	n, err := c.Write(out)
	s.BytesOut += int64(n)
	return err
}

// more reads what there is into the rest of the buffer.
func (u *user) more(s *loadtest.Shot, c *conn) error {
	n, err := u.receive(c)
	if n > 0 {
		u.answer.have += n
		s.BytesIn += int64(n)
		return nil // an error comes again
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// lender has room for bytes that are about to be read, and takes it back when there are none.
type lender interface {
	room() []byte
	unused()
}

// lentReader is a connection that knows when there is something to read.
type lentReader interface {
	ReadLent(from lender) (int, error)
}

// receive reads into the room for the answer.
func (u *user) receive(c *conn) (int, error) {
	if r, knows := c.Conn.(lentReader); knows {
		return r.ReadLent(u)
	}
	return c.Read(u.room())
}

// readHead reads until the final head is there and returns its length.
func (u *user) readHead(s *loadtest.Shot, r *request, c *conn) (int, error) {
	for {
		if u.heard() {
			n, err := u.answer.head(r.head)
			if n > 0 {
				s.Status = u.answer.response.Status()
			}
			if n > 0 || err != nil {
				return n, err
			}
		}
		if err := u.more(s, c); err != nil {
			return 0, err
		}
	}
}

// head returns the length of the final head, or 0 and room for more of it. to says that the request was a HEAD.
func (a *answer) head(to bool) (int, error) {
	for a.have > 0 {
		n, err := a.response.Parse(a.in[:a.have], to)
		switch status := a.response.Status(); {
		case err != nil:
			return 0, err
		case n == 0:
			if a.have == len(a.in) {
				a.in = append(a.in, make([]byte, len(a.in))...) // the parser refuses more than maxHead
			}
			return 0, nil
		case status >= 200 || status == 101:
			return n, nil
		}
		a.have = copy(a.in, a.in[n:a.have]) // 1xx: the final one follows
		a.response.Reset(limits())
	}
	return 0, nil
}

// readBody reads what the head announces.
func (u *user) readBody(s *loadtest.Shot, r *request, c *conn, head int) error {
	a := u.answer
	a.kept, a.whole = a.kept[:0], true
	rest := a.in[head:a.have]
	switch a.response.Framing() {
	case http1.NoBody:
		if len(rest) > 0 {
			return errSurplus
		}
		return nil
	case http1.Sized:
		left := a.response.Length() - int64(len(rest))
		if left < 0 {
			return errSurplus
		}
		u.keep(r, rest)
		return u.stream(s, c, left, func(b []byte) (bool, error) {
			u.keep(r, b)
			return false, nil
		})
	case http1.UntilClose:
		u.keep(r, rest)
		err := u.stream(s, c, -1, func(b []byte) (bool, error) {
			u.keep(r, b)
			return false, nil
		})
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	case http1.Chunked:
		a.chunks.Reset()
		done, err := u.chunk(r, rest)
		if done || err != nil {
			return err
		}
		return u.stream(s, c, -1, func(b []byte) (bool, error) { return u.chunk(r, b) })
	}
	return nil
}

// chunk takes a piece of a chunked body.
func (u *user) chunk(r *request, b []byte) (done bool, err error) {
	chunks := &u.answer.chunks
	for len(b) > 0 && !chunks.Done() {
		data, n, err := chunks.Next(b)
		if err != nil {
			return false, err
		}
		u.keep(r, data)
		b = b[n:]
	}
	if len(b) > 0 {
		return false, errSurplus
	}
	return chunks.Done(), nil
}

func (u *user) keep(r *request, b []byte) {
	if !r.keeps {
		return
	}
	a, most := u.answer, u.client.config.CheckBytes
	room := most - len(a.kept)
	a.whole = a.whole && len(b) <= room
	a.kept = append(a.kept, b[:min(len(b), max(room, 0))]...)
}

// large bodies are read into one of these, so that a user does not hold one all the time.
const largeBuffer = 64 << 10

// stream reads left bytes of a body, or until take has enough or the connection ends when left is -1.
func (u *user) stream(s *loadtest.Shot, c *conn, left int64, take func([]byte) (bool, error)) error {
	room := u.answer.in // what was in it has been taken
	if left < 0 && u.answer.have > len(room)/2 || left > int64(4*len(room)) {
		large, _ := u.client.large.Get().(*[largeBuffer]byte)
		defer u.client.large.Put(large)
		room = large[:]
	}
	for left != 0 {
		want := room
		if left > 0 && left < int64(len(room)) {
			want = room[:left]
		}
		n, err := c.Read(want)
		s.BytesIn += int64(n)
		if n == 0 && err != nil {
			return err
		}
		if left > 0 {
			left -= int64(n)
		}
		done, err := take(want[:n])
		if done || err != nil {
			return err
		}
	}
	return nil
}
