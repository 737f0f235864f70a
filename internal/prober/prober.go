package prober

import (
	"container/heap"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"holdfast/health"
)

const (
	defaultConcurrency = 64
	// grace is how long a check may overrun its timeout before it counts as
	// failed without its result.
	grace = 500 * time.Millisecond
	// hurry is the least time between the starts of two checks when a target
	// is suspected over and over.
	hurry = time.Second
	// eagerLeast is the least time between two checks of an eager target.
	eagerLeast = 25 * time.Millisecond
	// maxGrid is the coarsest grid that due times are moved to.
	maxGrid = 250 * time.Millisecond
)

// Config configures a Prober. The zero value is usable.
type Config struct {
	// Concurrency bounds the checks that run at the same time. Default 64.
	Concurrency int
	// Logger gets changes of state and panicking checks; nil is silent.
	Logger *slog.Logger
}

// Target is something to check.
type Target struct {
	// Key identifies the target; Set fills it in.
	Key string
	// Check is required. The prober closes it if it is an io.Closer.
	Check health.Checker
	// Policy has the package's defaults where it is zero.
	Policy health.Policy
	// Initial is the state carried over from before a reload or restart;
	// Unknown, the zero value, gates traffic until the first check.
	Initial health.State
	// Eager targets have just been started: until one is up for the first time it
	// is checked often, every eighth of the time since Set.
	Eager bool
	// Report, if set, gets every result, one at a time per target and in
	// order, outside of locks. It should return soon: a worker waits for it.
	// One that is under way may still arrive just after Remove or Set.
	Report func(Report)
}

// Report is what one check led to.
type Report struct {
	Key     string
	State   health.State
	Changed bool // by this result
	Result  health.Result
	At      time.Time // when the result came in
}

// Prober checks targets. Its methods are safe for concurrent use, also from
// within Report.
type Prober struct {
	concurrency int
	log         *slog.Logger
	wake        chan struct{} // capacity 1: the heap's top may have changed
	epoch       time.Time     // of the grid of due times

	mu      sync.Mutex // guards what follows and all targets; never held across a wait
	targets map[string]*target
	waiting dueHeap
	ready   []*target // due, in order
	workers int
	stuck   int // workers whose check has overrun its timeout
	ended   bool
}

// New returns a prober that checks nothing until Run.
func New(c Config) *Prober {
	p := &Prober{
		concurrency: c.Concurrency,
		log:         c.Logger,
		wake:        make(chan struct{}, 1),
		epoch:       time.Now(),
		targets:     make(map[string]*target),
	}
	if p.concurrency <= 0 {
		p.concurrency = defaultConcurrency
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	return p
}

// Set adds a target, or replaces all of the one with the same key. Its first
// check is due at once, or, if a check of the replaced one is running, when
// that has ended, to which end it is canceled. It panics when t.Check is nil.
func (p *Prober) Set(key string, t Target) {
	if t.Check == nil {
		panic("prober: Set of " + key + " without a Check")
	}
	t.Key = key
	fresh := &target{Target: t, tracker: health.NewTracker(t.Policy, t.Initial), index: -1, fresh: true, since: time.Now()}
	fresh.Policy = t.Policy.WithDefaults()
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		p.close(fresh, nil)
		return
	}
	old := p.targets[key]
	p.targets[key] = fresh
	idle := p.detach(old, fresh)
	if fresh.blocked == nil {
		p.schedule(fresh, time.Now())
	}
	p.mu.Unlock()
	p.notify()
	if idle {
		p.close(old, fresh)
	}
}

// Remove forgets a target. A running check of it is canceled and not
// reported.
func (p *Prober) Remove(key string) {
	p.mu.Lock()
	old := p.targets[key]
	delete(p.targets, key)
	idle := p.detach(old, nil)
	p.mu.Unlock()
	if idle {
		p.close(old, nil)
	}
}

// detach takes old out of the schedule, in favour of next if that is not nil,
// and says whether old's checker can be closed now. If not, the worker that
// runs a check of it will do so. p.mu is held.
func (p *Prober) detach(old, next *target) (idle bool) {
	switch {
	case old == nil:
		return false
	case old.running:
		old.cancel()
		old.gone = true
		old.await(next)
		return false
	}
	old.gone = true
	if old.index >= 0 {
		heap.Remove(&p.waiting, old.index)
	}
	before := old.blocked
	if before == nil {
		return true
	}
	before.await(next)
	return !same(old.Check, before.Check)
}

// await makes next, which may be nil, wait for the end of t's check.
func (t *target) await(next *target) {
	t.next = next
	if next != nil {
		next.blocked = t
	}
}

// Suspect says that traffic through the target failed: it is checked now, but
// at most once a second, and at the policy's SuspectInterval until a check
// succeeds. A target that is down already, or unknown to the prober, is left
// as it is.
func (p *Prober) Suspect(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.targets[key]
	if t == nil || t.tracker.State() == health.Down {
		return
	}
	t.tracker.Suspect()
	if t.running {
		t.again = true // this check may have begun before the failure
		return
	}
	if t.index < 0 {
		return // ready, or blocked: it comes as soon as it can
	}
	if soon := later(time.Now(), t.started.Add(hurry)); soon.Before(t.due) {
		p.schedule(t, soon)
		p.notify()
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// View is a target's present condition.
type View struct {
	Key       string
	State     health.State
	Suspected bool          // up, but the last check or traffic failed
	Last      health.Result // the last result, with the numbers of its answer
	At        time.Time     // when Last came in; zero before the first
	Next      time.Time     // when the next check is due; zero while one runs
	Checks    uint64        // made so far
	Failures  uint64        // of them
	History   health.History
}

// View returns the target's condition, false when there is no such target.
func (p *Prober) View(key string) (View, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.targets[key]
	if t == nil {
		return View{}, false
	}
	v := View{
		Key: key, State: t.tracker.State(), Suspected: t.tracker.Suspected(),
		Checks: t.checks, Failures: t.failures, History: t.tracker.History(),
	}
	v.Last, v.At = t.tracker.Last()
	if !t.running {
		v.Next = t.due
	}
	return v, true
}

// notify makes Run look at the heap again.
func (p *Prober) notify() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// schedule puts the target into the heap, or moves it there. p.mu is held.
func (p *Prober) schedule(t *target, due time.Time) {
	t.due = due
	if t.index < 0 {
		heap.Push(&p.waiting, t)
		return
	}
	heap.Fix(&p.waiting, t.index)
}

// spread is the time after a first check until the second: a random part of
// the jittered interval, though no less than a tenth.
func spread(wait time.Duration) time.Duration {
	return time.Duration((0.1 + 0.9*rand.Float64()) * float64(wait))
}

// Run checks the targets until ctx ends, which is no error. Then it cancels
// the running checks and returns once they have ended and all checkers are
// closed. It may be called once.
func (p *Prober) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var workers sync.WaitGroup
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		if wait, some := p.dispatch(ctx, &workers); some {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-p.wake:
		}
	}
	workers.Wait()
	p.end()
	return nil
}

// end closes all checkers; no worker is left.
func (p *Prober) end() {
	p.mu.Lock()
	all := p.targets
	p.targets, p.waiting, p.ready, p.ended = map[string]*target{}, nil, nil, true
	p.mu.Unlock()
	for _, t := range all {
		p.close(t, nil)
	}
}
