// Package holdfast starts the real binary for tests: built once per run of the
// tests, on ports of its own, in a directory of its own.
package holdfast

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "holdfast-bin-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "holdfast")
	out, err := exec.Command("go", "build", "-o", path, "holdfast/cmd/holdfast").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build holdfast: %w\n%s", err, out)
	}
	return path, nil
})

// Binary returns the path of the built binary.
func Binary(tb testing.TB) string {
	tb.Helper()
	path, err := build()
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// Command prepares the binary with args, in the environment of a user.
func Command(ctx context.Context, tb testing.TB, args ...string) *exec.Cmd {
	tb.Helper()
	cmd := exec.CommandContext(ctx, Binary(tb), args...)
	cmd.Env = environment()
	return cmd
}

// Process is one running Holdfast.
type Process struct {
	Gateway string // http://127.0.0.1:port
	Admin   string
	Data    string
	Cmd     *exec.Cmd

	owner  bool // of the data directory
	log    *syncBuffer
	done   chan struct{}
	err    error
	client *http.Client
}

// Up starts `holdfast up ARGS...` and ends it with the test. The log is shown
// when the test fails.
func Up(tb testing.TB, args ...string) *Process {
	tb.Helper()
	// A socket's path must be short, which t.TempDir is not.
	data, err := os.MkdirTemp("", "hf-")
	if err != nil {
		tb.Fatal(err)
	}
	return start(tb, data, true, args)
}

// UpIn is Up with a data directory of the caller's.
func UpIn(tb testing.TB, data string, args ...string) *Process {
	tb.Helper()
	return start(tb, data, false, args)
}

// Replace starts `holdfast up ARGS... --replace` in the place of p.
func (p *Process) Replace(tb testing.TB, args ...string) *Process {
	tb.Helper()
	return start(tb, p.Data, false, append([]string{"--replace"}, args...))
}

// Again starts Holdfast in the same data directory, once p has ended.
func (p *Process) Again(tb testing.TB, args ...string) *Process {
	tb.Helper()
	<-p.done
	return start(tb, p.Data, false, args)
}

func start(tb testing.TB, data string, owner bool, args []string) *Process {
	tb.Helper()
	p := &Process{Data: data, owner: owner, log: &syncBuffer{}, done: make(chan struct{})}
	p.client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(data, "holdfast.sock"))
	}}}
	all := append([]string{"up", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data-dir", data}, args...)
	p.Cmd = exec.Command(Binary(tb), all...)
	p.Cmd.Env = environment()
	p.Cmd.Stderr = p.log
	out, err := p.Cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.Cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.cleanUp(tb) })
	p.read(tb, out)
	return p
}

// environment is the tests' own without what tests are told by, which would be
// taken for keys of the configuration.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "HOLDFAST_") })
}

func (p *Process) read(tb testing.TB, out io.Reader) {
	tb.Helper()
	lines := bufio.NewScanner(out)
	for p.Admin == "" && lines.Scan() {
		name, address, _ := strings.Cut(lines.Text(), " ")
		switch name {
		case "gateway":
			p.Gateway = strings.TrimSpace(address)
		case "admin":
			p.Admin = strings.TrimSpace(address)
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, out)
		p.err = p.Cmd.Wait()
		close(p.done)
	}()
	if p.Admin == "" {
		<-p.done
		tb.Fatalf("holdfast did not start: %v\n%s", p.err, p.log)
	}
}

func (p *Process) cleanUp(tb testing.TB) {
	if err := p.Stop(time.Minute); err != nil {
		tb.Errorf("stop holdfast: %v", err)
	}
	if tb.Failed() {
		tb.Logf("log of holdfast:\n%s", p.log.tail(200))
	}
	p.client.CloseIdleConnections()
	if p.owner {
		_ = os.RemoveAll(p.Data)
	}
}

// Stop sends SIGTERM and waits for the end.
func (p *Process) Stop(limit time.Duration) error {
	_ = p.Cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(limit):
		_ = p.Cmd.Process.Kill()
		<-p.done
		return errors.New("it did not end after SIGTERM")
	}
}

// Wait waits until it has ended by itself and returns how.
func (p *Process) Wait(limit time.Duration) error {
	select {
	case <-p.done:
		return p.err
	case <-time.After(limit):
		return fmt.Errorf("it has not ended after %v", limit)
	}
}

// Log returns what it logged so far.
func (p *Process) Log() string { return p.log.String() }

// PID returns the process id.
func (p *Process) PID() int { return p.Cmd.Process.Pid }

// API gets a JSON document from the local socket.
func (p *Process) API(path string, into any) error {
	res, err := p.client.Get("http://holdfast" + path)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %d %s", path, res.StatusCode, body)
	}
	return json.Unmarshal(body, into)
}

// Ready waits until /readyz says yes.
func (p *Process) Ready(tb testing.TB, limit time.Duration) {
	tb.Helper()
	Poll(tb, limit, "ready", func() bool {
		res, err := http.Get(p.Admin + "/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// Poll waits until ok; it fails the test when that takes longer than limit, which is a minute at least: what has to be
// quick is measured, and everything else may take its time on a busy machine.
func Poll(tb testing.TB, limit time.Duration, what string, ok func() bool) {
	tb.Helper()
	limit = max(limit, time.Minute)
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("not %s after %v", what, limit)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (s *syncBuffer) tail(lines int) string {
	all := strings.Split(s.String(), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
