package kubernetes

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"holdfast/internal/platform"
)

const (
	// heartbeat is how often the API is asked although nothing changes, and
	// retry how often while it does not answer.
	heartbeat = platform.Retell / 2
	retry     = time.Second
	// ownersEvery is how often autoscalers are looked for.
	ownersEvery = 10 * time.Second
	// settle is how long changes are gathered before they are told: a rollout
	// changes several objects at once.
	settle = 20 * time.Millisecond
)

// Run is platform.Driver's.
func (d *Driver) Run(ctx context.Context, tell func(platform.Observation, error)) error {
	ctx = quiet(ctx)
	for ctx.Err() == nil {
		s, err := d.readScale(ctx)
		if err == nil && s.selector == "" {
			err = fmt.Errorf("read %s: %w", d.target, errNoSelector)
		}
		if err == nil {
			err = d.watch(ctx, s, tell)
		}
		if err != nil && ctx.Err() == nil {
			tell(platform.Observation{}, err)
			pause(ctx, retry)
		}
	}
	return ctx.Err()
}

// view is all that is followed while the pods' selector stays the same.
type view struct {
	target      followed[scaled]
	generations followed[generation]
	pods        followed[pod]
	slices      followed[slice]

	changed chan struct{} // something did
	number  chan struct{} // the target did, perhaps its number
}

// watch follows everything and tells it, until ctx ends (nil) or the pods'
// selector changes, which kinds that are not built in may allow (nil too).
func (d *Driver) watch(ctx context.Context, first scale, tell func(platform.Observation, error)) error {
	ctx, stop := context.WithCancel(ctx)
	var following sync.WaitGroup
	defer following.Wait()
	defer stop()
	resource, err := d.targetResource(ctx)
	if err != nil {
		return err
	}
	v := d.follow(ctx, &following, resource, first.selector)
	d.watching(first.selector, &v.pods)
	defer d.watching("", nil)
	return d.telling(ctx, v, first, tell)
}

// follow starts a goroutine for each kind of objects.
func (d *Driver) follow(ctx context.Context, following *sync.WaitGroup, resource schema.GroupVersionResource, selector string) *view {
	v := &view{changed: make(chan struct{}, 1), number: make(chan struct{}, 1)}
	of := func(r schema.GroupVersionResource, labels string) source {
		return source{cluster: d.cluster, resource: r, labels: labels}
	}
	changed := func() { wake(v.changed) }
	following.Go(func() {
		s := of(resource, "")
		s.name = d.target.name
		follow(ctx, s, readScaled, &v.target, func() { wake(v.number) })
	})
	following.Go(func() { follow(ctx, of(pods(), selector), readPod, &v.pods, changed) })
	slices := schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}
	following.Go(func() {
		follow(ctx, of(slices, "kubernetes.io/service-name="+d.cfg.Service), readSlice, &v.slices, changed)
	})
	if d.target.kind == deployment {
		following.Go(func() { follow(ctx, of(apps("replicasets"), selector), readGeneration, &v.generations, changed) })
	} else {
		v.generations.replace(map[string]generation{})
	}
	return v
}

func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (d *Driver) watching(selector string, pods *followed[pod]) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.selector, d.pods = selector, pods
}

// teller is what one watch has told, and what it tells by.
type teller struct {
	tell     func(platform.Observation, error)
	observer observer
	scale    scale
	heard    time.Time // from the API
	owner    string    // an autoscaler
	asked    time.Time // about owners
	last     platform.Observation
	lastAt   time.Time
}

// telling tells on each change and on each heartbeat.
func (d *Driver) telling(ctx context.Context, v *view, first scale, tell func(platform.Observation, error)) error {
	t := &teller{tell: tell, scale: first, heard: first.asked}
	t.observer.cfg, t.observer.target = &d.cfg, d.target
	beat := time.NewTimer(0)
	defer beat.Stop()
	for {
		var err error
		ask := true
		select {
		case <-ctx.Done():
			return nil
		case <-v.changed:
			ask = false
			t.heard = time.Now()
		case <-v.number:
		case <-beat.C:
		}
		pause(ctx, settle)
		if ask {
			beat.Reset(heartbeat)
			err = d.ask(ctx, t)
		}
		if err == nil && t.scale.selector != first.selector {
			return nil
		}
		if err == nil {
			err = d.tellAll(v, t)
		}
		if err != nil && ctx.Err() == nil {
			t.lastAt = time.Time{} // the next observation is news
			tell(platform.Observation{}, err)
			beat.Reset(retry)
		}
	}
}

// ask reads the number, and now and then who else sets it.
func (d *Driver) ask(ctx context.Context, t *teller) error {
	s, err := d.readScale(ctx)
	if err != nil {
		return err
	}
	t.scale, t.heard = s, time.Now()
	if t.heard.Sub(t.asked) < ownersEvery {
		return nil
	}
	if t.owner, err = d.autoscaler(ctx); err != nil {
		return err
	}
	t.asked = t.heard
	return nil
}

// tellAll tells how things are, if all of it is known and any of it is news.
func (d *Driver) tellAll(v *view, t *teller) error {
	seen, err := v.snapshot()
	if err != nil || seen == nil {
		return err
	}
	o, err := t.observer.observe(seen, t.scale.replicas)
	if err != nil {
		return err
	}
	o.Owner = t.owner
	if o.Owner == "" {
		o.Owner = d.rival(t.scale, seen.target)
	}
	o.At = t.heard
	same := t.last
	same.At = o.At
	if time.Since(t.lastAt) < heartbeat && reflect.DeepEqual(same, o) {
		return nil
	}
	t.last, t.lastAt = o, time.Now()
	t.tell(o, nil)
	return nil
}
