package http1

import (
	"crypto/tls"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// Who comes and goes while all handshakes there may be are under way.
func TestNothingIsKeptOfClientsThatLeftBeforeTheirHandshake(t *testing.T) {
	t.Parallel()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	l, err := NewLoops(LoopsConfig{TLS: &tls.Config{}, Connections: 10, Handshakes: 1}).newLoop(ln) //nolint:gosec // nobody speaks it
	if err != nil {
		t.Fatal(err)
	}
	defer l.release()
	l.shaking = 1
	for range 1000 {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		l.load.Add(1)
		l.welcome(&arrival{fd: fds[0]})
		c := l.slots[fds[0]].client
		c.event(unix.EPOLLIN)
		if !c.knocks {
			t.Fatal("it does not wait")
		}
		_ = unix.Close(fds[1])
		if c.event(unix.EPOLLIN | pollGone); c.state != gone {
			t.Fatal("it is kept though it left")
		}
	}
	if n := len(l.knocking); n > 100 {
		t.Errorf("%d are kept", n)
	}
	if n := l.load.Load(); n != 0 {
		t.Errorf("%d count", n)
	}
}
