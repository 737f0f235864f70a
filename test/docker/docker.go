// Package docker runs a Docker Engine of the tests' own: its socket, its data
// and its processes are in a temporary directory, and it leaves the network of
// the machine alone. It never speaks with an engine that is already there.
package docker

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/test/need"
)

// Config says what an engine is for. The zero value runs containers on the
// network of the host, which needs no rule of the firewall.
type Config struct {
	// Args are further arguments of dockerd. Without any, it has no bridge and
	// changes neither firewall nor routing.
	Args []string
}

// Engine is a running engine.
type Engine struct {
	Host    string // DOCKER_HOST
	dir     string
	cli     string
	command []string // of dockerd
	log     *tail
	cmd     *exec.Cmd
	done    chan struct{}
}

const (
	startLimit = 60 * time.Second
	stopLimit  = 30 * time.Second
)

// Start starts an engine and ends it with the test, with its containers. It
// skips the test where Docker is not installed or the test is not root's.
func Start(tb testing.TB, c Config) *Engine {
	tb.Helper()
	daemon, cli := need.Command(tb, "dockerd"), need.Command(tb, "docker")
	if os.Geteuid() != 0 {
		need.Missing(tb, "dockerd has to be started by root")
	}
	var failures []string
	for _, driver := range []string{"overlay2", "vfs"} { // vfs copies whole images but works everywhere
		e, err := start(daemon, cli, driver, c)
		if err == nil {
			tb.Cleanup(func() { e.stop(tb) })
			return e
		}
		failures = append(failures, fmt.Sprintf("with storage driver %s: %v", driver, err))
	}
	tb.Fatalf("start dockerd:\n%s", strings.Join(failures, "\n"))
	return nil
}

func start(daemon, cli, driver string, c Config) (*Engine, error) {
	dir, err := os.MkdirTemp("", "hf-docker-") // a socket's path must be short
	if err != nil {
		return nil, err
	}
	args := c.Args
	if len(args) == 0 {
		args = []string{"--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"}
	}
	e := &Engine{Host: "unix://" + filepath.Join(dir, "s"), dir: dir, cli: cli, log: &tail{}}
	e.command = append([]string{
		daemon, "--host=" + e.Host, "--data-root=" + filepath.Join(dir, "data"), "--exec-root=" + filepath.Join(dir, "exec"),
		"--pidfile=" + filepath.Join(dir, "pid"), "--config-file=" + filepath.Join(dir, "none.json"),
		"--storage-driver=" + driver, "--log-level=warn",
	}, args...)
	if err := os.WriteFile(filepath.Join(dir, "none.json"), []byte("{}"), 0o600); err != nil {
		return nil, err
	}
	if err := e.launch(); err != nil {
		return nil, errors.Join(err, e.end())
	}
	return e, nil
}

// launch returns once the engine answers.
func (e *Engine) launch() error {
	e.cmd, e.done = exec.Command(e.command[0], e.command[1:]...), make(chan struct{})
	e.cmd.Stdout, e.cmd.Stderr = e.log, e.log
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := e.cmd.Start(); err != nil {
		close(e.done)
		return err
	}
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // how it ended shows in the log
		close(done)
	}(e.cmd, e.done)
	return e.await()
}

func (e *Engine) await() error {
	deadline := time.Now().Add(startLimit)
	for {
		out, err := e.Command("version", "--format", "{{.Server.Version}}").CombinedOutput()
		if err == nil {
			return nil
		}
		select {
		case <-e.done:
			return fmt.Errorf("it ended:\n%s", e.log)
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it does not answer: %s\n%s", out, e.log)
		}
	}
}

// Environ is what a program needs to find this engine, and nothing of the
// user's own configuration.
func (e *Engine) Environ() []string {
	return append(os.Environ(), "DOCKER_HOST="+e.Host, "DOCKER_CONFIG="+e.dir, "DOCKER_CONTEXT=", "DOCKER_BUILDKIT=0")
}

// Command prepares a docker command.
func (e *Engine) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(e.cli, args...)
	cmd.Env = e.Environ()
	return cmd
}

// Try runs a docker command and returns what it printed.
func (e *Engine) Try(args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := e.Command(args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// Docker runs a docker command, which must succeed.
func (e *Engine) Docker(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := e.Try(args...)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// Logs returns what a container printed.
func (e *Engine) Logs(id string) string {
	out, err := e.Command("logs", "--tail", "200", id).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s%v", out, err)
	}
	return string(out)
}

func (e *Engine) stop(tb testing.TB) {
	if ids, err := e.Try("ps", "--all", "--quiet"); err == nil && ids != "" {
		if _, err := e.Try(append([]string{"rm", "--force", "--volumes"}, strings.Fields(ids)...)...); err != nil {
			tb.Errorf("remove containers: %v", err)
		}
	}
	if tb.Failed() {
		tb.Logf("log of dockerd:\n%s", e.log)
	}
	if err := e.end(); err != nil {
		tb.Errorf("remove the engine: %v", err)
	}
}

// end stops the engine and removes its directory, in which it may have left
// mounts.
func (e *Engine) end() error {
	if e.cmd.Process != nil {
		_ = e.cmd.Process.Signal(syscall.SIGTERM)
	}
	select {
	case <-e.done:
	case <-time.After(stopLimit):
		_ = syscall.Kill(-e.cmd.Process.Pid, syscall.SIGKILL) // its containerd too
		<-e.done
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		if point := strings.Fields(line)[1]; strings.HasPrefix(point, e.dir+"/") {
			_ = exec.Command("umount", "--lazy", point).Run() // removing the directory says if that failed
		}
	}
	return os.RemoveAll(e.dir)
}

// tail keeps the end of a log.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailBytes = 16 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-tailBytes):]
	return len(p), nil
}

// String implements fmt.Stringer.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
