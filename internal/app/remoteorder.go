package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"holdfast/balancer"
	"holdfast/internal/event"
	"holdfast/internal/platform"
)

// remoteOrder is a number of instances that is being put in force.
type remoteOrder struct {
	instances int
	cancel    context.CancelFunc
	done      chan struct{} // closed when nobody works on it any more
	taken     time.Time     // when the platform took it; zero: not yet
}

// remoteFailure is an order that was not taken.
type remoteFailure struct {
	instances int
	reason    string
	at        time.Time
	times     int // in a row
}

const (
	// orderTime is how long the platform may take to answer an order.
	orderTime = 30 * time.Second
	// orderShows is how long an order that was taken may take to be observed.
	orderShows = platform.Retell
	// mostOrderWait bounds the wait before an order is tried again.
	mostOrderWait = 5 * time.Minute
)

// again is when the scaler may try an order that failed.
func (f *remoteFailure) again() time.Time {
	return f.at.Add(min(time.Second<<min(f.times, 16), mostOrderWait))
}

// desired is the number of instances that is wanted now.
func (r *remote) desired() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.desiredLocked()
}

func (r *remote) desiredLocked() int {
	switch {
	case r.order != nil:
		return r.order.instances
	case r.seen != nil:
		return r.seen.Desired
	}
	return 0
}

// ready says why no order can be given; nothing was touched then.
func (r *remote) ready(n int) (platform.Driver, error) {
	o, trouble, ok := r.current(time.Now())
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.watch == nil || r.watch.driver == nil || !ok:
		return nil, fmt.Errorf("nothing is known of %s now: %s", r.at.Name(), trouble)
	case !r.watch.driver.Capabilities().Scale, n == 0 && !r.watch.driver.Capabilities().Pause:
		return nil, fmt.Errorf("scale to %d on %s: %w", n, r.at.Name(), platform.ErrUnsupported)
	case o.Owner != "":
		return nil, fmt.Errorf("%w: %s", platform.ErrOwned, o.Owner)
	}
	return r.watch.driver, nil
}

// scale puts a number of instances in force without waiting for it. It takes
// the place of an order under way, whose victims stay then. Whether the
// platform took it shows in failure and in what it tells.
func (r *remote) scale(n int) error {
	d, err := r.ready(n)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.order
	if r.retired || r.watch.ctx.Err() != nil || before != nil && before.instances == n {
		return nil
	}
	ctx, cancel := context.WithCancel(r.watch.ctx)
	o := &remoteOrder{instances: n, cancel: cancel, done: make(chan struct{})}
	if before != nil {
		before.cancel()
	}
	r.order = o
	r.owner.wg.Go(func() {
		defer close(o.done)
		defer cancel()
		if before != nil {
			<-before.done // it ends at once: its context has
		}
		r.carryOut(ctx, d, o)
	})
	return nil
}

// carryOut drains those that shall go, then tells the platform.
func (r *remote) carryOut(ctx context.Context, d platform.Driver, o *remoteOrder) {
	victims := r.choose(d, o.instances)
	var wg sync.WaitGroup
	for _, id := range victims {
		wg.Go(func() { _ = r.owner.instances.drain(ctx, r.name, id, "scaled in") }) // what did not finish in time is cut
	}
	wg.Wait()
	if ctx.Err() != nil {
		return // another order came, which knows about the victims
	}
	ctx, stop := context.WithTimeout(ctx, orderTime)
	defer stop()
	r.finished(o, d.Scale(ctx, platform.Order{Instances: o.instances, Victims: victims}))
}

// choose takes those that shall go out of rotation, and puts those back that an
// earlier order had chosen and this one does not need to. A platform that
// chooses itself tells whom by stopping it.
func (r *remote) choose(d platform.Driver, n int) (victims []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d.Capabilities().PickVictim && r.seen != nil {
		list := r.candidates()
		victims = victimsOf(list, tooMany(r.seen.Desired, len(list), n))
	}
	before := r.victims
	r.victims = map[string]struct{}{}
	for _, id := range victims {
		r.victims[id] = struct{}{}
	}
	for id := range before {
		if _, still := r.victims[id]; !still {
			r.owner.instances.inRotation(r.name, id, "needed again")
		}
	}
	r.keepOut()
	return victims
}

// candidates are the instances that could go. Requires r.mu.
func (r *remote) candidates() []candidate {
	known := map[string]*balancer.InstanceStats{}
	if fn := r.owner.instances.gateway.Function(r.name); fn != nil {
		stats := fn.Balancer().Stats(time.Now())
		for n := range stats.Instances {
			known[stats.Instances[n].ID] = &stats.Instances[n]
		}
	}
	var list []candidate
	for n := range r.seen.Instances {
		i := &r.seen.Instances[n]
		if !staying(i) {
			continue
		}
		c := candidate{id: i.ID, since: i.Since}
		if s := known[i.ID]; s != nil {
			c.leaving, c.inFlight = s.Draining, s.InFlight
			c.serves = i.State == platform.Running && s.Health == balancer.HealthUp
		}
		list = append(list, c)
	}
	return list
}

// keepOut keeps the victims out of rotation, also after the set of instances was
// replaced. Requires r.mu.
func (r *remote) keepOut() {
	for id := range r.victims {
		r.owner.instances.outOfRotation(r.name, id, "scaled in")
	}
}

// release gives all victims back. Requires r.mu.
func (r *remote) release(reason string) {
	for id := range r.victims {
		r.owner.instances.inRotation(r.name, id, reason)
	}
	clear(r.victims)
}

// finished notes what became of an order. One that another took the place of is
// of no interest any more.
func (r *remote) finished(o *remoteOrder, err error) {
	now := time.Now()
	r.mu.Lock()
	if r.order != o {
		r.mu.Unlock()
		return
	}
	if err == nil {
		o.taken, r.failure = now, nil
		r.mu.Unlock()
		return
	}
	f := &remoteFailure{instances: o.instances, reason: err.Error(), at: now, times: 1}
	first := r.failure == nil || r.failure.instances != f.instances || r.failure.reason != f.reason
	if r.failure != nil && r.failure.instances == f.instances {
		f.times = r.failure.times + 1
	}
	r.order, r.failure = nil, f
	r.release("the platform did not take the order")
	where := r.at.Name()
	r.mu.Unlock()
	if !first {
		return
	}
	r.owner.logger.Error("order not taken by the platform", "function", r.name, "platform", where, "instances", f.instances, "error", err)
	r.owner.events.Publish(event.Event{
		Kind: event.Platform, Function: r.name, To: "order_failed", Source: where, Reason: fmt.Sprintf("scale to %d instances: %s", f.instances, f.reason),
	})
}

// settle ends an order that is carried out as far as its number goes, and gives
// victims back that the platform has spared. Requires r.mu.
func (r *remote) settle(o *platform.Observation, now time.Time) {
	if r.order != nil && !r.order.taken.IsZero() && (o.Desired == r.order.instances || now.Sub(r.order.taken) > orderShows) {
		r.order = nil
	}
	present, left := 0, map[string]bool{}
	for n := range o.Instances {
		if i := &o.Instances[n]; staying(i) {
			present++
			left[i.ID] = true
		}
	}
	for id := range r.victims {
		switch {
		case !left[id]:
			delete(r.victims, id)
		case r.order == nil && present <= o.Desired:
			delete(r.victims, id)
			r.owner.instances.inRotation(r.name, id, "the platform has kept it")
		}
	}
}
