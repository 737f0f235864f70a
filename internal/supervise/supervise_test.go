package supervise_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/child"
	"holdfast/internal/supervise"
)

type rig struct {
	*supervise.Child
	stop func()

	mu     sync.Mutex
	events []supervise.Event
}

// start runs this binary as a child that plays a part.
func start(t *testing.T, part string, change func(*supervise.Config)) *rig {
	t.Helper()
	r := &rig{}
	self, err := supervise.Self()
	if err != nil {
		t.Fatal(err)
	}
	c := supervise.Config{
		Name: "test", Command: []string{self}, Env: []string{partEnv + "=" + part, "GORACE=atexit_sleep_ms=0"},
		Backoff: child.Backoff{Base: 10 * time.Millisecond, Max: 50 * time.Millisecond},
		OnEvent: func(e supervise.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, e)
		},
	}
	if change != nil {
		change(&c)
	}
	r.Child, err = supervise.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(r.stop)
	await(t, "begun", func() bool { return r.Status().State != supervise.Stopped })
	return r
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not %s within 20 s", what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// failed waits for a failure and returns its reason.
func (r *rig) failed(t *testing.T) string {
	t.Helper()
	var reason string
	await(t, "failed", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		i := slices.IndexFunc(r.events, func(e supervise.Event) bool { return e.To == supervise.Waiting || e.To == supervise.CrashLoop })
		if i < 0 {
			return false
		}
		reason = r.events[i].Reason
		return true
	})
	return reason
}

func (r *rig) pid(t *testing.T) int {
	t.Helper()
	var pid int
	var err error
	await(t, "running", func() bool { err = r.Call(t.Context(), "pid", nil, &pid); return err == nil })
	return pid
}

func TestACallGoesThereAndBack(t *testing.T) {
	t.Parallel()
	r := start(t, "good", nil)
	var got string
	if err := r.Call(t.Context(), "echo", "hello", &got); err != nil || got != "hello" {
		t.Errorf("echo: %q, %v", got, err)
	}
	err := r.Call(t.Context(), "fail", nil, nil)
	if remote, ok := errors.AsType[*supervise.RemoteError](err); !ok || remote.Message != "no luck" || !strings.Contains(err.Error(), "test: fail") {
		t.Errorf("a handler's error comes as %v", err)
	}
	if err := r.Call(t.Context(), "fly", nil, nil); !errors.Is(err, supervise.ErrUnknownMethod) {
		t.Errorf("an unknown method: %v", err)
	}
	s := r.Status()
	if s.State != supervise.Running || s.PID == os.Getpid() || s.PID == 0 || s.InForce.String() != "no limits" {
		t.Errorf("the status is %+v", s)
	}
	r.stop()
	if s := r.Status(); s.State != supervise.Stopped || syscall.Kill(s.PID, 0) == nil && s.PID != 0 {
		t.Errorf("after the end it is %+v", s)
	}
	if err := r.Call(t.Context(), "echo", "", nil); !errors.Is(err, supervise.ErrNotRunning) {
		t.Errorf("a call after the end: %v", err)
	}
	if err := r.Run(t.Context()); err == nil {
		t.Error("it ran twice")
	}
}

func TestManyCallsAtOnceGetTheirOwnAnswers(t *testing.T) {
	t.Parallel()
	r := start(t, "good", nil)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			want, got := strings.Repeat("x", i*100), ""
			if err := r.Call(t.Context(), "echo", want, &got); err != nil || got != want {
				t.Errorf("call %d: %d bytes, %v", i, len(got), err)
			}
		})
	}
	wg.Wait()
}

func TestSizesAreBounded(t *testing.T) {
	t.Parallel()
	r := start(t, "good", nil)
	if err := r.Call(t.Context(), "echo", strings.Repeat("x", 5<<20), nil); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a large input: %v", err)
	}
	if err := r.Call(t.Context(), "large", 5<<20, nil); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a large result: %v", err)
	}
	var got string
	if err := r.Call(t.Context(), "large", 3<<20, &got); err != nil || len(got) != 3<<20 {
		t.Errorf("a fair result: %d bytes, %v", len(got), err)
	}
}

func TestTooManyCallsAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	r := start(t, "good", nil)
	r.pid(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for range 64 {
		wg.Go(func() { // again, when the question below was in the way
			for ctx.Err() == nil && errors.Is(r.Call(ctx, "wait", nil, nil), supervise.ErrBusy) {
				<-time.After(time.Millisecond)
			}
		})
	}
	await(t, "full", func() bool { return errors.Is(r.Call(t.Context(), "echo", "", nil), supervise.ErrBusy) })
}

