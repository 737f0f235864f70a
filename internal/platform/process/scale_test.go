package process_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/platform"
	"holdfast/internal/platform/process"
)

// drains records the calls of Config.Drain.
type drains struct {
	mu     sync.Mutex
	ids    []string
	states []platform.State
}

func (d *drains) of(r **running) func(context.Context, string) error {
	return func(_ context.Context, id string) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.ids = append(d.ids, id)
		for _, i := range (*r).Instances() {
			if i.ID == id {
				d.states = append(d.states, i.State)
			}
		}
		return nil
	}
}

func (d *drains) called() ([]string, []platform.State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(slices.Values(d.ids)), slices.Clone(d.states)
}

func ids(list []platform.Instance) []string {
	var ids []string
	for _, i := range list {
		ids = append(ids, i.ID)
	}
	return ids
}

func TestScalingAddsInstancesAndTakesTheNewestAfterDraining(t *testing.T) {
	t.Parallel()
	var r *running
	var drained drains
	r = start(t, child("serve"), process.Config{Drain: drained.of(&r)})
	if err := r.Scale(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	var endpoints []string
	for _, id := range []string{"f-1", "f-2", "f-3"} {
		endpoints = append(endpoints, r.awaitState(id, platform.Running).Endpoint)
	}
	slices.Sort(endpoints)
	if len(slices.Compact(endpoints)) != 3 {
		t.Errorf("instances share ports: %v", endpoints)
	}
	if err := r.Scale(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if left := ids(r.Instances()); !slices.Equal(left, []string{"f-1"}) {
		t.Errorf("left are %v", left)
	}
	called, states := drained.called()
	if !slices.Equal(called, []string{"f-2", "f-3"}) || !slices.Equal(states, []platform.State{platform.Stopping, platform.Stopping}) {
		t.Errorf("drained were %v while %v", called, states)
	}
	if err := r.Scale(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	r.awaitState("f-2", platform.Running)
}

func TestAFunctionCanBeScaledToZeroAndBack(t *testing.T) {
	t.Parallel()
	r := start(t, child("serve"), process.Config{})
	r.awaitState("f-1", platform.Running)
	if err := r.Scale(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if left := r.Instances(); len(left) != 0 || r.Output("f-1") != nil {
		t.Errorf("left are %+v", left)
	}
	if err := r.Scale(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	r.awaitState("f-1", platform.Running)
}

func TestAnInstanceThatIsNotReadyIsTakenWithoutDraining(t *testing.T) {
	t.Parallel()
	var r *running
	var drained drains
	spec := child("never listens")
	spec.ReadyTimeout = time.Hour
	r = start(t, spec, process.Config{Drain: drained.of(&r)})
	r.await("f-1", "has a process", func(i platform.Instance) bool { return i.PID != 0 })
	if err := r.Scale(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if called, _ := drained.called(); len(called) != 0 {
		t.Errorf("drained were %v", called)
	}
}

func TestACrashLoopingInstanceIsTakenDuringItsWait(t *testing.T) {
	t.Parallel()
	spec := child("crash")
	spec.Backoff = process.Backoff{Base: time.Hour, Max: time.Hour}
	r := start(t, spec, process.Config{})
	r.awaitState("f-1", platform.Gone)
	if err := r.Scale(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if got := r.states("f-1"); got[len(got)-1] != platform.Stopped {
		t.Errorf("states were %v", got)
	}
}

func TestADrainEndsWhenTheInstanceDies(t *testing.T) {
	t.Parallel()
	draining := make(chan struct{})
	r := start(t, child("serve"), process.Config{Drain: func(ctx context.Context, _ string) error {
		close(draining)
		<-ctx.Done()
		return ctx.Err()
	}})
	i := r.awaitState("f-1", platform.Running)
	scaled := make(chan error, 1)
	go func() { scaled <- r.Scale(t.Context(), 0) }()
	<-draining
	if err := syscall.Kill(i.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-scaled; err != nil {
		t.Error(err)
	}
	if got := r.states("f-1"); slices.Contains(got, platform.Gone) {
		t.Errorf("an instance on its way out was to be started again: %v", got)
	}
}

func TestAStopGoesOnWhenTheCallerOfScaleGivesUp(t *testing.T) {
	t.Parallel()
	spec := child("deaf")
	spec.StopTimeout = 300 * time.Millisecond
	r := start(t, spec, process.Config{Drain: func(ctx context.Context, _ string) error {
		<-ctx.Done()
		return ctx.Err()
	}})
	r.awaitState("f-1", platform.Running)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := r.Scale(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Scale gives %v", err)
	}
	poll(t, "the instance is gone", func() bool { return len(r.Instances()) == 0 })
}

func TestTheEndOfTheDriverEndsADrain(t *testing.T) {
	t.Parallel()
	draining := make(chan struct{})
	r := start(t, child("serve"), process.Config{Drain: func(ctx context.Context, _ string) error {
		close(draining)
		<-ctx.Done()
		return ctx.Err()
	}})
	r.awaitState("f-1", platform.Running)
	scaled := make(chan error, 1)
	go func() { scaled <- r.Scale(context.WithoutCancel(t.Context()), 0) }()
	<-draining
	r.stop()
	if err := <-scaled; err != nil {
		t.Error(err)
	}
}

func TestAnInstanceIsRestartedInItsPlace(t *testing.T) {
	t.Parallel()
	var r *running
	var drained drains
	r = start(t, child("serve"), process.Config{Drain: drained.of(&r)})
	before := r.awaitState("f-1", platform.Running)
	if err := r.Restart(t.Context(), "f-1"); err != nil {
		t.Fatal(err)
	}
	after := r.awaitState("f-1", platform.Running)
	if after.PID == before.PID || after.Endpoint != before.Endpoint || after.Restarts != 1 {
		t.Errorf("it came back as %+v, before it was %+v", after, before)
	}
	if called, _ := drained.called(); !slices.Equal(called, []string{"f-1"}) {
		t.Errorf("drained were %v", called)
	}
	if got := r.states("f-1"); slices.Contains(got, platform.Gone) {
		t.Errorf("a restart that was asked for counted as a failure: %v", got)
	}
}

func TestARestartCutsTheWaitShortAndTellsAFailure(t *testing.T) {
	t.Parallel()
	spec := child("crash")
	spec.Backoff = process.Backoff{Base: time.Hour, Max: time.Hour}
	r := start(t, spec, process.Config{})
	r.awaitState("f-1", platform.Gone)
	err := r.Restart(t.Context(), "f-1")
	if err == nil || !strings.Contains(err.Error(), "exited with code 7") {
		t.Errorf("the restart gives %v", err)
	}
	if err := r.Restart(t.Context(), "f-9"); !errors.Is(err, process.ErrNoInstance) {
		t.Errorf("a restart of nobody gives %v", err)
	}
}

func TestAScaleOutOfBoundsIsRefused(t *testing.T) {
	t.Parallel()
	d, err := process.New(child("serve"), process.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{-1, 1001} {
		if d.Scale(t.Context(), n) == nil {
			t.Errorf("scale to %d was accepted", n)
		}
	}
}

// gated drains an instance until its gate is opened, and tells when it begins.
type gated struct{ began, gate chan string }

func newGated() *gated { return &gated{make(chan string, 10), make(chan string)} }

func (g *gated) drain(ctx context.Context, id string) error {
	g.began <- id
	select {
	case <-g.gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestAScaleUpDuringADrainStartsInstancesAtOnce(t *testing.T) {
	t.Parallel()
	g := newGated()
	r := start(t, child("serve"), process.Config{Drain: g.drain})
	r.awaitState("f-1", platform.Running)
	down, err := r.Order(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	<-g.began
	if err := r.Scale(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if err := down(); !errors.Is(err, process.ErrCalledOff) {
		t.Errorf("the order that was overtaken ends with %v", err)
	}
	for _, id := range []string{"f-1", "f-2", "f-3"} {
		if i := r.awaitState(id, platform.Running); i.Restarts != 0 {
			t.Errorf("%s was started again", id)
		}
	}
	if got := r.states("f-1"); !slices.Equal(got, []platform.State{platform.Starting, platform.Running, platform.Stopping, platform.Running}) {
		t.Errorf("f-1 went through %v", got)
	}
}

func TestADrainThatIsCalledOffCanBeginAgain(t *testing.T) {
	t.Parallel()
	g := newGated()
	r := start(t, child("serve"), process.Config{Drain: g.drain})
	r.awaitState("f-1", platform.Running)
	for range 3 {
		if _, err := r.Order(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		<-g.began
		if _, err := r.Order(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		r.awaitState("f-1", platform.Running)
	}
	gone, err := r.Order(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	close(g.gate)
	if err := gone(); err != nil {
		t.Error(err)
	}
	if left := r.Instances(); len(left) != 0 {
		t.Errorf("left are %v", left)
	}
}

func TestAnInstanceThatIsToGoAfterAllIsDrainedAfterAll(t *testing.T) {
	t.Parallel()
	g := newGated()
	r := start(t, child("serve"), process.Config{Drain: g.drain})
	r.awaitState("f-1", platform.Running)
	var gone func() error
	for _, n := range []int{0, 1, 0, 1, 0} { // without waiting for what becomes of each
		var err error
		if gone, err = r.Order(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	over := make(chan error, 1)
	go func() { over <- gone() }()
	for begun := false; !begun; {
		select {
		case <-g.began:
		case g.gate <- "open": // the last one waits, those called off do not
			begun = true
		case err := <-over:
			t.Fatalf("it is gone and was not drained: %v", err)
		}
	}
	if err := <-over; err != nil {
		t.Error(err)
	}
}

func TestTheLastOfManyOrdersHolds(t *testing.T) {
	t.Parallel()
	r := start(t, child("serve"), process.Config{})
	r.awaitState("f-1", platform.Running)
	for n := range 20 {
		if _, err := r.Order(t.Context(), (n*7)%5); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Scale(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	poll(t, "three run", func() bool {
		list := r.Instances()
		return len(list) == 3 && !slices.ContainsFunc(list, func(i platform.Instance) bool { return i.State != platform.Running })
	})
}
