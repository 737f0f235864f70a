package app

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/event"
	"holdfast/internal/platform"
)

// remotes are the functions whose instances a platform of its own runs: Docker
// Swarm, Kubernetes. It is to them what processes is to functions on platform
// process:
//
//	remotedriver.go  a platform.Driver for each, from its configuration
//	remote.go        what it tells goes to gateway and log; nothing heard: all stays
//	remoteorder.go   another number of instances: drain, then scale
//	remotevictims.go which instances go
//	scaledremotes.go the scaler's view of it
type remotes struct {
	instances *instances
	events    *event.Bus
	logger    *slog.Logger
	data      *dataDir        // keeps what drivers want kept
	ctx       context.Context //nolint:containedctx // the life of all drivers, given once
	wg        sync.WaitGroup

	mu        sync.Mutex
	functions map[string]*remote
}

func newRemotes(ctx context.Context, i *instances, events *event.Bus, logger *slog.Logger, data *dataDir) *remotes {
	return &remotes{ctx: ctx, instances: i, events: events, logger: logger, data: data, functions: map[string]*remote{}}
}

// apply makes a function's instances those of its platform. A driver whose
// configuration did not change is kept. Calls follow one another.
func (r *remotes) apply(name string, f *config.Function) error {
	one := r.find(name)
	if one == nil {
		one = newRemote(r, name)
		r.mu.Lock()
		r.functions[name] = one
		r.mu.Unlock()
	}
	if one.adopt(f) {
		one.follow(f.Platform)
		return nil
	}
	return one.tell() // the way they are checked may have changed
}

// find returns a function, or nil. It may be asked of nil remotes.
func (r *remotes) find(name string) *remote {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.functions[name]
}

// stop ends looking after a function's instances; the platform keeps them.
func (r *remotes) stop(name string) {
	one := r.find(name)
	r.mu.Lock()
	delete(r.functions, name)
	r.mu.Unlock()
	if one != nil {
		one.retire()
	}
}

// wait returns when all drivers have ended; the context given at the start must
// have ended.
func (r *remotes) wait() { r.wg.Wait() }

// remote is one function on a platform of its own.
type remote struct {
	name  string
	owner *remotes

	mu       sync.Mutex // guards what follows
	function *config.Function
	at       config.Platform // what the watch was made of
	watch    *watch          // nil: none yet
	retired  bool
	lives    *lives

	seen    *platform.Observation // the last one; nil: none yet
	heard   time.Time             // when it came
	trouble string                // why nothing is known now; empty: seen holds
	owned   string                // who was last told to set the number too
	usage   map[string]platform.Usage

	order   *remoteOrder        // under way, or not seen to be carried out yet; nil: none
	failure *remoteFailure      // of the last order; nil: it was taken
	victims map[string]struct{} // out of rotation because they shall go, by id
}

// watch is one driver at work. After a change of its configuration another
// takes its place.
type watch struct {
	driver platform.Driver // nil: it could not be made yet; guarded by the remote's mu
	ctx    context.Context //nolint:containedctx // its life, in which orders are carried out
	cancel context.CancelFunc
	began  time.Time
}

func newRemote(owner *remotes, name string) *remote {
	return &remote{name: name, owner: owner, lives: newLives(name, owner.instances), victims: map[string]struct{}{}}
}

// adopt takes a configuration and says whether it takes another driver.
func (r *remote) adopt(f *config.Function) (another bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.function = f
	return r.watch == nil || !reflect.DeepEqual(whereOf(r.at), whereOf(f.Platform))
}

// whereOf is what a driver is made of.
func whereOf(p config.Platform) config.Platform {
	if p.DockerSwarm != nil {
		c := *p.DockerSwarm
		c.ReadyTimeout = 0
		p.DockerSwarm = &c
	}
	if p.Kubernetes != nil {
		c := *p.Kubernetes
		c.ReadyTimeout = 0
		p.Kubernetes = &c
	}
	return p
}

// follow begins with a driver. The instances stay those of the one before until
// it tells its own.
func (r *remote) follow(p config.Platform) {
	ctx, cancel := context.WithCancel(r.owner.ctx)
	w := &watch{ctx: ctx, cancel: cancel, began: time.Now()}
	r.mu.Lock()
	before := r.watch
	r.watch, r.at = w, p
	r.seen, r.trouble, r.usage, r.order, r.failure = nil, "", nil, nil, nil
	r.release("the platform is another one")
	r.mu.Unlock()
	if before != nil {
		before.cancel()
	}
	r.owner.wg.Go(func() { r.run(w, p) })
	r.owner.wg.Go(func() { r.tend(w) })
}

// retire ends the driver, and what it tells counts for nothing.
func (r *remote) retire() {
	r.mu.Lock()
	r.retired = true
	w := r.watch
	r.mu.Unlock()
	if w != nil {
		w.cancel()
	}
}
