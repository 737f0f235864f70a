package fault

import (
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"time"
)

// lane is one direction of a connection. Its reader notes when bytes came, its writer delivers them; between them is a
// bounded queue, so that bytes under way to a slow end hold up the one who sends them, as in a network.
type lane struct {
	pair     *pair
	way      Direction
	src, dst net.Conn
	queue    chan chunk
	count    *atomic.Int64

	// The writer's.
	passed    int64     // bytes delivered
	next      time.Time // when the rate lets the next byte pass
	swallowed bool      // bytes were lost: there is no way back
}

// chunk is bytes that came together, or how the source ended.
type chunk struct {
	data []byte
	at   time.Time
	end  error
	plan *lanePlan // for which due was drawn
	due  time.Time
}

const (
	readSize  = 32 << 10
	queueSize = 128 // chunks
)

func newLane(c *pair, way Direction, src, dst net.Conn, count *atomic.Int64) *lane {
	return &lane{pair: c, way: way, src: src, dst: dst, queue: make(chan chunk, queueSize), count: count}
}

func (l *lane) read() {
	defer close(l.queue)
	buf := make([]byte, readSize)
	for {
		n, err := l.src.Read(buf)
		if n > 0 && !l.put(chunk{data: slices.Clone(buf[:n]), at: time.Now()}) {
			return
		}
		if err != nil {
			l.put(chunk{end: err, at: time.Now()})
			return
		}
	}
}

func (l *lane) put(c chunk) bool {
	select {
	case l.queue <- c:
		return true
	case <-l.pair.done:
		return false
	}
}

func (l *lane) write() {
	for c := range l.queue {
		if !l.deliver(&c) {
			return
		}
	}
}

// deliver brings a chunk across piece by piece; what is in force is looked at anew for each. False: the direction has
// come to its end.
func (l *lane) deliver(c *chunk) bool {
	for {
		p, ok := l.await(c)
		switch {
		case !ok:
			return false
		case p.swallow:
			l.swallowed = true
			return true
		case l.swallowed:
			l.pair.endBy(true, Fault{Kind: HalfOpen, Direction: l.way}, "over; the connection that lost bytes is reset")
			return false
		case c.end != nil:
			l.finish(c.end)
			return false
		case !l.send(p, c):
			return false
		case len(c.data) == 0:
			return true
		}
	}
}

// await waits until a chunk is due and nothing holds it.
func (l *lane) await(c *chunk) (*lanePlan, bool) {
	for {
		all := l.pair.plan()
		if l.pair.resetIfDue(all) {
			return nil, false
		}
		p := all.lane(l.way)
		if c.plan != p {
			c.plan, c.due = p, c.at.Add(p.delay())
		}
		if p.hold {
			select {
			case <-p.changed:
				continue
			case <-l.pair.done:
				return nil, false
			}
		}
		wait := time.Until(c.due)
		if wait <= 0 {
			return p, true
		}
		if !l.pause(wait, p.changed) {
			return nil, false
		}
	}
}

// pause waits for d, or less when changed says that something else may hold. False: the connection has ended.
func (l *lane) pause(d time.Duration, changed <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-changed:
		return true
	case <-l.pair.done:
		return false
	}
}

// send writes one piece of a chunk. False: the connection has ended.
func (l *lane) send(p *lanePlan, c *chunk) bool {
	n, pause := p.piece(len(c.data), l.passed)
	if n > 0 {
		m, err := l.dst.Write(c.data[:n])
		l.passed += int64(m)
		l.count.Add(int64(m))
		if err != nil {
			l.pair.end(true)
			return false
		}
		c.data = c.data[n:]
	}
	if f, ok := p.ended(l.passed); ok {
		return l.strike(p, f)
	}
	if len(c.data) == 0 {
		pause = 0
	}
	if wait := max(pause, l.owed(p, n)); wait > 0 {
		return l.pause(wait, p.changed)
	}
	return true
}

// owed says how long n bytes take at the rate. What a late timer lost is made up, up to one step.
func (l *lane) owed(p *lanePlan, n int) time.Duration {
	if p.rate == 0 {
		return 0
	}
	now := time.Now()
	if earliest := now.Add(-paceStep); l.next.Before(earliest) {
		l.next = earliest
		if l.passed == int64(n) {
			l.next = now // no credit for a connection that just began
		}
	}
	l.next = l.next.Add(time.Duration(float64(n) / float64(p.rate) * float64(time.Second)))
	return l.next.Sub(now)
}

// strike ends the connection as f says. True: f was taken back while it waited.
func (l *lane) strike(p *lanePlan, f Fault) bool {
	if f.Delay.Mean > 0 {
		if !l.pause(f.Delay.Mean, p.changed) {
			return false
		}
		select {
		case <-p.changed:
			return true
		default:
		}
	}
	if f.Kind == Reset {
		l.pair.kill(f)
	} else {
		l.pair.endBy(false, f, "connection closed")
	}
	return false
}

// finish passes on how the source ended: in order, or not.
func (l *lane) finish(err error) {
	if !errors.Is(err, io.EOF) {
		l.pair.end(true)
		return
	}
	half, ok := l.dst.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		l.pair.end(false)
		return
	}
	l.pair.laneEnded()
}
