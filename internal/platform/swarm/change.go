package swarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"holdfast/internal/platform"
)

const (
	tries     = 12
	firstWait = 10 * time.Millisecond
	longWait  = 500 * time.Millisecond
)

// errSame: there is nothing to change.
var errSame = errors.New("it is so already")

// Scale implements platform.Driver. Victims mean nothing to a swarm.
func (d *Driver) Scale(ctx context.Context, o platform.Order) error {
	if o.Instances < 0 {
		return fmt.Errorf("scale %s to %d: no service has less than 0 instances", d.cfg.Service, o.Instances)
	}
	err := d.change(ctx, func(s *service) (json.RawMessage, error) {
		if err := d.cfg.check(&s.Service); err != nil {
			return nil, err
		}
		if replicas(&s.Service) == o.Instances {
			return nil, errSame
		}
		return set(s.spec, o.Instances, "Mode", "Replicated", "Replicas")
	}, func(update func() error) error {
		d.ordering(o.Instances)
		err := update()
		if errors.Is(err, errStale) {
			d.refusedOrder()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("scale %s to %d: %w", d.cfg.Service, o.Instances, err)
	}
	return nil
}

// Rollback implements platform.Driver: it applies the TaskTemplate of the
// version before to the service as it is now. The version that is left will not
// be gone back to, unless somebody deploys it again.
func (d *Driver) Rollback(ctx context.Context) error {
	var left *service
	err := d.change(ctx, func(s *service) (json.RawMessage, error) {
		left = s
		if err := d.cfg.check(&s.Service); err != nil {
			return nil, err
		}
		template, err := d.earlier(s)
		if err != nil {
			return nil, err
		}
		return set(s.spec, template, "TaskTemplate")
	}, func(update func() error) error { return update() })
	if err != nil {
		return fmt.Errorf("roll back %s: %w", d.cfg.Service, err)
	}
	d.keeping.Lock()
	defer d.keeping.Unlock()
	if text := d.leave(left); d.cfg.Keep != nil {
		d.cfg.Keep(text)
	}
	return nil
}

func (d *Driver) earlier(s *service) (json.RawMessage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ledger.before(s)
}

func (d *Driver) leave(s *service) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ledger.undo(&s.Spec.TaskTemplate, s.Version.Index)
	return d.ledger.write()
}

// change reads the service, edits it and sends it back, again and again while
// others change it in between.
func (d *Driver) change(ctx context.Context, edit func(*service) (json.RawMessage, error), around func(update func() error) error) error {
	for try := range tries {
		s, err := d.engine.inspect(ctx)
		if err != nil {
			return err
		}
		spec, err := edit(s)
		if errors.Is(err, errSame) {
			return nil
		}
		if err != nil {
			return err
		}
		err = around(func() error { return d.engine.update(ctx, s.ID, s.Version.Index, spec) })
		if !errors.Is(err, errStale) {
			d.wake()
			return err
		}
		wait := min(firstWait<<try, longWait)
		if !sleep(ctx, wait/2+rand.N(wait/2)) {
			return ctx.Err()
		}
	}
	return fmt.Errorf("%w, %d times in a row", platform.ErrConflict, tries)
}

// set returns a JSON object with one value in it replaced and everything else as
// it was, known or not.
func set(object json.RawMessage, value any, path ...string) (json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	if len(object) > 0 {
		if err := json.Unmarshal(object, &fields); err != nil {
			return nil, fmt.Errorf("read the service: %w", err)
		}
	}
	var err error
	if len(path) > 1 {
		fields[path[0]], err = set(fields[path[0]], value, path[1:]...)
	} else {
		fields[path[0]], err = json.Marshal(value)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}
