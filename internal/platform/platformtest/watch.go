package platformtest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/internal/platform"
)

// watched is a service whose driver runs; everything it tells is kept.
type watched struct {
	Service

	t   *testing.T
	end func() // ends Run, and waits for it

	mu    sync.Mutex
	tells []told
}

type told struct {
	o   platform.Observation
	err error
}

// patience is Service.Slowest where it is not said.
const patience = time.Minute

// watch runs a service's driver until the test ends.
func watch(t *testing.T, s Service) *watched {
	t.Helper()
	if s.Slowest == 0 {
		s.Slowest = patience
	}
	w := &watched{Service: s, t: t}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	over := make(chan error, 1)
	go func() { over <- s.Driver.Run(ctx, w.tell) }()
	w.end = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-over:
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("Run ended with %v", err)
			}
		case <-time.After(s.Slowest):
			t.Error("Run did not end with its context")
		}
	})
	t.Cleanup(w.end)
	return w
}

func (w *watched) tell(o platform.Observation, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tells = append(w.tells, told{o, err})
}

// since returns everything told from the n-th on.
func (w *watched) since(n int) []told {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.tells[n:])
}

func (w *watched) count() int { return len(w.since(0)) }

// await waits until the latest thing told is an observation as wanted.
func (w *watched) await(what string, ok func(o *platform.Observation) bool) platform.Observation {
	w.t.Helper()
	return w.awaitTold(what, func(x *told) bool { return x.err == nil && ok(&x.o) }).o
}

// awaitTold waits until the latest thing told is as wanted.
func (w *watched) awaitTold(what string, ok func(x *told) bool) told {
	w.t.Helper()
	var last told
	w.poll(what, func() bool {
		all := w.since(0)
		if len(all) == 0 {
			return false
		}
		last = all[len(all)-1]
		return ok(&last)
	}, func() { w.t.Logf("told last: %+v, %v", last.o, last.err) })
	return last
}

// poll waits for a condition; otherwise is called before it gives up.
func (w *watched) poll(what string, ok func() bool, otherwise func()) {
	w.t.Helper()
	deadline := time.Now().Add(w.Slowest)
	for !ok() {
		if time.Now().After(deadline) {
			otherwise()
			w.t.Fatalf("waited %s for: %s", w.Slowest, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// running waits until exactly n instances are there and all of them run.
func (w *watched) running(n int) platform.Observation {
	w.t.Helper()
	return w.await("as many run as ordered", func(o *platform.Observation) bool {
		return o.Desired == n && len(o.Instances) == n && !slices.ContainsFunc(o.Instances, notRunning)
	})
}

func notRunning(i platform.Instance) bool { return i.State != platform.Running }

func ids(list []platform.Instance) []string {
	out := make([]string, 0, len(list))
	for n := range list {
		out = append(out, list[n].ID)
	}
	slices.Sort(out)
	return out
}
