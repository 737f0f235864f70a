package swarm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/platform"
	"holdfast/internal/platform/swarm"
	"holdfast/test/docker"
	"holdfast/test/holdfast"
)

const (
	patience = 3 * time.Minute // on a busy machine
	port     = 9000
)

// cluster is a swarm whose engine has the image of the test function.
type cluster struct {
	*docker.Engine
	names atomic.Int32
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{Engine: docker.Swarm(t)}
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "function"), "./function")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the function: %v\n%s", err, out)
	}
	text := "FROM scratch\nCOPY function /\nENTRYPOINT [\"/function\"]\nCMD [\"one\"]\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Docker(t, "build", "--quiet", "--tag", "function", dir)
	return c
}

// service creates a service with one replica that answers as version one.
func (c *cluster) service(t *testing.T, args ...string) string {
	t.Helper()
	name := "s" + strconv.Itoa(int(c.names.Add(1)))
	c.create(t, name, append(args, "function", "one")...)
	return name
}

func (c *cluster) create(t *testing.T, name string, args ...string) {
	t.Helper()
	all := []string{
		"service", "create", "--detach", "--no-resolve-image", "--name", name, "--stop-grace-period", "5s",
		"--restart-delay", "500ms", "--update-monitor", "1s", "--update-parallelism", "0",
	}
	c.Docker(t, append(all, args...)...)
	t.Cleanup(func() { _, _ = c.Try("service", "rm", name) }) // some tests have removed it
}

func (c *cluster) update(t *testing.T, name string, args ...string) {
	t.Helper()
	c.insist(t, slices.Concat([]string{"service", "update", "--detach", "--no-resolve-image"}, args, []string{name})...)
}

// insist runs a docker command again while somebody else changed the service since it read it: the driver, or swarm
// itself.
func (c *cluster) insist(t *testing.T, args ...string) {
	t.Helper()
	var err error
	holdfast.Poll(t, patience, "the command is not overtaken", func() bool {
		_, err = c.Try(args...)
		return err == nil || !strings.Contains(err.Error(), "out of sequence")
	})
	if err != nil {
		t.Fatal(err)
	}
}

// removeNetwork waits for the tasks that are still on it.
func (c *cluster) removeNetwork(t *testing.T, name string) {
	t.Helper()
	holdfast.Poll(t, patience, "the network is removed", func() bool {
		_, err := c.Try("network", "rm", name)
		return err == nil
	})
}

// onHost publishes the port on the node: every task gets one of its own.
const onHost = "--publish=mode=host,target=9000"

// proxy stands between a driver and the engine, and can be taken away.
type proxy struct {
	path, to string
	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	wg       sync.WaitGroup
}

func newProxy(t *testing.T, c *cluster) *proxy {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf-proxy-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{path: filepath.Join(dir, "s"), to: strings.TrimPrefix(c.Host, "unix://"), conns: map[net.Conn]bool{}}
	p.open(t)
	t.Cleanup(func() {
		p.close(t)
		p.wg.Wait()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *proxy) open(t *testing.T) {
	t.Helper()
	l, err := net.Listen("unix", p.path)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.listener = l
	p.mu.Unlock()
	p.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.pass(conn) })
		}
	})
}

func (p *proxy) pass(client net.Conn) {
	engine, err := net.Dial("unix", p.to)
	if err != nil {
		client.Close()
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[engine] = true, true
	p.mu.Unlock()
	copied := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // its end is the end of both
		to.Close()
		from.Close()
	}
	p.wg.Go(func() { copied(engine, client) })
	copied(client, engine)
	p.mu.Lock()
	delete(p.conns, client)
	delete(p.conns, engine)
	p.mu.Unlock()
}

// close ends all that goes through the proxy, and what would.
func (p *proxy) close(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	for c := range p.conns {
		c.Close()
	}
}

// seen is what a driver told, the last word first in mind.
type seen struct {
	t   *testing.T
	mu  sync.Mutex
	o   platform.Observation
	err error
	all []platform.Observation
}

// run runs a driver until the test ends.
func run(t *testing.T, d *swarm.Driver) *seen {
	t.Helper()
	s := &seen{t: t}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	over := make(chan error, 1)
	go func() { over <- d.Run(ctx, s.tell) }()
	t.Cleanup(func() {
		stop()
		if err := <-over; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

func (s *seen) tell(o platform.Observation, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.o, s.err = o, err
	if err == nil {
		s.all = append(s.all, o)
	}
}

func (s *seen) last() (platform.Observation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.o, s.err
}

// await waits until what was told last is as wanted.
func (s *seen) await(what string, ok func(o platform.Observation, err error) bool) platform.Observation {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		o, err := s.last()
		if (!o.At.IsZero() || err != nil) && ok(o, err) {
			return o
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("waited %s for: %s; told last: %+v, %v", patience, what, o, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// running waits until exactly n instances are there, and run.
func (s *seen) running(n int) platform.Observation {
	s.t.Helper()
	return s.await(fmt.Sprint(n, " run"), func(o platform.Observation, err error) bool { return err == nil && settled(o, n) })
}

// fails waits until an error is told that says something.
func (s *seen) fails(says string) {
	s.t.Helper()
	s.await("an error: "+says, func(_ platform.Observation, err error) bool { return err != nil && strings.Contains(err.Error(), says) })
}

func (s *seen) everything() []platform.Observation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

// settled: exactly n instances are there and run, of the version that should.
func settled(o platform.Observation, n int) bool {
	return !o.Deploying && o.Desired == n && count(o, platform.Running) == n && len(o.Instances) == n
}

func count(o platform.Observation, s platform.State) int {
	n := 0
	for _, i := range o.Instances {
		if i.State == s {
			n++
		}
	}
	return n
}

// answer asks an instance and returns what it says.
func answer(t *testing.T, endpoint string) string {
	t.Helper()
	var text string
	holdfast.Poll(t, patience, "an answer of "+endpoint, func() bool {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, endpoint+"/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Close = true
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		text = string(b)
		return err == nil && res.StatusCode == http.StatusOK
	})
	return text
}

func newDriver(t *testing.T, c swarm.Config) *swarm.Driver {
	t.Helper()
	if c.Port == 0 {
		c.Port = port
	}
	d, err := swarm.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
