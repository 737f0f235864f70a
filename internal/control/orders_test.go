package control_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/internal/control"
	"holdfast/internal/store"
)

func pair() []balancer.Spec {
	return []balancer.Spec{{ID: "a", Endpoint: "http://127.0.0.1:1"}, {ID: "b", Endpoint: "http://127.0.0.1:2"}}
}

func TestTheLowestPriorityIsThePrimaryAndOfEqualsTheBusiest(t *testing.T) {
	t.Parallel()
	spec := func(id string, priority int) balancer.Spec {
		return balancer.Spec{ID: id, Endpoint: "http://127.0.0.1:1", Priority: priority}
	}
	for name, c := range map[string]struct {
		specs []balancer.Spec
		busy  int // index of the one with requests
		want  string
	}{
		"priority":             {[]balancer.Spec{spec("a", 1), spec("b", 0)}, 0, "b"},
		"load among equals":    {[]balancer.Spec{spec("a", 0), spec("b", 0), spec("c", 0)}, 2, "c"},
		"load does not matter": {[]balancer.Spec{spec("a", 2), spec("b", 1), spec("c", 2)}, 2, "b"},
	} {
		s := open(t, c.specs...)
		s.fn.Balancer().Begin(s.fn.Balancer().Instances()[c.busy], time.Now())
		m, err := s.control.Failover(t.Context(), me, "public", "", "", false)
		if err != nil || m.Instance != c.want {
			t.Errorf("%s: %+v %v, want %s", name, m, err, c.want)
		}
		if slices.Contains(s.taking(), c.want) || m.After != m.Before-1 {
			t.Errorf("%s: %v, %+v", name, s.taking(), m)
		}
	}
}

func TestAFailoverIsRefusedWhenNobodyElseCouldServeUnlessForced(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	s.fn.Balancer().SetHealth(s.fn.Instance("b"), balancer.HealthDown, "test", time.Now())
	_, err := s.control.Failover(t.Context(), me, "public", "a", "", false)
	s.refused(err, control.Conflict, "nobody else could take")
	_, err = s.control.Failover(t.Context(), me, "public", "c", "", false)
	s.refused(err, control.NotFound, `no instance "c"`)
	_, err = s.control.Failover(t.Context(), me, "nothing", "", "", false)
	s.refused(err, control.NotFound, `no function "nothing"`)
	if n := len(s.taking()); n != 1 || len(s.actions()) != 0 {
		t.Errorf("refused, and %d take traffic, %v", n, s.actions())
	}
	if _, err := s.control.Failover(t.Context(), me, "public", "a", "", true); err != nil || len(s.taking()) != 0 {
		t.Errorf("forced: %v %v", err, s.taking())
	}
}

func TestOrdersHoldForNewInstancesAndAfterARestart(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	if _, err := s.control.Failover(t.Context(), me, "public", "a", "disk", false); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"replaced", "restarted"} {
		s.place(pair()...)
		if what == "restarted" {
			s.restart()
		}
		s.control.Enforce(s.fn)
		if got := s.taking(); !slices.Equal(got, []string{"b"}) {
			t.Errorf("%s: %v take traffic", what, got)
		}
	}
	if _, err := s.control.Failback(t.Context(), me, "public", ""); err != nil || len(s.taking()) != 2 {
		t.Errorf("back: %v %v", s.taking(), err)
	}
	_, err := s.control.Failback(t.Context(), me, "public", "")
	s.refused(err, control.Conflict, "has not failed over")
	if a := s.actions(); len(a) != 2 || a[0].Before != 2 || a[0].After != 1 || a[1].After != 2 {
		t.Errorf("%+v", a)
	}
}

