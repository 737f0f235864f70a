//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Client is connections to one target, spread over threads. Not for use by
// several goroutines at once.
type Client struct {
	target  Target
	workers []*worker
}

// Result is what a stretch of load saw.
type Result struct {
	Requests int // answered
	Took     time.Duration
	sorted   []time.Duration
}

// Rate is answers per second.
func (r *Result) Rate() float64 { return float64(r.Requests) / r.Took.Seconds() }

// Percentile returns the latency that share of the requests (0.5, 0.99) stayed
// below; 0 when there were none.
func (r *Result) Percentile(share float64) time.Duration {
	if len(r.sorted) == 0 {
		return 0
	}
	return r.sorted[min(int(share*float64(len(r.sorted))), len(r.sorted)-1)]
}

// dialTimeout bounds one connection with its first exchange.
const dialTimeout = 20 * time.Second

// Connect opens connections and sends each one's Hello. It gives back what it
// has opened when one of them fails.
func Connect(ctx context.Context, t Target, connections, threads int) (*Client, error) {
	c := &Client{target: t}
	for range min(threads, connections) {
		w, err := newWorker(t)
		if err != nil {
			c.Close()
			return nil, err
		}
		c.workers = append(c.workers, w)
	}
	for i := range connections {
		fd, err := dial(ctx, t)
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("open connection %d of %d: %w", i+1, connections, err)
		}
		if err := c.workers[i%len(c.workers)].add(fd); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// Close closes all connections.
func (c *Client) Close() {
	for _, w := range c.workers {
		w.close()
	}
}

// Closed has every connection send its next request when it has its answer.
func (c *Client) Closed(ctx context.Context, d time.Duration) (*Result, error) {
	return c.drive(ctx, pace{length: d})
}

// Open sends rate requests per second, whatever becomes of them. Where precise,
// a thread spins for the last 200 us before a request is due instead of
// sleeping through it, which only low rates can afford.
func (c *Client) Open(ctx context.Context, d time.Duration, rate float64, precise bool) (*Result, error) {
	p := pace{length: d, every: time.Duration(float64(time.Second) * float64(len(c.workers)) / rate)}
	if precise {
		p.spin = 200 * time.Microsecond
	}
	return c.drive(ctx, p)
}

func (c *Client) drive(ctx context.Context, p pace) (*Result, error) {
	var all sync.WaitGroup
	errs := make([]error, len(c.workers))
	for i, w := range c.workers {
		all.Go(func() {
			if err := w.drive(ctx, p, i, len(c.workers)); err != nil {
				errs[i] = fmt.Errorf("drive %s: %w", c.target.Addr, err)
			}
		})
	}
	all.Wait()
	r := &Result{Took: p.length}
	for _, w := range c.workers {
		r.sorted = append(r.sorted, w.latencies...)
	}
	r.Requests = len(r.sorted)
	slices.Sort(r.sorted)
	return r, errors.Join(errs...)
}

// dial opens a connection, sends Hello and waits for what answers it. The file
// descriptor it returns does not block.
func dial(ctx context.Context, t Target) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		return -1, err
	}
	defer conn.Close()
	if err := greet(conn, t); err != nil {
		return -1, err
	}
	return duplicate(conn)
}

func greet(conn net.Conn, t Target) error {
	if len(t.Hello) == 0 {
		return nil
	}
	if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return err
	}
	if _, err := conn.Write(t.Hello); err != nil {
		return err
	}
	buf := make([]byte, bufferSize)
	for n := 0; n < len(buf); {
		m, err := conn.Read(buf[n:])
		if err != nil {
			return err
		}
		n += m
		if whole, err := t.Frame(buf[:n]); err != nil || whole > 0 {
			return err
		}
	}
	return errTooLarge
}

// duplicate takes the connection away from the runtime's poller.
func duplicate(conn net.Conn) (int, error) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return -1, fmt.Errorf("connection %T: not TCP", conn)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	var failed error
	if err := raw.Control(func(own uintptr) {
		fd, failed = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return -1, err
	}
	return fd, failed
}
