package platform

import (
	"context"
	"errors"
	"time"
)

// Driver observes and changes the instances of one service on a platform that
// runs them itself: a Swarm service, a Deployment. The service exists already;
// a driver never makes or removes one. Process is not a Driver: it runs its
// instances itself, slot by slot. All methods are safe for concurrent use.
type Driver interface {
	// Capabilities says what the platform can do; it never changes.
	Capabilities() Capabilities
	// Run watches the service until ctx ends and tells what it sees: at once, on
	// each change, and at least every Retell while nothing changes. What it
	// cannot see it tells as an error, and goes on trying: an unknown state is
	// never told as one without instances. tell is called from one goroutine.
	Run(ctx context.Context, tell func(Observation, error)) error
	// Scale asks for a number of instances and returns once the platform has
	// taken the order, not once it is carried out. Errors say what to do; those
	// of ErrOwned, ErrConflict and ErrGone are told apart.
	Scale(ctx context.Context, o Order) error
	// Rollback goes back to the version that ran before the present one and
	// keeps the number of instances. ErrUnsupported, or ErrNoEarlier.
	Rollback(ctx context.Context) error
	// Metrics measures the instances, by id; those it does not know are missing.
	Metrics(ctx context.Context) (map[string]Usage, error)
}

// Capabilities are what a platform can do.
type Capabilities struct {
	Scale bool `json:"scale"`
	// PickVictim: Order.Victims decides who goes.
	PickVictim bool `json:"pick_victim"`
	Rollback   bool `json:"rollback"`
	// Pause: the service can be taken to zero and back.
	Pause   bool `json:"pause"`
	Metrics bool `json:"metrics"`
	// BootEstimate: Observation.Boot is measured.
	BootEstimate bool `json:"boot_estimate"`
}

// Freshness is how long an observation holds. Who has none that is younger
// decides nothing.
const Freshness = 15 * time.Second

// Retell is how often a driver tells what has not changed: one word may get
// lost or come late, and the observation holds.
const Retell = Freshness / 3

// Observation is how a service is, at one time.
type Observation struct {
	At time.Time `json:"at"`
	// Desired is how many instances the platform was last told to run.
	Desired int `json:"desired"`
	// Instances are those that run, start or end; those that are over are left
	// out. Draining ones are in state Stopping.
	Instances []Instance `json:"instances"`
	// Version names what the service should run, Since when it came (zero: not
	// known). Deploying: not all instances are of it yet.
	Version   string    `json:"version,omitempty"`
	Since     time.Time `json:"since,omitzero"`
	Deploying bool      `json:"deploying,omitempty"`
	// Boot is how long instances took to become ready lately (p95); 0: unknown.
	Boot time.Duration `json:"boot,omitempty"`
	// Owner names somebody else who sets the number of instances too, an
	// autoscaler or a deployment tool; empty: nobody was seen.
	Owner string `json:"owner,omitempty"`
}

// Order is a number of instances to run.
type Order struct {
	Instances int
	// Victims are the ids of those that should go, drained already, if fewer
	// are to run. Platforms without PickVictim choose themselves.
	Victims []string
}

// Usage is what an instance uses of what it may, in percent; negative: unknown.
type Usage struct {
	CPUPercent    float64   `json:"cpu_percent"`
	MemoryPercent float64   `json:"memory_percent"`
	At            time.Time `json:"at"` // when it was measured
}

// Errors of drivers.
var (
	// ErrOwned: an autoscaler of the platform owns the number of instances.
	ErrOwned = errors.New("something else scales it")
	// ErrConflict: somebody else changed the service all the time meanwhile.
	ErrConflict = errors.New("somebody else changed it meanwhile")
	// ErrGone: there is no such service.
	ErrGone = errors.New("there is no such service")
	// ErrUnsupported: the platform cannot do it.
	ErrUnsupported = errors.New("this platform cannot do that")
	// ErrNoEarlier: no earlier version is known to go back to.
	ErrNoEarlier = errors.New("no earlier version is known")
)
