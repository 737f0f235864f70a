package scaler

import (
	"context"
	"sync"
	"time"

	"holdfast/autoscale"
	"holdfast/autoscale/schedule"
	"holdfast/exchange"
	"holdfast/internal/formula"
)

// Target is a function that is to be scaled.
type Target struct {
	Function *exchange.Function
	Policy   autoscale.Policy
	// Windows are when the schedules of the policy are in force, by their names.
	Windows map[string]*schedule.Window
	// OfInstances are the signals of its own that only instances can tell, each
	// its own or combined: those that were never ready have none to tell.
	OfInstances []autoscale.Signal
	// Combined are signals of instances that become one of the function.
	Combined []Combined
	// Derived are signals calculated from others, each after those it uses.
	Derived []Derived
	// ServiceTime is how long an instance takes for a request when it has nothing
	// else to do; 0: it is measured.
	ServiceTime time.Duration
}

// Combined is a signal of instances and how it becomes one of the function. It is
// unknown unless all instances that are ready say theirs.
type Combined struct {
	Signal autoscale.Signal
	How    Combination
}

// Combination makes one number of several.
type Combination string

// The combinations.
const (
	Sum  Combination = "sum"
	Mean Combination = "mean"
	Most Combination = "max"
	Min  Combination = "min"
)

// Derived is a signal that is calculated from others.
type Derived struct {
	Signal  autoscale.Signal
	Formula *formula.Formula
	// Means are the signals that the names in the formula stand for.
	Means map[string]autoscale.Signal
}

// Observation is what a platform knows of a function's instances.
type Observation struct {
	// Desired is how many were last asked for.
	Desired   int
	Instances []autoscale.Instance
	// Deploying: others are taking their place.
	Deploying    bool
	VersionSince time.Time
}

// Platform adds and removes instances.
type Platform interface {
	// Observe returns how things are; false: nobody knows, and nothing is decided.
	Observe(function string) (Observation, bool)
	// Scale carries a decision out without waiting for the instances.
	Scale(function string, d *autoscale.Decision) error
}

// Measured is what others measured: signals of the function and of its
// instances, by id. What is unknown is missing.
type Measured struct {
	Function  map[autoscale.Signal]float64
	Instances map[string]map[autoscale.Signal]float64
}

// Config connects a Scaler. All but Decided and Failed are required.
type Config struct {
	Targets  func() []Target
	Platform Platform
	Measured func(function string) Measured
	// Decided is told of decisions that are worth keeping: changes, incidents that
	// begin or end, other reasons. It must not block.
	Decided func(function string, d *autoscale.Decision)
	// Failed is told of decisions that could not be carried out.
	Failed func(function string, err error)
}

// View is what a scaler thinks of a function.
type View struct {
	Latest autoscale.Decision
	// Earlier are the last decisions that differed from the one before, the oldest
	// first.
	Earlier []autoscale.Decision
}

// tick is how often is decided.
const tick = 2 * time.Second

// Scaler decides and acts. Safe for concurrent use.
type Scaler struct {
	config    Config
	followers map[*exchange.Function]*follower // of Run alone

	mu    sync.Mutex
	views map[string]*view // by function

	called chan struct{} // capacity 1: somebody waits
	wants  sync.Map      // names of functions somebody waits for
}

// New makes a scaler; Run runs it.
func New(c Config) *Scaler {
	return &Scaler{config: c, followers: map[*exchange.Function]*follower{}, views: map[string]*view{}, called: make(chan struct{}, 1)}
}

// Wake has the scaler decide about a function at once: a request waits, and it
// has no instance. It never blocks, and costs nothing where the function is
// not scaled.
func (s *Scaler) Wake(function string) {
	s.wants.Store(function, nil)
	select {
	case s.called <- struct{}{}:
	default: // it is about to look
	}
}

// Run decides until ctx ends.
func (s *Scaler) Run(ctx context.Context) error {
	s.look(time.Now())
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			s.look(time.Now())
		case <-s.called:
			s.answer(time.Now())
		}
	}
}

// look decides about every target once.
func (s *Scaler) look(now time.Time) {
	present := map[*exchange.Function]*follower{}
	for _, t := range s.config.Targets() {
		f := s.followers[t.Function]
		if f == nil {
			f = newFollower(t.Function, now)
		}
		present[t.Function] = f
		s.decide(f, &t, now)
	}
	s.followers = present
	s.forget()
}

// answer decides about the functions that somebody waits for.
func (s *Scaler) answer(now time.Time) {
	for _, t := range s.config.Targets() {
		if _, wanted := s.wants.LoadAndDelete(t.Function.Name()); !wanted {
			continue
		}
		f := s.followers[t.Function]
		if f == nil {
			f = newFollower(t.Function, now)
			s.followers[t.Function] = f
		}
		s.decide(f, &t, now)
	}
}

func (s *Scaler) decide(f *follower, t *Target, now time.Time) {
	name := f.function.Name()
	o, ok := s.config.Platform.Observe(name)
	if !ok {
		return
	}
	signals := f.signals(&o, s.config.Measured(name), now)
	t.complete(f, &signals, now)
	d := autoscale.Decide(t.Policy, f.state, signals, now)
	f.state = d.Next
	if s.keep(name, &d) && s.config.Decided != nil {
		s.config.Decided(name, &d)
	}
	if d.Target() == d.Current {
		return
	}
	if err := s.config.Platform.Scale(name, &d); err != nil && s.config.Failed != nil {
		s.config.Failed(name, err)
	}
}

// forget drops the views of functions that are no longer followed.
func (s *Scaler) forget() {
	names := map[string]bool{}
	for fn := range s.followers {
		names[fn.Name()] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.views {
		if !names[name] {
			delete(s.views, name)
		}
	}
}

// View returns what was decided about a function lately; false: nothing was.
func (s *Scaler) View(function string) (View, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.views[function]
	if v == nil {
		return View{}, false
	}
	return View{Latest: v.latest, Earlier: v.list()}, true
}
