package http1_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A large answer, of which a part is still on its way when the connection is
// closed: no more than lets the gateway's system ask for what is left of it.
const (
	largeAnswer = 2 << 20
	onItsWay    = 24 << 10
)

// largeRig is loops in front of an instance with a large answer.
func largeRig(t *testing.T) (r *rig, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", largeAnswer) + strings.Repeat("x", largeAnswer)
	return newRig(t, setup{}, instance(t, func(c net.Conn, b *bufio.Reader) {
		for {
			if _, _, ok := request(b); !ok {
				return
			}
			asked.Add(1)
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	})), asked
}

// dialSmall is dial for a client whose system takes little at a time.
func (r *rig) dialSmall() *client {
	r.t.Helper()
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		outer := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 16<<10) })
		if outer != nil {
			return outer
		}
		return err
	}}
	conn, err := d.DialContext(r.t.Context(), "tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return &client{r.t, conn, bufio.NewReader(conn)}
}

// most reads an answer but for what may be on its way, and waits for the
// loop's end of it.
func (c *client) most(r *rig) {
	c.t.Helper()
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatal(err)
		}
		if line == "\r\n" {
			break
		}
	}
	if _, err := io.CopyN(io.Discard, c.r, largeAnswer-onItsWay); err != nil {
		c.t.Fatal(err)
	}
	await(c.t, "end of the exchange", func() bool { return len(r.machine.Records().Last(1, nil)) == 1 })
}

// rest reads the rest of the answer, and the connection's end.
func (c *client) rest() {
	c.t.Helper()
	if n, err := io.Copy(io.Discard, c.r); err != nil || n != onItsWay {
		c.t.Errorf("%d bytes of the last %d came, then %v", n, onItsWay, err)
	}
}

func TestAClientThatSaidItClosesIsClosedAtOnceAndGetsAll(t *testing.T) {
	t.Parallel()
	least := time.Duration(1<<63 - 1)
	for range 5 { // on a busy machine a look may come late
		r, _ := largeRig(t)
		c := r.dialSmall()
		c.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		c.most(r)
		ended := time.Now()
		await(t, "close", func() bool { return orphaned(t, r.addr, c.LocalAddr().String()) })
		least = min(least, time.Since(ended))
		c.rest()
		if least < 500*time.Millisecond {
			return
		}
	}
	t.Errorf("it was closed after %v, as if it had more to say", least)
}

// orphaned says whether a program has closed its end of a connection that is
// still there.
func orphaned(t *testing.T, here, there string) bool {
	t.Helper()
	all, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	ends := kernelName(here) + " " + kernelName(there)
	for line := range strings.Lines(string(all)) {
		if strings.Contains(line, ends) {
			fields := strings.Fields(line)
			return len(fields) > 9 && fields[9] == "0" // the descriptor's inode
		}
	}
	return false
}

// kernelName is how /proc writes an address.
func kernelName(addr string) string {
	a := netip.MustParseAddrPort(addr)
	ip := a.Addr().As4()
	slices.Reverse(ip[:])
	return fmt.Sprintf("%X:%04X", ip, a.Port())
}

func TestWhatFollowsAClosingRequestDoesNotCostItsAnswer(t *testing.T) {
	t.Parallel()
	const closing, second = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET /second HTTP/1.1\r\nHost: a\r\n\r\n"
	for name, c := range map[string]struct{ with, during string }{
		"together with it":     {second, ""},
		"a part of it":         {second[:10], ""},
		"while it is answered": {"", second},
		"all the time":         {strings.Repeat(second, 100), strings.Repeat(second, 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, asked := largeRig(t)
			client := r.dialSmall()
			client.send(closing + c.with)
			if _, err := client.r.Peek(1); err != nil {
				t.Fatal(err)
			}
			client.send(c.during)
			client.most(r)
			client.rest()
			if n := asked.Load(); n != 1 {
				t.Errorf("%d requests reached the instance, want 1", n)
			}
		})
	}
}
