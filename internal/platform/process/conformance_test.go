package process_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/internal/platform"
	"holdfast/internal/platform/platformtest"
	"holdfast/internal/platform/process"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	platformtest.Run(t, func(t *testing.T) platformtest.Service {
		t.Helper()
		gate := filepath.Join(t.TempDir(), "gate")
		spec := child("held")
		spec.Env["GATE"] = gate
		return platformtest.Service{
			Driver: newServed(t, spec),
			Hold: func(t *testing.T) (release func()) {
				t.Helper()
				if err := os.WriteFile(gate, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				return func() { _ = os.Remove(gate) } // what stays shows
			},
		}
	})
}

// served is a process.Driver as a platform.Driver. The product has no use for
// one: there the configuration remembers the number, and commands change.
type served struct {
	*process.Driver
	changed, ordered chan struct{}

	mu      sync.Mutex
	desired int
}

func newServed(t *testing.T, spec process.Spec) *served {
	t.Helper()
	s := &served{changed: make(chan struct{}, 1), ordered: make(chan struct{}, 1), desired: 1}
	var err error
	s.Driver, err = process.New(spec, process.Config{OnChange: func(platform.Instance) { wake(s.changed) }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (s *served) Capabilities() platform.Capabilities {
	return platform.Capabilities{Scale: true, Pause: true}
}

func (s *served) Run(ctx context.Context, tell func(platform.Observation, error)) error {
	over := make(chan error, 1)
	go func() { over <- s.Driver.Run(ctx) }()
	var orders sync.WaitGroup
	orders.Go(func() { s.carryOut(ctx) })
	defer orders.Wait()
	again := time.NewTicker(platform.Retell)
	defer again.Stop()
	for {
		tell(s.observe(), nil)
		select {
		case err := <-over:
			return err
		case <-s.changed:
		case <-again.C:
		}
	}
}

func (s *served) observe() platform.Observation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return platform.Observation{At: time.Now(), Desired: s.desired, Instances: slices.DeleteFunc(s.Instances(), func(i platform.Instance) bool {
		return i.State == platform.Stopped
	})}
}

// Scale does not wait, as drivers of other platforms do not.
func (s *served) Scale(_ context.Context, o platform.Order) error {
	if o.Instances < 0 {
		return fmt.Errorf("scale to %d: there are no such numbers of instances", o.Instances)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.desired = o.Instances
	wake(s.ordered)
	return nil
}

func (s *served) carryOut(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.ordered:
			_ = s.Driver.Scale(ctx, s.observe().Desired) // what became of it shows
			wake(s.changed)
		}
	}
}

func (s *served) Rollback(context.Context) error { return platform.ErrUnsupported }

func (s *served) Metrics(context.Context) (map[string]platform.Usage, error) {
	return nil, platform.ErrUnsupported
}
