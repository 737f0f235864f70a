package middleware

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	smallBuffer = 4 << 10
	largeBuffer = 32 << 10
)

// errWrite marks errors of the writing side of a pump.
var errWrite = errors.New("write")

// buffers are kept for pumps. A silent stream holds a small one.
type buffers struct{ small, large sync.Pool }

func (b *buffers) get(size int) *[]byte {
	if p, ok := b.pool(size).Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, size)
	return &p
}

func (b *buffers) put(p *[]byte) { b.pool(len(*p)).Put(p) }

func (b *buffers) pool(size int) *sync.Pool {
	if size == smallBuffer {
		return &b.small
	}
	return &b.large
}

// pump moves bytes from one side to the other.
type pump struct {
	buffers *buffers
	buf     *[]byte
	turn    func(reader bool) // told when the turn passes to the side that takes the bytes, or back
	moved   int64
}

func (b *buffers) pump(turn func(reader bool)) *pump {
	return &pump{buffers: b, buf: b.get(smallBuffer), turn: turn}
}

func (p *pump) release() { p.buffers.put(p.buf) }

// run returns nil at the end of src, errWrite when dst is at fault, and src's
// error otherwise.
func (p *pump) run(dst io.Writer, src io.Reader) error {
	flusher, _ := dst.(interface{ Flush() error })
	for {
		n, err := src.Read(*p.buf)
		p.moved += int64(n)
		if n > 0 {
			p.turn(true)
			if werr := write(dst, (*p.buf)[:n], flusher, err == nil); werr != nil {
				return werr
			}
			p.turn(false)
		}
		if err != nil {
			if isEOF(err) {
				err = nil
			}
			return err
		}
		p.grow(n)
	}
}

func write(dst io.Writer, b []byte, flusher interface{ Flush() error }, more bool) error {
	_, err := dst.Write(b)
	if err == nil && more && flusher != nil {
		err = flusher.Flush()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errWrite, err)
	}
	return nil
}

// grow takes a large buffer once a read filled the small one.
func (p *pump) grow(n int) {
	if n == smallBuffer && len(*p.buf) == smallBuffer {
		p.buffers.put(p.buf)
		p.buf = p.buffers.get(largeBuffer)
	}
}
