package process_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/platform"
	"holdfast/internal/platform/process"
)

func TestAnInstanceIsRunningOnlyOnceItsPortAccepts(t *testing.T) {
	t.Parallel()
	spec := child("wait for gate")
	gate := fifo(t)
	spec.Env["GATE"] = gate
	r := start(t, spec, process.Config{})
	i := r.await("f-1", "has a process", func(i platform.Instance) bool { return i.PID != 0 })
	if i.State != platform.Starting || i.Endpoint == "" {
		t.Fatalf("before the child listens the instance is %+v", i)
	}
	openGate(t, gate)
	r.awaitState("f-1", platform.Running)
	r.stop()
	want := []platform.State{platform.Starting, platform.Running, platform.Stopping, platform.Stopped}
	if got := r.states("f-1"); !slices.Equal(got, want) {
		t.Errorf("states were %v, want %v", got, want)
	}
	if len(r.Instances()) != 0 {
		t.Errorf("after the end there are instances: %+v", r.Instances())
	}
}

func TestAChildSeesItsPortItsIdAndItsEnvironment(t *testing.T) {
	t.Parallel()
	spec := child("serve")
	spec.Dir = t.TempDir()
	spec.Command = append(spec.Command, "--port={port}", "{id}")
	spec.Env["NAME"] = "instance {id} on {port}"
	r := start(t, spec, process.Config{Environ: []string{"INHERITED=yes", "PORT=80", "HOST=elsewhere"}})
	i := r.awaitState("f-1", platform.Running)
	port := i.Endpoint[strings.LastIndex(i.Endpoint, ":")+1:]
	want := map[string]string{
		"/env?key=PORT": port, "/env?key=HOST": "127.0.0.1", "/env?key=INHERITED": "yes",
		"/env?key=NAME": "instance f-1 on " + port,
		"/args":         "--port=" + port + " f-1 " + spec.Dir,
	}
	for path, value := range want {
		if got := get(t, i, path); got != value {
			t.Errorf("%s is %q, want %q", path, got, value)
		}
	}
}

func TestAnEnvironmentThatWasGivenWinsOverPortAndHost(t *testing.T) {
	t.Parallel()
	spec := child("serve")
	spec.Env["HOST"] = "0.0.0.0"
	r := start(t, spec, process.Config{})
	if got := get(t, r.awaitState("f-1", platform.Running), "/env?key=HOST"); got != "0.0.0.0" {
		t.Errorf("HOST is %q", got)
	}
}

func TestHoldfastsOwnSettingsAreNotInherited(t *testing.T) {
	t.Setenv("HOLDFAST_ADMIN_TOKEN", "secret")
	t.Setenv("NOTIFY_SOCKET", "/run/notify")
	t.Setenv("HF_TEST_OTHER", "kept")
	r := start(t, child("serve"), process.Config{})
	i := r.awaitState("f-1", platform.Running)
	for key, want := range map[string]string{"HOLDFAST_ADMIN_TOKEN": "", "NOTIFY_SOCKET": "", "HF_TEST_OTHER": "kept"} {
		if got := get(t, i, "/env?key="+key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

func TestAnEndWhileStartingStopsTheChildAtOnce(t *testing.T) {
	t.Parallel()
	spec := child("never listens")
	spec.ReadyTimeout = time.Hour
	r := start(t, spec, process.Config{})
	r.await("f-1", "has a process", func(i platform.Instance) bool { return i.PID != 0 })
	poll(t, "the child handles signals", func() bool { return len(r.Output("f-1")) > 0 })
	r.stop()
	if got := r.states("f-1"); got[len(got)-1] != platform.Stopped || slices.Contains(got, platform.Gone) {
		t.Errorf("states were %v", got)
	}
}

func TestAChildOutlivesTheThreadsOfGo(t *testing.T) {
	t.Parallel()
	r := start(t, child("serve"), process.Config{})
	before := r.awaitState("f-1", platform.Running)
	for range 50 { // each of these threads ends with its goroutine
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() { runtime.LockOSThread() })
		}
		group.Wait()
	}
	get(t, before, "/args")
	if now := r.awaitState("f-1", platform.Running); now.PID != before.PID {
		t.Errorf("the child was killed: %+v then, %+v now", before, now)
	}
}

func TestADriverRunsOnce(t *testing.T) {
	t.Parallel()
	r := start(t, child("serve"), process.Config{})
	r.awaitState("f-1", platform.Running)
	if err := r.Run(t.Context()); err == nil {
		t.Error("a second Run was accepted")
	}
	r.stop()
	for name, err := range map[string]error{"scale": r.Scale(t.Context(), 1), "restart": r.Restart(t.Context(), "f-1")} {
		if !errors.Is(err, process.ErrEnded) {
			t.Errorf("%s after the end gives %v", name, err)
		}
	}
}

func TestScaleBeforeRunWaitsForIt(t *testing.T) {
	t.Parallel()
	d, err := process.New(child("serve"), process.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := d.Scale(ctx, 2); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without Run, Scale gives %v", err)
	}
}
