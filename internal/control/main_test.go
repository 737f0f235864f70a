package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/internal/control"
	"holdfast/internal/event"
	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var me = store.Actor{Name: "tester", Role: store.Admin, Source: "local"}

// site is a function with instances, a store in a file, and a configuration
// that knows two keys.
type site struct {
	t       testing.TB
	store   store.Store
	control *control.Control
	events  *event.Bus
	fn      *exchange.Function
	copy    string

	mu       sync.Mutex
	facts    []store.ScalingAction
	scaling  control.Scaling
	problems []control.Problem
	put      *control.State
	putErr   error
	checked  int
	check    func(*control.State) []control.Problem // nil: problems

	fileDisabled bool

	ordered  []int // numbers that the platform was asked for
	orderErr error // what it says to orders
}

func open(tb testing.TB, instances ...balancer.Spec) *site {
	tb.Helper()
	s := &site{t: tb, events: event.NewBus(100), copy: filepath.Join(tb.TempDir(), "orders.json")}
	db, err := sqlite.Open(sqlite.Config{Path: filepath.Join(tb.TempDir(), "state.db"), Timeout: time.Minute})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	if err := db.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	s.store = db
	s.fn, err = exchange.NewFunction(exchange.FunctionConfig{
		Name: "public", Breaker: &breaker.Config{}, Policy: exchange.Policy{Affinity: exchange.Affinity{Cookie: "hf"}}, Secret: make([]byte, 32),
	})
	if err != nil {
		tb.Fatal(err)
	}
	s.place(instances...)
	s.restart()
	return s
}

// place makes the function's instances new ones, all of them up.
func (s *site) place(specs ...balancer.Spec) {
	var list []*balancer.Instance
	for _, spec := range specs {
		list = append(list, balancer.NewInstance(spec))
	}
	s.fn.SetInstances(list, time.Now())
	for _, i := range list {
		s.fn.Balancer().SetHealth(i, balancer.HealthUp, "test", time.Now())
	}
}

// restart makes a Control that knows what the store knows.
func (s *site) restart() {
	s.t.Helper()
	s.control = s.another(s.store)
	if err := s.control.Load(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) another(db control.Store) *control.Control {
	return control.New(control.Config{
		Store: db, Facts: s, Runtime: s, Events: s.events, Logger: slog.New(slog.DiscardHandler), Copy: s.copy, Refresh: 10 * time.Millisecond,
	})
}

// run runs the Control until the test ends.
func (s *site) run() {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.control.Run(ctx) }()
	s.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
}

func (s *site) Function(name string) *exchange.Function {
	if name == "public" {
		return s.fn
	}
	return nil
}

func (s *site) Check(state *control.State) []control.Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checked++
	if s.check != nil {
		return s.check(state)
	}
	return slices.Clone(s.problems)
}

func (s *site) Put(state *control.State) error {
	s.mu.Lock()
	s.put = state
	err := s.putErr
	s.mu.Unlock()
	if err == nil {
		s.control.Enforce(s.fn)
	}
	return err
}

func (s *site) Settable(path string) (string, bool) {
	key := strings.TrimPrefix(path, "functions.public.")
	switch {
	case strings.HasSuffix(path, "command"):
		return "cannot be set through the API", false
	case slices.Contains([]string{"retry", "circuit_breaker", "health", "load_balancing", "scaling", "fallback"}, key):
		return "", true
	}
	return "", false
}

func (s *site) Scaling(string) control.Scaling {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.scaling
	if o := s.control.State().Orders("public"); o.Count != nil {
		v.Wanted = o.Count.Instances
	}
	return v
}

func (s *site) Order(_ string, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.orderErr != nil {
		return s.orderErr
	}
	s.ordered = append(s.ordered, n)
	s.scaling.Wanted, s.scaling.Ready = n, n
	return nil
}

func (s *site) Rollback(context.Context, string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "v2", s.orderErr
}

func (s *site) CheckURL(_ context.Context, url string) error {
	if strings.Contains(url, "10.") {
		return errors.New("is not allowed")
	}
	return nil
}

func (s *site) Enabled(state *control.State, function string) bool {
	if !s.fileDisabled {
		return state.Of(function).Enabled
	}
	return strings.Contains(string(state.Of(function).Recovery), `"enabled":true`)
}

func (*site) Recheck(string) {}

func (s *site) Record(f store.Fact) error {
	a, ok := f.(store.ScalingAction)
	if !ok {
		return errors.New("not an action")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.facts = append(s.facts, a)
	return a.Validate()
}

func (s *site) actions() []store.ScalingAction {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.facts)
}

// taking are the instances that take traffic.
func (s *site) taking() []string {
	var list []string
	stats := s.fn.Balancer().Stats(time.Now())
	for i := range stats.Instances {
		if stats.Instances[i].Status == balancer.Active {
			list = append(list, stats.Instances[i].ID)
		}
	}
	return list
}

func (s *site) refused(err error, kind control.Kind, says string) {
	s.t.Helper()
	r, ok := errors.AsType[*control.Refusal](err)
	if !ok || r.Kind != kind || !strings.Contains(err.Error(), says) {
		s.t.Errorf("%v, want kind %d with %q", err, kind, says)
	}
}

func (s *site) audit() []store.AuditEntry {
	s.t.Helper()
	list, err := s.store.AuditLog(s.t.Context(), store.Query{})
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

func raw(text string) json.RawMessage { return json.RawMessage(text) }
