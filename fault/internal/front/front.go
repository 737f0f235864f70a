// Package front accepts the connections of the fault proxies.
package front

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Door accepts connections. Its counts may be read at any time.
type Door struct {
	Listener net.Listener
	Max      int64 // open connections; further ones are reset

	Accepted, Open, Refused atomic.Int64
}

// Dialer is how connections to the upstream are opened: by dial, or to the address upstream, one of which is given.
func Dialer(l net.Listener, upstream string, dial func(ctx context.Context) (net.Conn, error)) (func(ctx context.Context) (net.Conn, error), error) {
	switch {
	case l == nil:
		return nil, errors.New("Listener is missing") //nolint:staticcheck // it is the name of a field
	case (upstream == "") == (dial == nil):
		return nil, errors.New("want either Upstream or Dial")
	case dial != nil:
		return dial, nil
	}
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", upstream)
	}, nil
}

const (
	pauseFirst = 5 * time.Millisecond
	pauseLast  = time.Second
)

// Run gives each connection to serve, in a goroutine of its own and with its number from 1, until ctx ends, which is no
// error. It closes the listener, and returns when all calls of serve have; their context has ended by then. beside runs at
// the same time, in a goroutine of its own too.
func (d *Door) Run(ctx context.Context, beside func(context.Context), serve func(ctx context.Context, id uint64, c net.Conn)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = d.Listener.Close() })
	defer stop()
	var all sync.WaitGroup
	all.Go(func() { beside(ctx) })
	err := d.accept(ctx, func(id uint64, c net.Conn) {
		all.Go(func() {
			defer d.Open.Add(-1)
			serve(ctx, id, c)
		})
	})
	_ = d.Listener.Close()
	cancel()
	all.Wait()
	return err
}

func (d *Door) accept(ctx context.Context, serve func(uint64, net.Conn)) error {
	pause := pauseFirst
	for id := uint64(1); ; {
		c, err := d.Listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = c.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept connections to break: %w", err)
		case err != nil: // out of file descriptors, most likely
			Rest(ctx, pause)
			pause = min(2*pause, pauseLast)
			continue
		}
		pause = pauseFirst
		d.Accepted.Add(1)
		if d.Open.Add(1) > d.Max {
			d.Open.Add(-1)
			d.Refused.Add(1)
			Abort(c)
			continue
		}
		serve(id, c)
		id++
	}
}

// Rest waits for d; false: ctx ended before.
func Rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Abort closes a connection so that its peer gets RST.
func Abort(c net.Conn) {
	if t, ok := c.(interface{ SetLinger(sec int) error }); ok {
		_ = t.SetLinger(0) // closed already is as good
	}
	_ = c.Close()
}
