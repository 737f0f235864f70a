package http1

import (
	"net"
	"os"
	"sync"
	"time"
)

// flow is one direction of a connection: what came and was not understood yet,
// and what was understood and not read yet.
type flow struct {
	raw    []byte
	used   int // of raw
	out    []byte
	read   int // of out
	body   Framing
	left   int64 // of a sized body
	chunks ChunkReader
	fault  error // behind what is in out
}

const (
	smallRaw = 2 << 10
	keptRaw  = 4 << 10 // a connection that waits for its next request holds no more
)

func (f *flow) bytes() []byte { return f.raw[f.used:] }
func (f *flow) have() int     { return len(f.raw) - f.used }

func (f *flow) use(n int) {
	if f.used += n; f.used == len(f.raw) {
		f.raw, f.used = f.raw[:0], 0
	}
}

// fill reads once. What comes first lands in spare, which the caller has at
// hand anyway, so that a connection on which nothing comes needs no buffer.
func (f *flow) fill(read func([]byte) (int, error), spare []byte) error {
	if len(f.raw) == 0 && len(spare) > 0 {
		n, err := read(spare)
		f.raw = append(f.raw, spare[:n]...)
		return unless(n, err)
	}
	if f.used > 0 {
		f.raw, f.used = append(f.raw[:0], f.bytes()...), 0
	}
	if len(f.raw) == cap(f.raw) {
		f.raw = append(make([]byte, 0, max(smallRaw, 2*cap(f.raw))), f.raw...)
	}
	n, err := read(f.raw[len(f.raw):cap(f.raw)])
	f.raw = f.raw[:len(f.raw)+n]
	return unless(n, err)
}

// unless puts an error off that came together with bytes: it comes again.
func unless(n int, err error) error {
	if n > 0 {
		return nil
	}
	return err
}

// take reads from what was understood.
func (f *flow) take(p []byte) int {
	n := copy(p, f.out[f.read:])
	if f.read += n; f.read == len(f.out) {
		f.out, f.read = f.out[:0], 0
	}
	return n
}

// begin readies for the body behind a head.
func (f *flow) begin(framing Framing, length int64) {
	f.body, f.left = framing, length
	if framing == Chunked {
		f.chunks.Reset()
	}
}

// passSized takes up to len(p) bytes of a sized body out of raw.
func (f *flow) passSized(p []byte) int {
	n := copy(p[:min(int64(len(p)), f.left)], f.bytes())
	f.use(n)
	f.left -= int64(n)
	return n
}

// passChunks writes what there is of a chunked body anew. The reader gets what
// stood before a fault first.
func (f *flow) passChunks() error {
	if f.fault != nil {
		return f.fault
	}
	data, used, err := f.chunks.Decode(f.bytes())
	if len(data) > 0 {
		f.out = append(append(AppendChunkHead(f.out, len(data)), data...), '\r', '\n')
	}
	f.use(used)
	if f.fault = err; err != nil && len(f.out) == 0 {
		return err
	}
	if f.chunks.Done() {
		f.out = AppendLastChunk(f.out, &f.chunks)
	}
	return nil
}

// slim lets go of large buffers.
func (f *flow) slim() {
	if f.have() == 0 && cap(f.raw) > keptRaw {
		f.raw, f.used = nil, 0
	}
	if f.read == len(f.out) && cap(f.out) > keptRaw {
		f.out, f.read = nil, 0
	}
}

// alarm is a deadline of which the earlier of two holds: the one the user of a
// connection sets, from any goroutine, and the one of who reads or writes it.
type alarm struct {
	set func(time.Time) error

	mu    sync.Mutex
	outer time.Time
	own   time.Time
	stirs chan struct{} // the outer one changed
}

func newAlarm(set func(time.Time) error) *alarm {
	return &alarm{set: set, stirs: make(chan struct{}, 1)}
}

// setOuter is SetReadDeadline or SetWriteDeadline.
func (a *alarm) setOuter(t time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.outer = t
	a.stir()
	return a.set(earlier(a.outer, a.own))
}

// setOwn holds until it is called again.
func (a *alarm) setOwn(t time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.own.Equal(t) {
		return nil
	}
	a.own = t
	return a.set(earlier(a.outer, a.own))
}

// isOwn says whether it was the own deadline that has passed.
func (a *alarm) isOwn(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.own.IsZero() && !now.Before(a.own) && (a.outer.IsZero() || now.Before(a.outer))
}

// stir ends a wait.
func (a *alarm) stir() {
	select {
	case a.stirs <- struct{}{}:
	default:
	}
}

// wait returns nil when the outer deadline may have changed.
func (a *alarm) wait() error {
	a.mu.Lock()
	at := a.outer
	a.mu.Unlock()
	if at.IsZero() {
		<-a.stirs
		return nil
	}
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-a.stirs:
		return nil
	case <-timer.C:
		return os.ErrDeadlineExceeded
	}
}

// earlier takes the zero time for never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// closeWrite ends one direction, where the connection can.
func closeWrite(c net.Conn) error {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok {
		return errNoHalf
	}
	return half.CloseWrite()
}

// drain reads what nobody wants until the other side ends or the deadline
// passes.
func drain(c net.Conn, spare []byte, until time.Time) {
	if len(spare) < smallRaw {
		spare = make([]byte, smallRaw)
	}
	if c.SetReadDeadline(until) != nil {
		return // it is closed
	}
	for {
		if _, err := c.Read(spare); err != nil {
			return
		}
	}
}
