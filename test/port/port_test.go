package port_test

import (
	"errors"
	"net"
	"strconv"
	"syscall"
	"testing"

	"holdfast/test/port"
)

func TestAServerCanListenAtAFreePort(t *testing.T) {
	t.Parallel()
	n, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(n)))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestAPortThatRefusesIsNobodyElses(t *testing.T) {
	t.Parallel()
	addr := port.Refusing(t)
	if l, err := net.Listen("tcp", addr); err == nil {
		t.Errorf("%s was to be had", l.Addr())
		_ = l.Close()
	}
	c, err := net.Dial("tcp", addr)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connect: %v, want it refused", err)
	}
	if c != nil {
		_ = c.Close()
	}
}
