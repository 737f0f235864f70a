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
	if u.in == nil {
		u.in = make([]byte, firstBuffer)
	}
	head, err := u.readHead(s, r, c)
	if err != nil {
		return err
	}
	verdict := u.judgeHead(s, r)
	reusable := u.response.Reusable()
	if err := u.readBody(s, r, c, head); err != nil {
		return err
	}
	s.Done = s.Now()
	if s.Class = verdict; verdict == loadtest.OK {
		s.Class = r.checks.Body(u.kept, u.whole)
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
	n, err := c.Read(u.in[u.have:])
	u.have += n
	s.BytesIn += int64(n)
	if n > 0 {
		return nil // an error comes again
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// readHead reads until the final head is there and returns its length.
func (u *user) readHead(s *loadtest.Shot, r *request, c *conn) (int, error) {
	u.response.Reset(limits())
	for {
		n := 0
		var err error
		if u.have > 0 {
			n, err = u.response.Parse(u.in[:u.have], r.head)
		}
		switch {
		case err != nil:
			return 0, err
		case n > 0 && (u.response.Status() >= 200 || u.response.Status() == 101):
			s.Status = u.response.Status()
			return n, nil
		case n > 0: // 1xx: the final one follows
			u.have = copy(u.in, u.in[n:u.have])
			u.response.Reset(limits())
			continue
		}
		if u.have == len(u.in) {
			u.in = append(u.in, make([]byte, len(u.in))...) // the parser refuses more than maxHead
		}
		if err := u.more(s, c); err != nil {
			return 0, err
		}
	}
}

// readBody reads what the head announces.
func (u *user) readBody(s *loadtest.Shot, r *request, c *conn, head int) error {
	u.kept, u.whole = u.kept[:0], true
	rest := u.in[head:u.have]
	switch u.response.Framing() {
	case http1.NoBody:
		if len(rest) > 0 {
			return errSurplus
		}
		return nil
	case http1.Sized:
		left := u.response.Length() - int64(len(rest))
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
		u.chunks.Reset()
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
	for len(b) > 0 && !u.chunks.Done() {
		data, n, err := u.chunks.Next(b)
		if err != nil {
			return false, err
		}
		u.keep(r, data)
		b = b[n:]
	}
	if len(b) > 0 {
		return false, errSurplus
	}
	return u.chunks.Done(), nil
}

func (u *user) keep(r *request, b []byte) {
	if !r.keeps {
		return
	}
	room := u.client.config.CheckBytes - len(u.kept)
	u.whole = u.whole && len(b) <= room
	u.kept = append(u.kept, b[:min(len(b), max(room, 0))]...)
}

// large bodies are read into one of these, so that a user does not hold one all the time.
const largeBuffer = 64 << 10

// stream reads left bytes of a body, or until take has enough or the connection ends when left is -1.
func (u *user) stream(s *loadtest.Shot, c *conn, left int64, take func([]byte) (bool, error)) error {
	if left != 0 && len(u.in) < fullBuffer {
		u.in = make([]byte, fullBuffer) // what was in it has been taken
	}
	room := u.in
	if left < 0 && u.have > len(u.in)/2 || left > int64(4*len(u.in)) {
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