func TestWhatOthersDrainedStaysDrained(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	a := s.fn.Instance("a")
	s.fn.Balancer().SetDraining(a, true, "being stopped", time.Now())
	if err := s.control.Drain(t.Context(), me, "public", "b", true, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.control.Drain(t.Context(), me, "public", "b", false, ""); err != nil {
		t.Fatal(err)
	}
	if got := s.taking(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("%v", got)
	}
}

func TestUndrainDoesNotTakeAFailoverBack(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	if _, err := s.control.Failover(t.Context(), me, "public", "a", "", false); err != nil {
		t.Fatal(err)
	}
	s.refused(s.control.Drain(t.Context(), me, "public", "a", false, ""), control.Conflict, "by a failover")
	s.refused(s.control.Drain(t.Context(), me, "public", "b", false, ""), control.Conflict, "not drained by order")
	s.refused(s.control.Drain(t.Context(), me, "public", "c", true, ""), control.NotFound, `no instance "c"`)
}

func TestWeightsAreKeptAndGivenBack(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	weight := func() int { o := s.control.State().Orders("public"); return o.Weight("a", 3) }
	if err := s.control.Weigh(t.Context(), me, "public", "a", 9); err != nil || weight() != 9 {
		t.Errorf("%d %v", weight(), err)
	}
	s.restart()
	if weight() != 9 {
		t.Errorf("after a restart: %d", weight())
	}
	if err := s.control.Weigh(t.Context(), me, "public", "a", 0); err != nil || weight() != 3 {
		t.Errorf("%d %v", weight(), err)
	}
	s.refused(s.control.Weigh(t.Context(), me, "public", "a", 1001), control.Invalid, "weight: must be between")
}

func TestAForcedBreakerStaysOpenUntilReset(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	s.refused(s.control.OpenBreaker(t.Context(), me, "public", ""), control.Invalid, "must say why")
	if err := s.control.OpenBreaker(t.Context(), me, "public", "bad data"); err != nil || s.fn.Breaker().State() != breaker.Open {
		t.Fatalf("%v %v", s.fn.Breaker().State(), err)
	}
	s.fn.Breaker().Reset("a restart forgets", time.Now())
	s.restart()
	s.control.Enforce(s.fn)
	if s.fn.Breaker().State() != breaker.Open {
		t.Error("the order was forgotten")
	}
	if err := s.control.ResetBreaker(t.Context(), me, "public", ""); err != nil || s.fn.Breaker().State() != breaker.Closed {
		t.Errorf("%v %v", s.fn.Breaker().State(), err)
	}
	s.control.Enforce(s.fn)
	if s.fn.Breaker().State() != breaker.Closed {
		t.Error("it was forced again")
	}
}

func TestEveryOrderIsInTheAuditLogAlsoOneThatChangesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	c, ctx := s.control, t.Context()
	orders := map[string]func() error{
		"function.stop":           func() error { return c.Stop(ctx, me, "public", "") },
		"function.start":          func() error { return c.Start(ctx, me, "public", "") },
		"function.initialize":     func() error { return c.Initialize(ctx, me, "public", "") },
		"function.disable":        func() error { return c.Disable(ctx, me, "public") },
		"function.clear_sessions": func() error { _, err := c.ClearSessions(ctx, me, "public", ""); return err },
		"breaker.reset":           func() error { return c.ResetBreaker(ctx, me, "public", "") },
	}
	for action, order := range orders {
		for range 2 {
			if err := order(); err != nil {
				t.Errorf("%s: %v", action, err)
			}
		}
		n := 0
		for _, e := range s.audit() {
			if e.Action == action && e.Actor == me && e.Target == "public" {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%s: %d entries, want 2", action, n)
		}
	}
}

// ahead is a store whose clock is.
type ahead struct{ store.Store }

func (a ahead) EditFunctionConfig(ctx context.Context, function, action, reason string, by store.Actor, edit func(*store.FunctionConfig) error) (c store.FunctionConfig, changed bool, err error) {
	c, changed, err = a.Store.EditFunctionConfig(ctx, function, action, reason, by, edit)
	c.UpdatedAt = c.UpdatedAt.Add(time.Hour)
	return c, changed, err
}

func TestWhetherAnOrderChangedAnythingDoesNotDependOnClocks(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	c := s.another(ahead{s.store})
	for n := range 2 {
		if err := c.Stop(t.Context(), me, "public", ""); err != nil {
			t.Fatal(err)
		}
		if list := s.audit(); len(list) != n+1 {
			t.Fatalf("%d entries in the audit log, want %d: %+v", len(list), n+1, list)
		}
	}
}

func TestInitializeEnablesAlsoWhatTheFileDisables(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	s.fileDisabled = true
	if s.control.Enabled("public") {
		t.Fatal("enabled before")
	}
	if err := s.control.Initialize(t.Context(), me, "public", ""); err != nil || !s.control.Enabled("public") {
		t.Errorf("%v, enabled %v", err, s.control.Enabled("public"))
	}
	if err := s.control.Disable(t.Context(), me, "public"); err != nil || s.layer() != `{"functions.public.enabled":false}` {
		t.Errorf("%s %v", s.layer(), err)
	}
}

func TestAnOrderThatCannotBeWrittenIsNotCarriedOut(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	c, ctx := s.control, t.Context()
	_, failover := c.Failover(ctx, me, "public", "a", "", false)
	_, sessions := c.ClearSessions(ctx, me, "public", "")
	_, configure := c.Configure(ctx, me, "public", control.Documents{Recovery: raw(`{"failure_threshold":2}`)})
	for name, err := range map[string]error{
		"failover": failover, "sessions": sessions, "configure": configure,
		"stop": c.Stop(ctx, me, "public", ""), "breaker": c.OpenBreaker(ctx, me, "public", "x"),
		"drain": c.Drain(ctx, me, "public", "a", true, ""), "key": c.Set(ctx, me, "log.level", raw(`"debug"`)),
	} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(s.taking()) != 2 || s.fn.Breaker().State() != breaker.Closed || len(s.actions()) != 0 || s.put != nil {
		t.Errorf("something was changed: %v %v %v", s.taking(), s.fn.Breaker().State(), s.actions())
	}
}

func TestAStartWithoutTheStoreKnowsTheOrdersFromTheirCopy(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	if _, err := s.control.Failover(t.Context(), me, "public", "a", "", false); err != nil {
		t.Fatal(err)
	}
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	s.control = s.another(s.store)
	if err := s.control.Load(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("the outage was not told: %v", err)
	}
	s.place(pair()...)
	s.control.Enforce(s.fn)
	if got := s.taking(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("%v", got)
	}
}

func TestOrdersOfAnotherNodeComeIntoForce(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	s.run()
	other := &site{t: t, store: s.store, fn: s.fn, events: s.events}
	other.control = other.another(s.store)
	if err := other.control.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The other one has the same store and a runtime of its own.
	if err := other.control.Stop(t.Context(), me, "public", ""); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(10 * time.Second)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for s.control.State().Orders("public").Stopped == nil {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatal("not after 10 s")
		}
	}
}