func TestACallEndsWithItsCallerAndTheChildIsTold(t *testing.T) {
	t.Parallel()
	r := start(t, "good", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	r.pid(t)
	if err := r.Call(ctx, "wait", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call beyond its deadline: %v", err)
	}
	// All places are free again: the handlers have ended.
	for range 70 {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if err := r.Call(ctx, "wait", nil, nil); !errors.Is(err, context.Canceled) && !errors.Is(err, supervise.ErrBusy) {
			t.Fatalf("a call that was given up: %v", err)
		}
		cancel()
	}
	await(t, "free", func() bool { return r.Call(t.Context(), "echo", "", nil) == nil })
}

func TestAPanicEndsTheChildAndItStartsAgain(t *testing.T) {
	t.Parallel()
	r := start(t, "good", nil)
	before := r.pid(t)
	if err := r.Call(t.Context(), "panic", nil, nil); !errors.Is(err, supervise.ErrEnded) {
		t.Errorf("the call ends with %v", err)
	}
	if reason := r.failed(t); !strings.Contains(reason, "exited with code 2") {
		t.Errorf("the reason is %q", reason)
	}
	if after := r.pid(t); after == before || r.Status().Restarts != 1 {
		t.Errorf("process %d follows %d, %d restarts", after, before, r.Status().Restarts)
	}
}

func TestAFrozenChildIsKilled(t *testing.T) {
	t.Parallel()
	r := start(t, "good", func(c *supervise.Config) {
		c.Heartbeat = supervise.Heartbeat{Interval: 20 * time.Millisecond, Timeout: 500 * time.Millisecond}
	})
	before := r.pid(t)
	if err := r.Call(t.Context(), "freeze", nil, nil); err != nil && !errors.Is(err, supervise.ErrEnded) {
		t.Errorf("the call ends with %v", err)
	}
	if reason := r.failed(t); !strings.Contains(reason, "did not answer") {
		t.Errorf("the reason is %q", reason)
	}
	if after := r.pid(t); after == before {
		t.Error("it is the same process")
	}
}

func TestAChildThatNeverAnswersIsAFailedStart(t *testing.T) {
	t.Parallel()
	r := start(t, "mute", func(c *supervise.Config) { c.StartTimeout = 100 * time.Millisecond })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := r.Call(ctx, "pid", nil, nil); !errors.Is(err, supervise.ErrNotRunning) {
		t.Errorf("a call meanwhile: %v", err)
	}
	if reason := r.failed(t); !strings.Contains(reason, "within 100ms of its start") {
		t.Errorf("the reason is %q", reason)
	}
}

func TestAChildThatHangsUpIsKilled(t *testing.T) {
	t.Parallel()
	r := start(t, "hangs up", nil)
	if reason := r.failed(t); !strings.Contains(reason, "closed its socket") {
		t.Errorf("the reason is %q", reason)
	}
}

func TestAChildThatKeepsFailingIsACrashLoop(t *testing.T) {
	t.Parallel()
	r := start(t, "quitter", nil)
	await(t, "looping", func() bool { return r.Status().State == supervise.CrashLoop })
	for _, part := range []string{"exited with code 7", "cannot find my work", "failures in a row"} {
		if reason := r.Status().Reason; !strings.Contains(reason, part) && r.Status().State == supervise.CrashLoop {
			t.Errorf("the reason is %q, without %q", reason, part)
		}
	}
}

func TestADeafChildIsKilledInTheEnd(t *testing.T) {
	t.Parallel()
	r := start(t, "deaf", func(c *supervise.Config) { c.StopTimeout = 50 * time.Millisecond })
	pid := r.pid(t)
	r.stop()
	if syscall.Kill(pid, 0) == nil {
		t.Error("it is still there")
	}
}

func TestACommandThatDoesNotExistIsSaid(t *testing.T) {
	t.Parallel()
	r := start(t, "good", func(c *supervise.Config) { c.Command = []string{"/no/such/program"} })
	if reason := r.failed(t); !strings.Contains(reason, "/no/such/program") {
		t.Errorf("the reason is %q", reason)
	}
}

func TestSecretsOfTheEnvironmentStayHere(t *testing.T) {
	t.Setenv("HOLDFAST_STORE", "postgres://secret")
	r := start(t, "good", func(c *supervise.Config) { c.Env = append(c.Env, "MINE=yes") })
	for name, want := range map[string]string{"HOLDFAST_STORE": "", "MINE": "yes"} {
		var got string
		if err := r.Call(t.Context(), "env", name, &got); err != nil || got != want {
			t.Errorf("%s is %q in the child, %v", name, got, err)
		}
	}
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	_, err := supervise.New(supervise.Config{Name: "a/b", Limits: supervise.Limits{MemoryBytes: 1, CPUPercent: -1}})
	for _, part := range []string{"name:", "command:", "limits.memory:", "limits.cpu:"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not mention %s", err, part)
		}
	}
}
