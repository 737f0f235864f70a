package httpload_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/httpload"
)

// fullUp is the URL of a port whose queue of connections is full, so that no more come to be.
func fullUp(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 10 {
		c, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
		if err != nil {
			return "http://" + address
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the queue takes any number of connections")
	return ""
}

func TestATargetThatTakesNoConnectionIsUnreachableAfterTheTimeToConnect(t *testing.T) {
	t.Parallel()
	r := run(t, httpload.Config{Requests: get(fullUp(t)), ConnectTimeout: 50 * time.Millisecond}, 1)
	if r.Total.Counts[loadtest.Unreachable] != 1 || !strings.HasSuffix(r.Errors[loadtest.Unreachable], "i/o timeout") {
		t.Errorf("counted %v, want it unreachable; %v", r.Total.Counts, r.Errors)
	}
}

func TestInterruptEndsAConnectionAttempt(t *testing.T) {
	t.Parallel()
	client, err := httpload.New(httpload.Config{Requests: get(fullUp(t)), ConnectTimeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	u, err := client.NewUser(0)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	done := make(chan loadtest.Shot, 1)
	go func() {
		var s loadtest.Shot
		u.Do(t.Context(), &s)
		done <- s
	}()
	for { // an Interrupt before Do has begun belongs to none, and would be forgotten
		u.Interrupt()
		select {
		case s := <-done:
			if s.Class != loadtest.Unreachable || s.Err == nil {
				t.Errorf("it ended as %v, %v", s.Class, s.Err)
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
}

func TestWhatFailedToConnectLeavesNoFileOpen(t *testing.T) { //nolint:paralleltest // it counts the files of the process
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed, full := "http://"+l.Addr().String(), fullUp(t)
	l.Close()
	before := files(t)
	for _, url := range []string{closed, full} {
		client, err := httpload.New(httpload.Config{Requests: get(url), ConnectTimeout: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		u, err := client.NewUser(0)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			var s loadtest.Shot
			if u.Do(t.Context(), &s); s.Class != loadtest.Refused && s.Class != loadtest.Unreachable {
				t.Fatalf("%s ended as %v: %v", url, s.Class, s.Err)
			}
		}
		u.Close()
	}
	if grown := files(t) - before; grown > 10 {
		t.Errorf("%d more files are open", grown)
	}
}

func files(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestIPv6IsSpoken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Log("this machine has no IPv6:", err)
		return
	}
	go serveOnce(l)
	defer l.Close()
	r := run(t, httpload.Config{Requests: get("http://" + l.Addr().String())}, 3)
	if r.Total.Counts[loadtest.OK] != 3 {
		t.Errorf("counted %v; %v", r.Total.Counts, r.Errors)
	}
}

// serveOnce takes one connection and answers whatever comes on it.
func serveOnce(l net.Listener) {
	c, err := l.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	serveFixed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")(c, 0)
}
