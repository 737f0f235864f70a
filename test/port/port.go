// Package port finds TCP ports for tests: ports that stay free for a server that starts later, and ports where nobody
// listens.
//
// A port the system chose that was closed again is nobody's: the next listener or outgoing connection may get it while
// initdb is still at work, or be the answer a test took for a refusal.
package port

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The window lies below the ports that systems give to connections and listeners (32768 and up on Linux, 49152 on macOS),
// and below those of the process driver, so only who asks here gets one of it.
const (
	windowFrom = 10240
	windowTo   = 19999
)

// Free returns a port of 127.0.0.1 that nobody listens at, and that the system gives to nobody.
func Free() (int, error) {
	for range 100 {
		n := windowFrom + rand.IntN(windowTo-windowFrom+1)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(n)))
		if err != nil {
			continue // taken
		}
		return n, l.Close()
	}
	return 0, errors.New("no free port found in a hundred tries")
}

// Refusing returns an address, host:port, that refuses connections until the test ends. The port is the near end of a
// connection, so no listener can get it.
func Refusing(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}
	c, err := d.DialContext(tb.Context(), "tcp", l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = c.Close() // it carried nothing
		_ = l.Close() // as above
	})
	return c.LocalAddr().String()
}