func TestScaleKeepsToTheLimitsAndLogsTheResult(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	s.run()
	s.scaling = control.Scaling{Platform: "process", Configured: 2, Wanted: 2, Ready: 2, Min: 0, Max: 3}
	scale := func(direction string, n int) error {
		_, err := s.control.Scale(t.Context(), me, "public", direction, n, "")
		return err
	}
	s.refused(scale("", 4), control.Conflict, "3 instances at most")
	s.refused(scale("", -1), control.Conflict, "1 instances at least")
	s.refused(scale("sideways", 0), control.Invalid, "scale_action")
	s.refused(scale("", 0), control.Invalid, "is missing")
	// The instances come as ordered: one fails.
	s.scaling.Trouble = "public-3: exit status 1"
	s.scaling.Wanted = 3
	s.scaling.Max = 5
	v, err := s.control.Scale(t.Context(), me, "public", "", 4, "sale")
	if err != nil || v.Action == nil || v.Action.Success || v.Action.Action != "scale_up" || v.Action.ErrorMessage == "" {
		t.Fatalf("%+v %v", v, err)
	}
	if list := s.audit(); list[0].Error == "" {
		t.Errorf("the failure is not in the audit log: %+v", list[0])
	}
	if o := s.control.State().Orders("public"); o.Count == nil || o.Count.Instances != 4 {
		t.Errorf("4 instances are ordered, and %+v is in force", o.Count)
	}
	// As many as are configured are no order: nothing is left in force.
	s.scaling = control.Scaling{Platform: "process", Configured: 2, Unordered: 2, Wanted: 2, Ready: 2, Max: 5}
	if err := scale("", 2); err != nil {
		t.Fatal(err)
	}
	if o := s.control.State().Orders("public"); o.Count != nil {
		t.Errorf("as many as are configured are ordered, and %+v is in force", o.Count)
	}
	// They are one when the scaler has put another number in force.
	s.scaling.Unordered = 4
	if err := scale("", 2); err != nil {
		t.Fatal(err)
	}
	if o := s.control.State().Orders("public"); o.Count == nil || o.Count.Instances != 2 {
		t.Errorf("2 instances are ordered where the scaler wants 4, and %+v is in force", o.Count)
	}
	s.scaling = control.Scaling{Platform: "static"}
	s.refused(scale("up", 0), control.Conflict, "cannot start more")
}

