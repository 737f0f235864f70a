package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// TCPConfig describes a TCP check.
type TCPConfig struct {
	// Address is host:port. Required.
	Address string
	// Timeout bounds a check. 0 is the context's deadline, or 2s when it has none.
	Timeout time.Duration
	// DialContext opens connections; nil dials directly.
	DialContext Dialer
}

// TCP checks that the target accepts a connection, which it closes at once. It
// proves less than the other checks: the kernel accepts connections for a
// frozen process too.
type TCP struct {
	address string
	timeout time.Duration
	dial    Dialer
}

var _ Checker = (*TCP)(nil)

// NewTCP returns the check, or an error naming the field that is wrong.
func NewTCP(c TCPConfig) (*TCP, error) {
	if err := checkAddress(c.Address); err != nil {
		return nil, fmt.Errorf("tcp check: %w", err)
	}
	return &TCP{address: c.Address, timeout: c.Timeout, dial: directly(c.DialContext)}, nil
}

func checkAddress(address string) error {
	if address == "" {
		return errors.New("the address is missing")
	}
	if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
		return fmt.Errorf("address %q is not host:port", address)
	}
	return nil
}

// Check connects and disconnects.
func (t *TCP) Check(ctx context.Context) Result {
	start := time.Now()
	deadline := deadlineOf(ctx, t.timeout, start)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	c, err := t.dial(ctx, "tcp", t.address)
	if err != nil {
		return timed(failed("connect: "+cause(ctx, err, deadline.Sub(start))), start)
	}
	_ = c.Close() // being connected was the question
	return timed(Result{OK: true, Reason: "connect: accepted"}, start)
}
