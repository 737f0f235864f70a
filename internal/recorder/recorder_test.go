package recorder_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/internal/event"
	"holdfast/internal/recorder"
	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// box keeps what was recorded.
type box struct {
	mu     sync.Mutex
	facts  []store.Fact
	states []store.State
}

func (b *box) Record(f store.Fact) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.facts = append(b.facts, f)
	return f.Validate()
}

func (b *box) Keep(s store.State) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.states = append(b.states, s.Stamped(time.Now()))
	return s.Validate()
}

func (b *box) take() []store.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.states
	b.states = nil
	return s
}

func newFunction(t *testing.T, ids ...string) *exchange.Function {
	t.Helper()
	f, err := exchange.NewFunction(exchange.FunctionConfig{Name: "a", Breaker: &breaker.Config{FailureThreshold: 1}})
	if err != nil {
		t.Fatal(err)
	}
	setInstances(f, ids...)
	return f
}

func setInstances(f *exchange.Function, ids ...string) {
	var list []*balancer.Instance
	for _, id := range ids {
		i := f.Instance(id)
		if i == nil {
			i = balancer.NewInstance(balancer.Spec{ID: id, Endpoint: "http://127.0.0.1:1"})
		}
		list = append(list, i)
	}
	f.SetInstances(list, time.Now())
	for _, i := range list {
		f.Balancer().SetHealth(i, balancer.HealthUp, "test", time.Now())
	}
}

func openBreaker(f *exchange.Function) {
	p, _ := f.Breaker().Allow(time.Now())
	f.Breaker().Done(p, breaker.Failure, 0, time.Now())
}

func TestStatesAreKeptWhenTheyChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, b := newFunction(t, "1", "2"), &box{}
		r := recorder.New(recorder.Config{Outbox: b, Functions: func() []*exchange.Function { return []*exchange.Function{f} }, Node: "n"})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		after := func() []store.State {
			time.Sleep(1100 * time.Millisecond)
			synctest.Wait()
			return b.take()
		}
		if got := after(); len(got) != 5 { // a breaker, two instances, two verdicts
			t.Errorf("at first %d states were kept, want 5: %+v", len(got), got)
		}
		if got := after(); len(got) != 0 {
			t.Errorf("nothing changed, but %+v was kept", got)
		}
		openBreaker(f)
		if got := after(); len(got) != 1 || got[0].(store.Breaker).State != "open" {
			t.Errorf("after the breaker opened: %+v", got)
		}
		setInstances(f, "1")
		got := after()
		if len(got) != 1 || got[0].Key() != (store.InstanceGone{ID: "a/2"}).Key() {
			t.Errorf("after an instance went: %+v", got)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestARecoveryIsAnEventAndAScalingAction(t *testing.T) {
	t.Parallel()
	f, b := newFunction(t, "1", "2"), &box{}
	r := recorder.New(recorder.Config{Outbox: b, Functions: func() []*exchange.Function { return []*exchange.Function{f} }, Node: "n"})
	r.Event(event.Event{At: time.Now(), Kind: event.Recovery, Function: "a", Instance: "1", From: "recovering", To: "active", Source: "health", Reason: "fine"})
	if len(b.facts) != 2 {
		t.Fatalf("facts: %+v", b.facts)
	}
	e, a := b.facts[0].(store.Event), b.facts[1].(store.ScalingAction)
	if e.Kind != "recovery" || e.Instance != "1" || a.Action != "recovery" || a.Before != 1 || a.After != 2 || !a.Success {
		t.Errorf("event %+v, action %+v", e, a)
	}
}

// What one process kept in a real store, the next one remembers.
func TestAnOpenBreakerAndAVerdictSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := sqlite.Open(sqlite.Config{Path: filepath.Join(dir, "state.db"), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := newFunction(t, "1", "2")
	f.Balancer().SetHealth(f.Instance("2"), balancer.HealthDown, "test", time.Now())
	openBreaker(f)
	until := f.Breaker().NextAttempt()
	outbox, err := store.NewOutbox(s, store.OutboxConfig{Dir: filepath.Join(dir, "spool")})
	if err != nil {
		t.Fatal(err)
	}
	r := recorder.New(recorder.Config{Outbox: outbox, Functions: func() []*exchange.Function { return []*exchange.Function{f} }, Node: "n"})
	ctx, stop := context.WithCancel(t.Context())
	stop() // one last sample is kept
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	m, err := recorder.Recall(t.Context(), s, "n", outbox.Waiting())
	if err != nil {
		t.Fatal(err)
	}
	again := newFunction(t)
	if was, err := m.Breaker("a", again.Breaker(), time.Now()); err != nil || !was {
		t.Fatalf("restored %v, %v", was, err)
	}
	if _, ok := again.Breaker().Allow(time.Now()); ok {
		t.Error("the breaker lets a call through before its next attempt")
	}
	if _, ok := again.Breaker().Allow(until); !ok {
		t.Errorf("the breaker does not probe at its next attempt, %v", until)
	}
	for id, want := range map[string]bool{"1": true, "2": false, "3": false} {
		if got := m.WasUp("a", id, "http://127.0.0.1:1", time.Now()); got != want {
			t.Errorf("instance %s was up: %v, want %v", id, got, want)
		}
	}
	if m.WasUp("a", "1", "http://127.0.0.1:2", time.Now()) {
		t.Error("a verdict counts for another endpoint")
	}
	if m.WasUp("a", "1", "http://127.0.0.1:1", time.Now().Add(time.Hour)) {
		t.Error("an old verdict still counts")
	}
	if err := outbox.Run(ctx); err != nil {
		t.Error(err)
	}
}
