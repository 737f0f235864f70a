//go:build linux

package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is a program under test with all its children.
type Process struct {
	Listen string // host:port
	cmd    *exec.Cmd
	ended  chan struct{} // closed when it has ended
	log    string
}

// command is what to start.
type command struct {
	program string
	args    []string
	env     []string // added to ours
	listen  string   // where it will accept
	log     string   // file of its output
}

// errEnded says that a program ended before it served.
var errEnded = errors.New("it ended")

// startTimeout bounds how long a program may take until it accepts.
const startTimeout = 20 * time.Second

// launch starts a program and waits until it accepts connections.
func launch(ctx context.Context, c command) (*Process, error) {
	out, err := os.Create(c.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()                                     //nolint:errcheck // the child has it
	cmd := exec.CommandContext(ctx, c.program, c.args...) //nolint:gosec // the bench's own programs
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(ownless(os.Environ()), c.env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.program, err)
	}
	p := &Process{Listen: c.listen, cmd: cmd, ended: make(chan struct{}), log: c.log}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // of no interest: it was told to end, or it is missed at once
	}()
	if err := p.await(ctx); err != nil {
		p.Stop()
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(c.program), err, p.said())
	}
	return p, nil
}

// said is the end of what the program printed.
func (p *Process) said() []byte {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return nil
	}
	text = bytes.TrimSpace(text)
	return text[max(0, len(text)-600):]
}

// await returns once the program accepts connections.
func (p *Process) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.Listen)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s accepts: %w", p.Listen, err)
		case <-p.ended:
			return errEnded
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stopTimeout is how long a program may take to end before it is killed.
const stopTimeout = 5 * time.Second

// Stop ends the program and waits for it.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
		return
	case <-time.After(stopTimeout):
	}
	_ = p.cmd.Process.Kill() // as above
	<-p.ended
}

// Ports come from below those that the system gives to connections and
// listeners: one of these could be taken again before its server has started.
const (
	portsFrom = 10240
	portsTo   = 19999
)

// FreePorts returns ports nobody listens at, all different.
func FreePorts(ctx context.Context, n int) ([]int, error) {
	var held []io.Closer
	defer func() {
		for _, ln := range held {
			_ = ln.Close() // was only there to find a port
		}
	}()
	var ports []int
	for tries := 0; len(ports) < n; tries++ {
		port := portsFrom + rand.IntN(portsTo-portsFrom+1)
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		switch {
		case err == nil:
			held, ports = append(held, ln), append(ports, port)
		case tries > 100*n:
			return nil, fmt.Errorf("find a free port: %w", err)
		}
	}
	return ports, nil
}

// ownless leaves out what would configure Holdfast.
func ownless(environ []string) []string {
	return slices.DeleteFunc(environ, func(kv string) bool { return strings.HasPrefix(kv, "HOLDFAST_") })
}
