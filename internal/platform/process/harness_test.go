package process_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/platform"
	"holdfast/internal/platform/process"
)

// running is a driver at work.
type running struct {
	*process.Driver
	t      *testing.T
	cancel context.CancelFunc
	done   chan error

	mu      sync.Mutex
	changes []platform.Instance
}

// child is a spec for this test binary playing a part, with waits short enough
// for a test.
func child(part string) process.Spec {
	return process.Spec{
		Function: "f", Command: []string{self()}, Env: map[string]string{childEnv: part, "GORACE": "atexit_sleep_ms=0"}, Instances: 1,
		Backoff: process.Backoff{Base: time.Millisecond, Max: 20 * time.Millisecond},
	}
}

// start runs a driver until the test's end, and then checks that no process is
// left of it, not even as a zombie.
func start(t *testing.T, spec process.Spec, cfg process.Config) *running {
	t.Helper()
	r := &running{t: t, done: make(chan error, 1)}
	cfg.OnChange = func(i platform.Instance) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.changes = append(r.changes, i)
	}
	var err error
	if r.Driver, err = process.New(spec, cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() { r.done <- r.Run(ctx) }()
	t.Cleanup(r.stop)
	return r
}

func (r *running) stop() {
	r.cancel()
	if r.done == nil {
		return
	}
	select {
	case err := <-r.done:
		if err != nil {
			r.t.Errorf("the driver ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		r.t.Error("the driver did not end")
	}
	r.done = nil
	for _, pid := range r.pids() {
		if !reaped(pid) {
			r.t.Errorf("process %d is left over", pid)
		}
	}
}

func (r *running) history() []platform.Instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.changes)
}

// states are the states an instance went through, without repetitions.
func (r *running) states(id string) []platform.State {
	var states []platform.State
	for _, i := range r.history() {
		if i.ID == id {
			states = append(states, i.State)
		}
	}
	return slices.Compact(states)
}

func (r *running) pids() []int {
	var pids []int
	for _, i := range r.history() {
		if i.PID != 0 && !slices.Contains(pids, i.PID) {
			pids = append(pids, i.PID)
		}
	}
	return pids
}

// await waits until the instance is as wanted and gives it.
func (r *running) await(id, what string, want func(platform.Instance) bool) platform.Instance {
	r.t.Helper()
	var found platform.Instance
	poll(r.t, id+" "+what, func() bool {
		for _, i := range r.Instances() {
			if i.ID == id && want(i) {
				found = i
				return true
			}
		}
		return false
	})
	return found
}

func (r *running) awaitState(id string, state platform.State) platform.Instance {
	r.t.Helper()
	return r.await(id, "is "+state.String(), func(i platform.Instance) bool { return i.State == state })
}

// get asks a child.
func get(t *testing.T, i platform.Instance, path string) string {
	t.Helper()
	body, err := tryGet(t, i, path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func tryGet(t *testing.T, i platform.Instance, path string) (string, error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.Endpoint+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	return string(body), errors.Join(err, resp.Body.Close())
}

func getPID(t *testing.T, i platform.Instance, path string) int {
	t.Helper()
	pid, err := strconv.Atoi(get(t, i, path))
	if err != nil || pid <= 1 {
		t.Fatalf("the child answered no process id: %v", err)
	}
	return pid
}

// fifo makes what a child waits at with awaitGate.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gate")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// openGate returns when the child has come to the gate, and lets it through.
func openGate(t *testing.T, path string) {
	t.Helper()
	poll(t, "somebody at the gate", func() bool {
		gate, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			_ = gate.Close()
		}
		return err == nil
	})
}
