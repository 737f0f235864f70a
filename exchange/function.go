package exchange

import (
	"errors"
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
	// Wanted is told that a request waits and no instance takes traffic, where
	// Policy.ColdStart is set: once, until an instance does. It is called by the
	// engine's goroutine and must not block. May be nil.
	Wanted func()
	// Secret signs affinity cookies, at least 16 bytes; needed for
	// Affinity.Cookie. Gateways that share clients share it.
	Secret []byte
}

// Function is a named service behind the gateway: its instances, its breaker
// and the rules its exchanges go by. Safe for concurrent use.
type Function struct {
	name      string
	secret    []byte
	wanted    func()
	waking    atomic.Int64 // since when somebody waits for the first instance; 0: nobody does
	rules     atomic.Pointer[rules]
	balancer  *balancer.Balancer
	set       atomic.Pointer[instances]
	admission admission
	sessions  sessions
	stats     Stats
}

// instances are those of a function by what names them.
type instances struct {
	byID   map[string]*balancer.Instance
	byHash map[uint64]*balancer.Instance // in affinity cookies
}

// NewFunction makes a function without instances.
func NewFunction(c FunctionConfig) (*Function, error) {
	f := &Function{name: c.Name, secret: c.Secret, wanted: c.Wanted}
	f.set.Store(&instances{})
	var err error
	if f.balancer, err = balancer.New(f.watchInstances(c.Balancer)); err != nil {
		return nil, fmt.Errorf("function %s: %w", c.Name, err)
	}
	if err := f.Update(c); err != nil {
		return nil, err
	}
	return f, nil
}

// Update changes the rules and keeps what was learnt: instances with their
// statistics, the breaker's state, an unchanged retry budget, sessions.
// Exchanges under way finish by the rules they began with; those in the queue
// are let in as far as a new limit allows. The name and the secret stay. On an
// error nothing has changed.
func (f *Function) Update(c FunctionConfig) error {
	if err := f.update(c); err != nil {
		return fmt.Errorf("function %s: %w", f.name, err)
	}
	return nil
}

// update does first what can fail.
func (f *Function) update(c FunctionConfig) error {
	if err := f.validate(&c); err != nil {
		return err
	}
	next := &rules{Policy: c.Policy.withDefaults(), paid: c.Budget, hashes: c.Balancer.Strategy == balancer.ConsistentHash}
	if err := f.nextBudget(next); err != nil {
		return err
	}
	if c.Breaker != nil {
		if err := c.Breaker.Validate(); err != nil {
			return err
		}
	}
	if err := f.balancer.Update(f.watchInstances(c.Balancer)); err != nil {
		return err
	}
	if err := f.nextBreaker(next, c.Breaker); err != nil {
		return err
	}
	f.rules.Store(next)
	f.admission.set(next.MaxInFlight, next.QueueSize)
	f.admission.changed()
	return nil
}

func (f *Function) validate(c *FunctionConfig) error {
	if c.Policy.Affinity.Cookie != "" && len(f.secret) < 16 {
		return errors.New("affinity by cookie needs a secret of at least 16 bytes")
	}
	if err := c.Policy.Fallback.validate(f); err != nil {
		return err
	}
	return c.Policy.validate()
}

func (f *Function) nextBudget(next *rules) (err error) {
	if now := f.rules.Load(); now != nil && now.paid == next.paid {
		next.budget = now.budget
		return nil
	}
	next.budget, err = retry.NewBudget(next.paid)
	return err
}

func (f *Function) nextBreaker(next *rules, c *breaker.Config) (err error) {
	if c == nil {
		return nil
	}
	watched := f.watchBreaker(*c)
	if now := f.rules.Load(); now != nil && now.breaker != nil {
		next.breaker = now.breaker
		return next.breaker.Update(watched)
	}
	next.breaker, err = breaker.New(watched)
	return err
}

// watchBreaker lets exchanges that wait for a probe know of its state.
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
		if br := f.Breaker(); br != nil && cameBack(&e) {
			br.Hasten("instance "+e.Instance.ID()+" is back", e.At)
		}
		if e.Kind == balancer.Ready || e.Kind == balancer.StatusChanged && e.To == balancer.Active {
			f.awake(e.At)
		}
		f.admission.changed()
	}
	return c
}

// cameBack says whether somebody saw an instance return. The end of an ejection
// is not that: its time is over, and nobody knows how it is.
func cameBack(e *balancer.Event) bool {
	return e.Kind == balancer.StatusChanged && e.Source != "ejection" &&
		e.From == balancer.Failed && (e.To == balancer.Recovering || e.To == balancer.Active)
}

// SetInstances replaces the instances; those kept by pointer keep their state.
func (f *Function) SetInstances(list []*balancer.Instance, now time.Time) {
	set := &instances{
		byID:   make(map[string]*balancer.Instance, len(list)),
		byHash: make(map[uint64]*balancer.Instance, len(list)),
	}
	for _, i := range list {
		set.byID[i.ID()], set.byHash[hashString(i.ID())] = i, i
	}
	f.balancer.Replace(list, now)
	f.set.Store(set)
	if len(list) == 0 {
		f.waking.Store(0) // whoever waits wakes it anew
	}
	f.admission.changed()
}

// Instance returns the instance with this id, or nil.
func (f *Function) Instance(id string) *balancer.Instance { return f.set.Load().byID[id] }

// Name returns the function's name.
func (f *Function) Name() string { return f.name }

// Policy returns the rules in force, defaults filled in. Read-only.
func (f *Function) Policy() *Policy { return &f.rules.Load().Policy }

// Balancer returns the function's balancer.
func (f *Function) Balancer() *balancer.Balancer { return f.balancer }

// Breaker returns the function's breaker, or nil when it has none.
func (f *Function) Breaker() *breaker.Breaker {
	if r := f.rules.Load(); r != nil {
		return r.breaker
	}
	return nil // while it is made
}

// Stats returns the function's counters.
func (f *Function) Stats() *Stats { return &f.stats }

// InFlight returns the exchanges that are inside: those with a place, also
// while they wait for an instance.
func (f *Function) InFlight() int { return int(f.admission.present.inside()) }

// Waiting returns how many exchanges wait, for a place, a probe or an instance,
// and for how long the first of them has.
func (f *Function) Waiting(now time.Time) (n int, longest time.Duration) {
	return f.admission.look(now)
}

// RetryBudget returns the retry budget.
func (f *Function) RetryBudget() *retry.Budget { return f.rules.Load().budget }

// Sessions returns how many sessions affinity holds.
func (f *Function) Sessions(now time.Time) int { return f.sessions.count(now) }

// ClearSessions forgets all sessions, also those in cookies that are still to
// come back, and returns how many were alive.
func (f *Function) ClearSessions(now time.Time) int {
	f.VoidSessions(now)
	return f.sessions.clear(now)
}

// VoidSessions voids all affinity cookies made up to t. It never brings voided
// ones back. Call it after a restart with what SessionsVoid said before.
func (f *Function) VoidSessions(t time.Time) { f.sessions.voidUntil(t.UnixMilli()) }

// SessionsVoid returns up to which time affinity cookies are void; zero: none
// is.
func (f *Function) SessionsVoid() time.Time {
	if ms := f.sessions.void.Load(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}
