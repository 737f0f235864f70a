package exchange

import (
	"fmt"
	"sync/atomic"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/retry"
)

// FunctionConfig is all a function needs.
type FunctionConfig struct {
	Name     string
	Policy   Policy
	Balancer balancer.Config
	// Breaker is nil when the function has none.
	Breaker *breaker.Config
	Budget  retry.BudgetConfig
	// Secret signs affinity cookies; needed for Affinity.Cookie. Gateways that
	// share clients share it.
	Secret []byte
}

// Function is a named service behind the gateway: its instances, its breaker
// and the rules its exchanges go by. Safe for concurrent use.
type Function struct {
	name      string
	secret    []byte
	policy    atomic.Pointer[Policy]
	breaker   atomic.Pointer[breaker.Breaker]
	budget    atomic.Pointer[retry.Budget]
	balancer  *balancer.Balancer
	byID      atomic.Pointer[map[string]*balancer.Instance]
	admission admission
	sessions  sessions
	// generation of affinity cookies; ClearSessions raises it.
	generation atomic.Uint32
	stats      Stats
}

// NewFunction makes a function without instances.
func NewFunction(c FunctionConfig) (*Function, error) {
	f := &Function{name: c.Name, secret: c.Secret}
	f.byID.Store(&map[string]*balancer.Instance{})
	var err error
	if f.balancer, err = balancer.New(f.watchInstances(c.Balancer)); err != nil {
		return nil, fmt.Errorf("function %s: %w", c.Name, err)
	}
	return f, f.Update(c)
}

// Update changes the rules and keeps what was learnt: instances with their
// statistics, the breaker's state, sessions. Exchanges under way finish by the
// rules they began with. The name and the secret stay. On an error nothing has
// changed.
func (f *Function) Update(c FunctionConfig) error {
	if err := f.update(c); err != nil {
		return fmt.Errorf("function %s: %w", f.name, err)
	}
	return nil
}

func (f *Function) update(c FunctionConfig) error {
	if c.Policy.Affinity.Cookie != "" && len(f.secret) < 16 {
		return fmt.Errorf("affinity by cookie needs a secret of at least 16 bytes")
	}
	if err := c.Policy.validate(); err != nil {
		return err
	}
	budget, err := retry.NewBudget(c.Budget)
	if err != nil {
		return err
	}
	br, err := f.nextBreaker(c.Breaker)
	if err != nil {
		return err
	}
	if err := f.balancer.Update(f.watchInstances(c.Balancer)); err != nil {
		return err
	}
	policy := c.Policy.withDefaults()
	f.policy.Store(&policy)
	f.budget.Store(budget)
	f.breaker.Store(br)
	f.admission.open(policy.MaxInFlight)
	f.admission.changed()
	return nil
}

func (f *Function) nextBreaker(c *breaker.Config) (*breaker.Breaker, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // no breaker is a setting, not a failure
	}
	watched := f.watchBreaker(*c)
	if br := f.breaker.Load(); br != nil {
		return br, br.Update(watched)
	}
	return breaker.New(watched)
}

// watchBreaker lets exchanges that wait for a probe know that it ended.
func (f *Function) watchBreaker(c breaker.Config) breaker.Config {
	told := c.OnEvent
	c.OnEvent = func(e breaker.Event) {
		if told != nil {
			told(e)
		}
		f.admission.changed()
	}
	return c
}

// watchInstances wakes exchanges that wait for an instance, and lets an open
// breaker probe as soon as an instance is back: waiting out the rest of the
// recovery timeout would only prolong the outage.
func (f *Function) watchInstances(c balancer.Config) balancer.Config {
	told := c.OnEvent
	c.OnEvent = func(e balancer.Event) {
		if told != nil {
			told(e)
		}
		if e.From == balancer.Failed && e.To != balancer.Failed {
			if br := f.breaker.Load(); br != nil {
				br.Hasten("instance "+e.Instance.ID()+" is back", e.At)
			}
		}
		f.admission.changed()
	}
	return c
}

// SetInstances replaces the instances; those kept by pointer keep their state.
func (f *Function) SetInstances(list []*balancer.Instance, now time.Time) {
	byID := make(map[string]*balancer.Instance, len(list))
	for _, i := range list {
		byID[i.ID()] = i
	}
	f.balancer.Replace(list, now)
	f.byID.Store(&byID)
	f.admission.changed()
}

// Instance returns the instance with this id, or nil.
func (f *Function) Instance(id string) *balancer.Instance { return (*f.byID.Load())[id] }

// Name returns the function's name.
func (f *Function) Name() string { return f.name }

// Policy returns the rules in force, defaults filled in. Read-only.
func (f *Function) Policy() *Policy { return f.policy.Load() }

// Balancer returns the function's balancer.
func (f *Function) Balancer() *balancer.Balancer { return f.balancer }

// Breaker returns the function's breaker, or nil when it has none.
func (f *Function) Breaker() *breaker.Breaker { return f.breaker.Load() }

// Stats returns the function's counters.
func (f *Function) Stats() *Stats { return &f.stats }

// InFlight returns the exchanges that are inside, without those that wait.
func (f *Function) InFlight() int { return int(f.admission.inFlight.Load()) }

// Waiting returns how many exchanges wait and for how long the first has.
func (f *Function) Waiting(now time.Time) (n int, oldest time.Duration) {
	return f.admission.look(now)
}

// RetryBudget returns the state of the retry budget.
func (f *Function) RetryBudget() *retry.Budget { return f.budget.Load() }

// Sessions returns how many sessions affinity holds.
func (f *Function) Sessions(now time.Time) int { return f.sessions.count(now) }

// ClearSessions forgets all sessions, also those in cookies that are still to
// come back, and returns how many were alive.
func (f *Function) ClearSessions(now time.Time) int {
	f.generation.Add(1)
	return f.sessions.clear(now)
}
