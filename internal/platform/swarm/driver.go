package swarm

import (
	"context"
	"reflect"
	"sync"
	"time"

	"holdfast/internal/platform"
)

// Driver observes and changes one service. Use [New].
type Driver struct {
	cfg    Config
	engine *engine
	kick   chan struct{} // something changed, or will

	keeping sync.Mutex // one Keep at a time, in order

	mu      sync.Mutex // never held across a wait
	ledger  ledger
	orders  orders
	dead    map[string]time.Time // containers of tasks that ended, by task
	samples map[string]sample    // the last measurement, by container
}

var _ platform.Driver = (*Driver)(nil)

// New checks the configuration; it asks the engine nothing. Errors name the
// field.
func New(c Config) (*Driver, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	book, err := readLedger(c.Kept)
	if err != nil {
		return nil, err
	}
	e, err := connect(&c)
	if err != nil {
		return nil, err
	}
	return &Driver{
		cfg: c, engine: e, kick: make(chan struct{}, 1), ledger: book,
		dead: map[string]time.Time{}, samples: map[string]sample{},
	}, nil
}

// Capabilities implements platform.Driver. Swarm chooses itself which tasks go.
func (d *Driver) Capabilities() platform.Capabilities {
	return platform.Capabilities{Scale: true, Rollback: true, Pause: true, Metrics: true, BootEstimate: true}
}

const (
	// hurry is how often the engine is asked for soon after something happened,
	// busy while something changes.
	hurry    = 100 * time.Millisecond
	hurryFor = 2 * time.Second
	busy     = time.Second
	// breath lies between two questions however much happens.
	breath = 30 * time.Millisecond
)

// Run implements platform.Driver. It returns nil once ctx has ended.
func (d *Driver) Run(ctx context.Context, tell func(platform.Observation, error)) error {
	var events sync.WaitGroup
	defer d.engine.close()
	defer events.Wait()
	events.Go(func() { d.listen(ctx) })
	w := watch{d: d, ready: map[string]readiness{}}
	var last told
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.kick:
			w.happened = time.Now()
		case <-pause.C:
		}
		o, err := w.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if last.news(&o, err) {
			tell(o, err)
		}
		if !sleep(ctx, breath) {
			return nil
		}
		pause.Reset(w.pace(&o, err))
	}
}

// pace is how long nothing is asked unless something happens.
func (w *watch) pace(o *platform.Observation, err error) time.Duration {
	switch {
	case err != nil:
		return busy
	case time.Since(w.happened) < hurryFor:
		return hurry
	case o.Deploying || !settled(o):
		return busy
	}
	return platform.Retell - breath
}

// settled: as many run as should, and nothing else is there.
func settled(o *platform.Observation) bool {
	for n := range o.Instances {
		if o.Instances[n].State != platform.Running {
			return false
		}
	}
	return len(o.Instances) == o.Desired
}

// told is what was told last, and when.
type told struct {
	at  time.Time
	o   platform.Observation
	err string
}

// news reports whether there is something to tell, and takes it as told.
func (t *told) news(o *platform.Observation, err error) bool {
	now := *o
	now.At = time.Time{}
	said := ""
	if err != nil {
		said = err.Error()
	}
	if time.Since(t.at) < platform.Retell && said == t.err && reflect.DeepEqual(t.o, now) {
		return false
	}
	*t = told{at: time.Now(), o: now, err: said}
	return true
}

func (d *Driver) wake() {
	select {
	case d.kick <- struct{}{}:
	default: // it will look anyway
	}
}

// sleep reports whether ctx lasted.
func sleep(ctx context.Context, t time.Duration) bool {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
