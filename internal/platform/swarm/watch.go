package swarm

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	api "github.com/moby/moby/api/types/swarm"

	"holdfast/internal/platform"
)

// watch is what Run knows from one look to the next.
type watch struct {
	d        *Driver
	happened time.Time // when something last happened
	nodes    map[string]string
	nodesAt  time.Time
	ready    map[string]readiness // by task
	boots    []time.Duration      // of the last instances
	ends     map[string]end       // lately, by task
	version  string
	since    time.Time // when version came
}

// readiness is whether a task accepts connections.
type readiness struct {
	accepted bool
	at       time.Time // when it was seen to, if it had been seen not to
	reason   string    // why it did not when last asked
	counted  bool      // among the boots
}

const (
	nodesFor    = time.Minute
	acceptLimit = 500 * time.Millisecond
	dialsAtOnce = 16
	boots       = 20 // the last ones count
)

// look asks the engine how the service is.
func (w *watch) look(ctx context.Context) (platform.Observation, error) {
	s, err := w.d.engine.inspect(ctx)
	if err != nil {
		return platform.Observation{}, err
	}
	if err := w.d.cfg.check(&s.Service); err != nil {
		return platform.Observation{}, err
	}
	tasks, err := w.d.engine.tasks(ctx, s.ID)
	if err != nil {
		return platform.Observation{}, err
	}
	if err := w.know(ctx, tasks); err != nil {
		return platform.Observation{}, err
	}
	if err := w.d.cfg.attached(&s.Service, tasks); err != nil {
		return platform.Observation{}, err
	}
	w.probe(ctx, tasks)
	now := time.Now()
	o := platform.Observation{
		At: now, Desired: replicas(&s.Service), Instances: w.instances(tasks, replicas(&s.Service), now),
		Version: version(&s.Spec.TaskTemplate), Boot: w.boot(tasks),
	}
	o.Since = w.came(o.Version, s.UpdatedAt, tasks)
	o.Deploying = deploying(&s.Service, &o)
	o.Owner = w.d.noticed(s, now)
	w.d.learn(s, &o)
	return o, nil
}

// know reads the addresses of the nodes if they are needed and not known.
func (w *watch) know(ctx context.Context, tasks []api.Task) error {
	if w.d.cfg.Network != "" {
		return nil
	}
	strange := slices.ContainsFunc(tasks, func(t api.Task) bool { return t.NodeID != "" && alive(&t) && w.nodes[t.NodeID] == "" })
	if !strange && time.Since(w.nodesAt) < nodesFor {
		return nil
	}
	nodes, err := w.d.engine.nodes(ctx)
	if err != nil {
		return err
	}
	w.nodes, w.nodesAt = nodes, time.Now()
	return nil
}

// probe connects to the tasks that swarm calls running and that have not
// accepted a connection yet.
func (w *watch) probe(ctx context.Context, tasks []api.Task) {
	known := make(map[string]readiness, len(tasks))
	dials := map[string]string{} // endpoints by task
	for n := range tasks {
		t := &tasks[n]
		if !wanted(t) || t.Status.State != api.TaskStateRunning {
			continue
		}
		known[t.ID] = w.ready[t.ID]
		if endpoint := w.endpoint(t); endpoint != "" && !known[t.ID].accepted {
			dials[t.ID] = endpoint
		}
	}
	w.ready = known
	var mu sync.Mutex // guards known
	var all sync.WaitGroup
	places := make(chan struct{}, dialsAtOnce)
	for id, endpoint := range dials {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			err := dial(ctx, endpoint)
			mu.Lock()
			defer mu.Unlock()
			known[id] = known[id].after(err)
		})
	}
	all.Wait()
}

// after is what is known once a connection was tried.
func (r readiness) after(err error) readiness {
	switch {
	case err != nil:
		r.reason = err.Error()
	case r.reason != "":
		r.accepted, r.at = true, time.Now()
	default:
		r.accepted = true
	}
	return r
}

func dial(ctx context.Context, endpoint string) error {
	ctx, stop := context.WithTimeout(ctx, acceptLimit)
	defer stop()
	u, err := url.Parse(endpoint)
	if err != nil {
		return err
	}
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return err
	}
	return c.Close()
}

// came says since when a version is there: since it was seen to come, else since
// the oldest task of it that is left. The swarm does not keep it: the next update
// of the service, each scale, overwrites the time.
func (w *watch) came(v string, updated time.Time, tasks []api.Task) time.Time {
	switch w.version {
	case v:
		return w.since
	case "":
		w.since = oldest(v, tasks)
	default:
		w.since = updated
	}
	w.version = v
	return w.since
}

func oldest(v string, tasks []api.Task) time.Time {
	var at time.Time
	for n := range tasks {
		t := &tasks[n]
		if (at.IsZero() || t.CreatedAt.Before(at)) && version(&t.Spec) == v {
			at = t.CreatedAt
		}
	}
	return at
}

// boot is the 95th percentile of how long the last instances took from their
// creation until they accepted connections. Tasks that follow another one in
// their slot are left out: they wait for its end, or for the delay of restarts.
func (w *watch) boot(tasks []api.Task) time.Duration {
	for _, slot := range slots(tasks) {
		t := slot[0]
		r := w.ready[t.ID]
		if len(slot) > 1 || !r.accepted || r.counted {
			continue
		}
		r.counted = true
		w.ready[t.ID] = r
		until := t.Status.Timestamp
		if !r.at.IsZero() {
			until = r.at
		}
		if took := until.Sub(t.CreatedAt); took > 0 {
			w.boots = append(w.boots, took)
		}
	}
	w.boots = w.boots[max(0, len(w.boots)-boots):]
	if len(w.boots) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(w.boots))
	return sorted[(len(sorted)*95+99)/100-1]
}

// slots are the tasks by their slot, the oldest first.
func slots(tasks []api.Task) map[int][]*api.Task {
	out := map[int][]*api.Task{}
	for n := range tasks {
		out[tasks[n].Slot] = append(out[tasks[n].Slot], &tasks[n])
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b *api.Task) int {
			return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		})
	}
	return out
}
