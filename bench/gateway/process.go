//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program under test with all its children.
type process struct {
	cmd    *exec.Cmd
	listen string // host:port
}

// launch starts a program and waits until it accepts connections.
func launch(ctx context.Context, listen, log, name string, args ...string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()                              //nolint:errcheck // the child has it
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the harness's own programs
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{cmd: cmd, listen: listen}
	if err := await(ctx, listen); err != nil {
		p.stop()
		said, _ := os.ReadFile(log)
		return nil, fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(said))
	}
	return p, nil
}

// await returns once somebody accepts at addr.
func await(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s accepts: %w", addr, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = p.cmd.Wait()                          // of no interest: it was told to end
}

// ticksPerSecond is USER_HZ, which Linux has fixed at 100 for all that
// programs see.
const ticksPerSecond = 100

// cpu returns the user and system time of the process and its children so far.
func (p *process) cpu() (time.Duration, error) { return cpuOf(p.cmd.Process.Pid) }

func cpuOf(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	sum, err := cpuOfStat(string(stat))
	if err != nil {
		return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	for child := range strings.FieldsSeq(string(children)) {
		id, err := strconv.Atoi(child)
		if err != nil {
			return 0, err
		}
		more, err := cpuOf(id)
		if err != nil {
			return 0, err
		}
		sum += more
	}
	return sum, nil
}

var errStat = errors.New("not as proc(5) describes it")

// cpuOfStat adds utime and stime, fields 14 and 15 of a stat line. The name in
// field 2 may hold anything, so they are counted from its closing bracket.
func cpuOfStat(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, errStat
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, errStat
	}
	return time.Duration(user+system) * (time.Second / ticksPerSecond), nil
}

// freePorts returns ports nobody listens at, all different.
func freePorts(ctx context.Context, n int) ([]int, error) {
	var held []io.Closer
	defer func() {
		for _, ln := range held {
			_ = ln.Close() // was only there to find a port
		}
	}()
	ports := make([]int, n)
	for i := range ports {
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		held = append(held, ln)
		ports[i] = ln.Addr().(*net.TCPAddr).Port //nolint:errcheck,forcetypeassert // of a TCP listener
	}
	return ports, nil
}
