package process

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"holdfast/internal/child"
	"holdfast/internal/platform"
)

const (
	readyFirst = 2 * time.Millisecond   // between the first tries
	readyLast  = 100 * time.Millisecond // and the last ones
	readyShare = 64                     // of the time that has passed, in between
)

// awaitReady waits until the child accepts a connection on its port. failure
// is one sentence; it is "" when the child is ready and when ctx ended first.
func (s *slot) awaitReady(ctx context.Context, c *child.Process) (failure string) {
	began := time.Now()
	timeout := time.NewTimer(s.d.spec.ReadyTimeout)
	defer timeout.Stop()
	for {
		if accepts(ctx, s.port) && !c.Gone() {
			return ""
		}
		s.set(func(*platform.Instance) {}) // a spare may have become an instance meanwhile
		// Requests may be waiting: what a look is late is little beside the start.
		timer := time.NewTimer(min(max(time.Since(began)/readyShare, readyFirst), readyLast))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ""
		case <-c.Exited():
			timer.Stop()
			failure := "not ready: it " + c.DescribeEnd(time.Since(began), s.out.Last())
			if c.ExitCode() == 0 { // the way of daemons, whose other half would be left over at each restart
				failure += "; a program that goes into the background must be told to stay in the foreground"
			}
			return failure
		case <-timeout.C:
			timer.Stop()
			return s.notReady(c)
		}
	}
}

// notReady adds what is known about why nobody answers.
func (s *slot) notReady(c *child.Process) string {
	failure := fmt.Sprintf("not ready: port %d accepted no connection within %s", s.port, s.d.spec.ReadyTimeout)
	if ports := listeningPorts(c.PID()); len(ports) > 0 {
		failure += fmt.Sprintf("; it listens on %s instead: pass {port} in the command, or have it read PORT and HOST", ports[0])
	} else if line := s.out.Last(); line != "" {
		failure += fmt.Sprintf("; its last output: %q", line)
	}
	return failure
}

// accepts connects once. A connection whose ends are the same is the kernel
// connecting the socket to itself, not a listener.
func accepts(ctx context.Context, port int) bool {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	self := conn.LocalAddr().String() == conn.RemoteAddr().String()
	_ = conn.Close() // nothing was sent
	return !self
}
