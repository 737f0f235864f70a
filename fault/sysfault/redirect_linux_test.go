package sysfault_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"holdfast/fault/internal/faulttest"
	"holdfast/fault/sysfault"
)

// says is a server that greets each connection with its name, and repeats lines.
func says(t *testing.T, name string) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			_, _ = fmt.Fprintln(c, name)
			go func() { _, _ = io.Copy(c, c) }() // ends with the connection
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	addr, _ := l.Addr().(*net.TCPAddr)
	return addr.Port
}

// greeted connects to a port and returns who answered there.
func greeted(ctx context.Context, t *testing.T, port int, d *net.Dialer) (net.Conn, string) {
	t.Helper()
	c, err := d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(faulttest.Patience)); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return c, line
}

func TestRedirectSendsAPortElsewhereUntilItIsTakenBack(t *testing.T) {
	t.Parallel()
	root(t)
	own, proxy := says(t, "real"), says(t, "proxy")
	run(t, func(ctx context.Context, d *sysfault.Driver) {
		old, _ := greeted(ctx, t, own, &net.Dialer{})
		revert := inject(ctx, t, d, sysfault.Redirect{Port: own, To: proxy})
		if _, who := greeted(ctx, t, own, &net.Dialer{}); who != "proxy\n" {
			t.Errorf("it is %q that answers", who)
		}
		if _, who := greeted(ctx, t, own, &net.Dialer{Control: sysfault.Bypass}); who != "real\n" {
			t.Errorf("past the redirection %q answers", who)
		}
		_, _ = old.Write([]byte("x\n")) // it fails, or the read does
		if n, err := old.Read(make([]byte, 9)); err == nil {
			t.Errorf("a connection that was there before brings %d bytes", n)
		}
		if left := d.Left(); len(left) != 0 {
			t.Errorf("what is in force counts as left: %v", left)
		}
		revert()
		if _, who := greeted(ctx, t, own, &net.Dialer{}); who != "real\n" {
			t.Errorf("taken back, %q answers", who)
		}
		if left := d.Left(); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}
