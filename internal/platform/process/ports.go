package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
)

// The window free ports are taken from when the operator named none. It lies
// below the ports the kernel gives to outgoing connections (32768 and up on
// Linux): while an instance is down, a connection of the gateway could take its
// port, and a check could even connect to itself.
const (
	windowFrom = 20000
	windowTo   = 31999
)

// portSource finds ports that nobody listens on and no other driver on this
// machine has taken.
type portSource struct {
	window Range
	random bool // begin anywhere in the window, so that drivers rarely meet
}

func newPortSource(r Range) portSource {
	if r != (Range{}) {
		return portSource{window: r}
	}
	to := windowTo
	if from := ephemeralFrom(); from <= windowTo {
		to = from - 1
	}
	return portSource{window: Range{From: windowFrom, To: to}, random: true}
}

// take finds a free port and holds it until hold is closed.
func (p portSource) take(ctx context.Context) (port int, hold io.Closer, err error) {
	size := max(p.window.To-p.window.From+1, 0)
	offset := 0
	if p.random && size > 0 {
		offset = rand.IntN(size)
	}
	for i := range size {
		port := p.window.From + (offset+i)%size
		if hold, err := holdPort(ctx, port); err == nil {
			if portFree(ctx, port) {
				return port, hold, nil
			}
			_ = hold.Close()
		}
	}
	if p.random {
		return takeKernelPort(ctx)
	}
	return 0, nil, p.noneFree()
}

func (p portSource) noneFree() error {
	if p.window.From == p.window.To {
		return fmt.Errorf("port %d is taken by another program; see which with `ss -ltnp 'sport = :%[1]d'`, end it, or give another port", p.window.From)
	}
	return fmt.Errorf("no port of %d-%d is free; end what listens there, or give a wider range", p.window.From, p.window.To)
}

// takeKernelPort is the way out where outgoing connections use every port.
func takeKernelPort(ctx context.Context) (int, io.Closer, error) {
	for range 20 {
		l, err := listenLoopback(ctx, 0)
		if err != nil {
			return 0, nil, fmt.Errorf("find a free port: %w", err)
		}
		addr, ok := l.Addr().(*net.TCPAddr)
		_ = l.Close() // only its port was wanted
		if !ok {
			break
		}
		if hold, err := holdPort(ctx, addr.Port); err == nil {
			return addr.Port, hold, nil
		}
	}
	return 0, nil, errors.New("find a free port: the kernel offers none that is not taken")
}

// portFree says whether a child could listen on the port.
func portFree(ctx context.Context, port int) bool {
	l, err := listenLoopback(ctx, port)
	if err != nil {
		return false
	}
	_ = l.Close() // nothing was accepted
	return true
}

func listenLoopback(ctx context.Context, port int) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}
