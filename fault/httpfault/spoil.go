package httpfault

import (
	"errors"
	"fmt"

	"holdfast/internal/http1"
)

// maxHeld is how much of a body is kept to learn its length.
const maxHeld = 1 << 20

// spoil makes an answer of which the client must see that it is wrong.
func (s *session) spoil(r *asked, a *answered) bool {
	why := ""
	switch {
	case a.frames == http1.NoBody:
		why = "the answer has no body"
	case r.strike.Kind == BrokenChunk && r.minor == 0:
		why = "the client speaks HTTP/1.0, which has no chunks"
	case r.strike.Kind == Truncate && a.frames == http1.UntilClose:
		why = "the answer ends with its connection, so that a part is as good as the whole"
	}
	if why != "" {
		s.missed(r, why)
		return s.pass(r, a) && a.reuse && r.keep
	}
	switch r.strike.Kind { //nolint:exhaustive // these three
	case Truncate:
		return s.truncate(r, a)
	case BrokenChunk:
		return s.breakChunk(r, a)
	default:
		return s.misstate(r, a)
	}
}

var errEnough = errors.New("enough bytes")

// first calls do with the content of an answer's body until n bytes are through.
func (s *session) first(a *answered, n int64, do func(data []byte) error) error {
	err := s.each(a, func(_, data []byte) error {
		data = data[:min(n, int64(len(data)))]
		if n -= int64(len(data)); len(data) > 0 {
			if err := do(data); err != nil {
				return err
			}
		}
		if n == 0 {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// truncate ends the answer before its end, in order.
func (s *session) truncate(r *asked, a *answered) bool {
	n, write := r.strike.Bytes, s.toClient
	if a.frames == http1.Chunked {
		write = s.chunk
	} else {
		n = min(n, a.length-1)
	}
	err := s.toClient(a.head)
	if err == nil && n > 0 {
		err = s.first(a, n, write)
	}
	return s.spoilt(r, err, fmt.Sprintf("truncated after at most %d bytes", n))
}

// breakChunk sends the body in chunks and then what is none.
func (s *session) breakChunk(r *asked, a *answered) bool {
	err := s.toClient(reframed(a.head, "Transfer-Encoding: chunked\r\n"))
	if err == nil && r.strike.Bytes > 0 {
		err = s.first(a, r.strike.Bytes, s.chunk)
	}
	if err == nil {
		err = s.toClient([]byte("not a size\r\n"))
	}
	return s.spoilt(r, err, fmt.Sprintf("a broken chunk after at most %d bytes", r.strike.Bytes))
}

func (s *session) chunk(data []byte) error {
	b := http1.AppendChunkHead(make([]byte, 0, len(data)+http1.ChunkHead+2), len(data))
	return s.toClient(append(append(b, data...), "\r\n"...))
}

// misstate sends the whole body with another length than it has.
func (s *session) misstate(r *asked, a *answered) bool {
	var held []byte
	length := a.length
	if a.frames != http1.Sized {
		err := s.first(a, maxHeld+1, func(data []byte) error { held = append(held, data...); return nil })
		if err != nil || len(held) > maxHeld {
			s.missed(r, "the length of the body cannot be learned")
			return s.spoilt(r, errors.Join(err, errEnough), "")
		}
		length = int64(len(held))
	}
	stated := max(0, length+r.strike.Bytes)
	err := s.toClient(reframed(a.head, fmt.Sprintf("Content-Length: %d\r\n", stated)))
	if err == nil {
		err = s.toClient(held)
	}
	if err == nil && a.frames == http1.Sized {
		err = s.each(a, func(raw, _ []byte) error { return s.toClient(raw) })
	}
	going := s.spoilt(r, err, fmt.Sprintf("length stated as %d instead of %d", stated, length))
	return going || err == nil && stated < length && a.reuse && r.keep
}

// spoilt notes what was done; the session is over, which ends the connection in order, unless it broke before.
func (s *session) spoilt(r *asked, err error, what string) bool {
	if err != nil {
		s.failed(r, fmt.Errorf("spoil the answer: %w", err))
		return false
	}
	s.note(r, r.strike, what)
	return false
}
