package httpfault

import (
	"net"
	"slices"
	"time"

	"holdfast/internal/http1"
)

// feed reads one side of a session ahead, so that its end is noticed at any time and can be passed on. Its owner is the
// session; buf belongs to whoever reads from the feed at the time.
type feed struct {
	conn   net.Conn
	pieces chan []byte   // closed at the end
	ended  chan struct{} // closed with it
	err    error         // why; set before
	buf    []byte        // taken from pieces and not used yet
}

const (
	pieceSize = 32 << 10
	ahead     = 8 // pieces
)

func newFeed(c net.Conn) *feed {
	return &feed{conn: c, pieces: make(chan []byte, ahead), ended: make(chan struct{})}
}

// run reads until the connection ends, is silent for longer than idle, or the session is done.
func (f *feed) run(idle time.Duration, done <-chan struct{}) {
	defer close(f.ended)
	defer close(f.pieces)
	buf := make([]byte, pieceSize)
	for {
		_ = f.conn.SetReadDeadline(time.Now().Add(idle)) // the read tells
		n, err := f.conn.Read(buf)
		if n > 0 {
			select {
			case f.pieces <- slices.Clone(buf[:n]):
			case <-done:
				f.err = net.ErrClosed
				return
			}
		}
		if err != nil {
			f.err = err
			return
		}
	}
}

// take puts a piece from the channel behind what is left.
func (f *feed) take(piece []byte, ok bool) error {
	if !ok {
		return f.err
	}
	f.buf = append(f.buf, piece...)
	return nil
}

// more waits for more bytes.
func (f *feed) more(done <-chan struct{}) error {
	select {
	case piece, ok := <-f.pieces:
		return f.take(piece, ok)
	case <-done:
		return net.ErrClosed
	}
}

// drained says that the side has ended and all it sent was used.
func (f *feed) drained() bool { return len(f.buf) == 0 && len(f.pieces) == 0 }

// body reads the body of a message from a feed.
type body struct {
	from   *feed
	frames http1.Framing
	left   int64 // of a Sized body
	chunks http1.ChunkReader
}

// next returns the next bytes as they came, and what of them is content. Both are valid until the next call. done: the
// body is complete, with these bytes.
func (b *body) next(stop <-chan struct{}) (raw, data []byte, done bool, err error) {
	if b.frames == http1.NoBody || b.frames == http1.Sized && b.left == 0 {
		return nil, nil, true, nil
	}
	for {
		if raw, data, err = b.cut(); err != nil || len(raw) > 0 {
			b.from.buf = b.from.buf[len(raw):]
			return raw, data, b.over(), err
		}
		if err := b.from.more(stop); err != nil {
			if b.frames == http1.UntilClose && isEnd(err) {
				return nil, nil, true, nil
			}
			return nil, nil, false, err
		}
	}
}

// cut takes what there is of the body.
func (b *body) cut() (raw, data []byte, err error) {
	buf := b.from.buf
	switch b.frames {
	case http1.Sized:
		n := min(b.left, int64(len(buf)))
		b.left -= n
		return buf[:n], buf[:n], nil
	case http1.Chunked:
		data, used, err := b.chunks.Next(buf)
		return buf[:used], data, err
	case http1.UntilClose, http1.NoBody:
	}
	return buf, buf, nil
}

func (b *body) over() bool {
	switch b.frames {
	case http1.Sized:
		return b.left == 0
	case http1.Chunked:
		return b.chunks.Done()
	case http1.NoBody, http1.UntilClose:
	}
	return false
}
