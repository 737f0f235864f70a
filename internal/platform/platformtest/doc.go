// Package platformtest is what every platform.Driver must do, as tests that run
// against the real platform: a Swarm engine, a Kubernetes API server, processes.
//
//	func TestConformance(t *testing.T) {
//		platformtest.Run(t, func(t *testing.T) platformtest.Service { ... })
//	}
//
// Each case gets a service of its own and runs beside the others. What a
// capability promises is tested where it is declared; where it is not, that it
// is refused. Hooks that are nil leave out the cases that need them: a platform
// without a control API cannot break it.
//
// Whether goroutines are left over is for the TestMain of the package under
// test (goleak); the cases end each Run they begin and wait for it.
package platformtest

import (
	"context"
	"testing"
	"time"

	"holdfast/internal/platform"
)

// Service is a service with one instance that runs, or will soon, on a real
// platform. Its instances answer GET / with 200. The test that made it removes
// it in a cleanup; it may be removed already by then.
type Service struct {
	// Driver looks after the service; nobody runs it yet.
	Driver platform.Driver
	// Slowest is how long any one thing may take until it shows, on a busy
	// machine; 0: a minute.
	Slowest time.Duration

	// What somebody else does to the service, past the driver. All return once
	// the platform has taken it, and fail the test when it does not.

	// SetReplicas asks for a number of instances.
	SetReplicas func(t *testing.T, n int)
	// NewVersion changes what the instances run, so that the platform replaces
	// them.
	NewVersion func(t *testing.T)
	// Remove removes the service.
	Remove func(t *testing.T)
	// Break makes the control API of the platform unreachable for the driver,
	// not for the instances; Restore ends that.
	Break, Restore func(t *testing.T)
	// Hold keeps instances that start from now on from becoming ready until
	// release is called.
	Hold func(t *testing.T) (release func())
}

// Run tests a driver. It makes a service for each case.
func Run(t *testing.T, newService func(t *testing.T) Service) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(w *watched)
	}{
		{"what runs is told at once and in full", toldAtOnce},
		{"the state is told again while nothing changes", toldAgain},
		{"an instance that is added starts, then runs and answers", scaledUp},
		{"instances that are too many go", scaledDown},
		{"the service goes to zero and comes back", paused},
		{"an order for what is there changes nothing", sameNumber},
		{"what no platform can run is refused", nonsense},
		{"two who scale at once come to an end", rivals},
		{"who resets the number is told of", foreignWriter},
		{"an unreachable platform is never one without instances", unreachable},
		{"a service that is gone is told as gone", gone},
		{"the version before comes back and the number stays", rolledBack},
		{"instances are measured", measured},
		{"the driver ends with its context", ended},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(watch(t, newService(t)))
		})
	}
}

// order scales and fails the test on an error.
func (w *watched) order(o platform.Order) {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.t.Context(), w.Slowest)
	defer stop()
	if err := w.Driver.Scale(ctx, o); err != nil {
		w.t.Fatalf("scale to %d: %v", o.Instances, err)
	}
}
