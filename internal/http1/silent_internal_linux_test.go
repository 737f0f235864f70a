package http1

import (
	"testing"

	"golang.org/x/sys/unix"
)

func pair(tb testing.TB) (here, there int) {
	tb.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = unix.Close(fds[0]) })
	return fds[0], fds[1]
}

func TestAConnectionWithNewsIsNotSilent(t *testing.T) {
	t.Parallel()
	here, there := pair(t)
	if !silent(here) {
		t.Error("nothing has happened on it")
	}
	if _, err := unix.Write(there, []byte("x")); err != nil || silent(here) || silent(here) {
		t.Error("there is a byte on it, also after it was looked at", err)
	}
	here, there = pair(t)
	if err := unix.Close(there); err != nil || silent(here) {
		t.Error("the other side ended", err)
	}
}

// BenchmarkSilent is what a request costs more that may not be repeated.
func BenchmarkSilent(b *testing.B) {
	here, there := pair(b)
	defer func() { _ = unix.Close(there) }()
	b.ReportAllocs()
	for b.Loop() {
		if !silent(here) {
			b.Fatal("nothing has happened on it")
		}
	}
}
