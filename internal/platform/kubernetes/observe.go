package kubernetes

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"strconv"
	"time"

	"holdfast/internal/platform"
)

// snapshot is everything that was followed, at one time.
type snapshot struct {
	target      scaled
	generations map[string]generation
	pods        map[string]pod
	slices      map[string]slice
}

// snapshot returns nil and no error while the first lists are under way.
func (v *view) snapshot() (*snapshot, error) {
	targets, err := v.target.all()
	if err != nil || len(targets) == 0 { // none: the scale subresource knows better, and soon says so
		return nil, err
	}
	s := &snapshot{}
	for _, t := range targets {
		s.target = t
	}
	if s.generations, err = v.generations.all(); err != nil || s.generations == nil {
		return nil, err
	}
	if s.pods, err = v.pods.all(); err != nil || s.pods == nil {
		return nil, err
	}
	if s.slices, err = v.slices.all(); err != nil || s.slices == nil {
		return nil, err
	}
	return s, nil
}

// bootsKept is how many starts the estimate is made of.
const bootsKept = 50

// observer makes observations of snapshots. It remembers how long pods took to
// become ready, and when the version changed.
type observer struct {
	cfg     *Config
	target  target
	version string
	since   time.Time
	booted  map[string]bool // uids that are in boots, or cannot be
	boots   []time.Duration
}

func (o *observer) observe(s *snapshot, desired int) (platform.Observation, error) {
	seen := platform.Observation{Desired: desired}
	endpoints, err := o.endpoints(s.slices)
	if err != nil {
		return seen, err
	}
	seen.Version, seen.Since = o.current(s)
	for _, name := range names(s.pods) {
		p := s.pods[name]
		if p.over {
			continue
		}
		i := o.instance(&p, endpoints[name])
		seen.Instances = append(seen.Instances, i)
		old := seen.Version != "" && i.Version != "" && i.Version != seen.Version
		seen.Deploying = seen.Deploying || old && s.target.outdated(&p, desired)
	}
	for _, g := range s.generations {
		old := g.owner == s.target.uid && g.revision != s.target.revision
		seen.Deploying = seen.Deploying || old && g.wanted > 0
	}
	seen.Boot = o.boot(s.pods)
	return seen, nil
}

// current is the version the pods should have and since when.
func (o *observer) current(s *snapshot) (version string, since time.Time) {
	version = s.target.update
	for _, g := range s.generations {
		if g.owner == s.target.uid && g.revision == s.target.revision {
			version, since = g.hash, g.created
		}
	}
	if version == "" {
		return o.version, o.since // its ReplicaSet is still to be seen
	}
	if o.version != "" && version != o.version {
		since = later(since, time.Now().Truncate(time.Second)) // it may be an earlier one that came back
	}
	o.version, o.since = version, later(since, o.since)
	return o.version, o.since
}

// address is where a pod is reached, and what its endpoint says of it.
type address struct {
	url                string
	ready, terminating bool
}

// endpoints finds the endpoints of the Service by pod.
func (o *observer) endpoints(all map[string]slice) (map[string]address, error) {
	out := map[string]address{}
	for _, name := range names(all) {
		s := all[name]
		if len(s.endpoints) == 0 {
			continue
		}
		port, err := strconv.Atoi(o.cfg.Port)
		if err != nil {
			if port, err = s.port(o.cfg.Port); err != nil {
				return nil, fmt.Errorf("find the port of service %s: %w", o.cfg.Service, err)
			}
		}
		for _, e := range s.endpoints {
			if _, ok := out[e.pod]; !ok { // a second one is its address of another family
				host := net.JoinHostPort(e.address, strconv.Itoa(port))
				out[e.pod] = address{url: cmp.Or(o.cfg.Scheme, "http") + "://" + host, ready: e.ready, terminating: e.terminating}
			}
		}
	}
	return out, nil
}

func (o *observer) instance(p *pod, at address) platform.Instance {
	i := platform.Instance{
		ID: p.name, Endpoint: at.url, Version: p.version, Restarts: p.restarts,
		State: platform.Starting, Since: p.created, Reason: p.waiting,
	}
	switch {
	case !p.deleted.IsZero():
		i.State, i.Since, i.Reason = platform.Stopping, p.deleted, "the pod is being deleted"
	case at.terminating:
		i.State, i.Reason = platform.Stopping, "its endpoint is terminating"
	case at.ready:
		i.State, i.Since, i.Reason = platform.Running, later(p.created, p.readySince), ""
	case p.looping:
		i.State = platform.CrashLoop
	case p.ready:
		i.Reason = fmt.Sprintf("the pod is ready, and not a ready endpoint of service %s: does the Service select it?", o.cfg.Service)
	case p.waiting == "":
		i.Reason = "the pod is not ready"
	}
	return i
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// boot is how long pods took from being made to being ready, 95th percentile.
// What lies before the first look counts where nothing restarted; later
// changes of readiness are none.
func (o *observer) boot(pods map[string]pod) time.Duration {
	if o.booted == nil {
		o.booted = map[string]bool{}
	}
	here := map[string]bool{}
	for _, name := range names(pods) {
		p := pods[name]
		here[p.uid] = true
		if !p.ready || o.booted[p.uid] {
			continue
		}
		o.booted[p.uid] = true
		if p.restarts == 0 {
			// Kubernetes counts in seconds: what takes none of them still takes time.
			o.boots = append(o.boots, max(p.readySince.Sub(p.created), time.Second/2))
		}
	}
	maps.DeleteFunc(o.booted, func(uid string, _ bool) bool { return !here[uid] })
	o.boots = o.boots[max(0, len(o.boots)-bootsKept):]
	if len(o.boots) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(o.boots))
	return sorted[int(math.Ceil(0.95*float64(len(sorted))))-1]
}