func TestAnOrderedCountYieldsToANewConfiguration(t *testing.T) {
	t.Parallel()
	o := control.Orders{Count: &control.Count{Instances: 4, Configured: 2}}
	for _, c := range []struct{ configured, low, high, want int }{
		{2, 1, 5, 4},
		{3, 1, 5, 3}, // somebody changed the file since
		{2, 1, 3, 3}, // the limit was lowered since
		{2, 5, 9, 5},
	} {
		if got := o.Instances(c.configured, c.low, c.high); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	none := control.Orders{}
	if none.Instances(7, 1, 5) != 7 {
		t.Error("limits bind orders, not the configuration")
	}
}

func TestAScaleOrderThatTakesLongerThanItsRequestIsFollowed(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	s.run()
	s.scaling = control.Scaling{Platform: "process", Configured: 2, Wanted: 2, Ready: 2, Max: 5, ReadyIn: time.Minute}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { // the request ends once its order is in force
		for s.control.State().Orders("public").Count == nil && ctx.Err() == nil {
			<-time.After(time.Millisecond)
		}
		stop()
	}()
	v, err := s.control.Scale(ctx, me, "public", "up", 0, "")
	if err != nil || !v.Pending {
		t.Fatalf("%+v %v", v, err)
	}
	s.mu.Lock()
	s.scaling.Ready = 3
	s.mu.Unlock()
	deadline := time.After(10 * time.Second)
	for len(s.actions()) == 0 {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			t.Fatal("the action was not logged")
		}
	}
	if a := s.actions()[0]; !a.Success || a.After != 3 {
		t.Errorf("%+v", a)
	}
}

func TestSentencesNameEverythingThatHolds(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	c, ctx := s.control, t.Context()
	for _, err := range []error{
		c.Stop(ctx, me, "public", "why1"), c.Drain(ctx, me, "public", "b", true, "why2"), c.OpenBreaker(ctx, me, "public", "why3"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	o := s.control.State().Orders("public")
	text := fmt.Sprint(o.Sentences())
	for _, want := range []string{"why1", "why2", "why3", "b gets no traffic", "breaker forced open"} {
		if !contains(text, want) {
			t.Errorf("nothing says %q: %s", want, text)
		}
	}
}

// Another node took the order back: here only its absence is seen.
func TestABreakerNobodyOrdersOpenAnyMoreIsLetGo(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	s.fn.Breaker().ForceOpen("ordered on another node", time.Now())
	s.control.Enforce(s.fn)
	if got := s.fn.Breaker().State(); got != breaker.Closed {
		t.Errorf("the breaker is %s", got)
	}
}
