package runs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/internal/event"
	"holdfast/internal/runs"
	"holdfast/internal/supervise"
)

// role is the argument with which this binary plays the child.
const role = "play-a-run"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == role {
		os.Exit(play())
	}
	goleak.VerifyTestMain(m)
}

// play does what the path of the spec says.
func play() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := runs.Serve(ctx, func(ctx context.Context, o runs.Order, tell func(runs.Moment)) (runs.Outcome, error) {
		tell(runs.Moment{Kind: runs.Figures, Second: &runs.Second{Seconds: 1, OK: 7}})
		switch o.Spec.Path {
		case "/miss":
			return runs.Outcome{Code: 2, Message: "an objective was missed"}, nil
		case "/skip":
			return runs.Outcome{Skipped: true, Message: "not here"}, nil
		case "/err":
			return runs.Outcome{}, errors.New("it cannot be done")
		case "/die":
			tell(runs.Moment{Kind: runs.FaultOn, Text: "freeze one"})
			for _, err := os.Stat(o.Report + heard); err != nil && ctx.Err() == nil; _, err = os.Stat(o.Report + heard) {
				<-time.After(time.Millisecond)
			}
			os.Exit(3)
		case "/wait":
			<-ctx.Done()
			return runs.Outcome{Code: runs.CodeInterrupted, Message: "stopped"}, os.WriteFile(o.Report, []byte(`{"half":true}`), 0o600)
		}
		return runs.Outcome{}, os.WriteFile(o.Report, []byte(`{"whole":true}`), 0o600)
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

const patience = time.Minute

// heard ends the name of a file that tells a child of /die that its parent has
// heard of the fault, and it may die.
const heard = ".heard"

// bench is Runs in a directory.
type bench struct {
	*runs.Runs

	dir    string // of the runs
	end    func() // returns when Run has
	back   chan string
	stuck  atomic.Bool // nothing can be taken back
	events chan event.Event
}

// open runs them until the test ends.
func open(t *testing.T, dir string) *bench {
	t.Helper()
	self, err := supervise.Self()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{dir: filepath.Join(dir, "runs"), back: make(chan string, 10), events: make(chan event.Event, 1000)}
	b.Runs = runs.New(runs.Config{
		Dir: b.dir, Drills: filepath.Join(dir, "drill"), Command: []string{self, role},
		Bounds: func() runs.Bounds { return runs.Bounds{} },
		Target: func(f string) (runs.Target, error) {
			if f == "nobody" {
				return runs.Target{}, &runs.Refusal{Kind: runs.NotFound, Field: "function", Message: "there is no function nobody"}
			}
			return runs.Target{Function: "public", Gateway: "http://127.0.0.1:8080", Path: "/"}, nil
		},
		Count: func(string) (runs.Counts, bool) { return runs.Counts{Available: 2}, true },
		TakeBack: func(_ context.Context, dir string) error {
			if b.back <- dir; b.stuck.Load() {
				return errors.Join(errors.New("it is stuck"), errors.New("that too"))
			}
			return nil
		},
		Publish: func(e event.Event) { b.events <- e },
	})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	ended := false
	b.end = func() {
		if stop(); ended {
			return
		}
		ended = true
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(b.end)
	return b
}

// start waits until runs are taken.
func (b *bench) start(t *testing.T, s runs.Spec) runs.Run {
	t.Helper()
	p, err := b.Prepare(s)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; {
		r, err := b.Start(p, "tester")
		if err == nil {
			if s.Path == "/die" {
				b.until(t, r.ID, func(r runs.Run) bool { return len(r.Faults) > 0 })
				if err := os.WriteFile(filepath.Join(b.dir, r.ID+".report.json"+heard), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			return r
		}
		if refusal, ok := errors.AsType[*runs.Refusal](err); !ok || refusal.Kind != runs.Conflict || time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// until waits for a state.
func (b *bench) until(t *testing.T, id string, ok func(runs.Run) bool) runs.Run {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		r, err := b.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		if ok(r) {
			return r
		}
		if time.Now().After(deadline) {
			t.Fatalf("it stays %+v", r)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func over(r runs.Run) bool { return r.State.Over() }
