package balancer

import "fmt"

// Status is the agreed state of an instance.
type Status uint8

const (
	// Active takes its full share of traffic.
	Active Status = iota
	// Recovering is ready but ramping up, or waits for its first check.
	Recovering
	// Inactive is drained or stopped on purpose.
	Inactive
	// Failed is gone, failing its checks, or ejected for its results.
	Failed
)

// String returns active, recovering, inactive or failed.
func (s Status) String() string {
	switch s {
	case Active:
		return "active"
	case Recovering:
		return "recovering"
	case Inactive:
		return "inactive"
	case Failed:
		return "failed"
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// Lifecycle is what the platform says of an instance.
type Lifecycle uint8

const (
	// Running is also the word for instances no platform looks after.
	Running Lifecycle = iota
	// Starting has a process that is not ready yet.
	Starting
	// Stopped was taken away on purpose.
	Stopped
	// Gone crashed or vanished.
	Gone
	// Spare is kept out of rotation until more instances are wanted, whatever
	// its process does.
	Spare
)

// String returns running, starting, stopped, gone or spare.
func (l Lifecycle) String() string {
	switch l {
	case Running:
		return "running"
	case Starting:
		return "starting"
	case Stopped:
		return "stopped"
	case Gone:
		return "gone"
	case Spare:
		return "spare"
	}
	return fmt.Sprintf("lifecycle(%d)", uint8(l))
}

// Health is what the active checks say of an instance.
type Health uint8

const (
	// HealthUnknown holds traffic back until the first check.
	HealthUnknown Health = iota
	// HealthUp passes its checks.
	HealthUp
	// HealthDown fails its checks.
	HealthDown
)

// String returns unknown, up or down.
func (h Health) String() string {
	switch h {
	case HealthUnknown:
		return "unknown"
	case HealthUp:
		return "up"
	case HealthDown:
		return "down"
	}
	return fmt.Sprintf("health(%d)", uint8(h))
}

// source names who moved an instance from one status to another.
type source uint8

const (
	fromStart source = iota
	fromLifecycle
	fromHealth
	fromDrain
	fromEjection
	fromSlowStart
)

func (s source) String() string {
	switch s {
	case fromStart:
		return "start"
	case fromLifecycle:
		return "lifecycle"
	case fromHealth:
		return "health"
	case fromDrain:
		return "drain"
	case fromEjection:
		return "ejection"
	case fromSlowStart:
		return "slow-start"
	}
	return "unknown"
}

// sources are all facts the status of an instance follows from.
type sources struct {
	life     Lifecycle
	health   Health
	draining bool
	ejected  bool
	ramping  bool
}

// derive is the status lattice: the status, and the source that binds it. What
// was done on purpose comes first, since a drained instance is expected to go.
func (s sources) derive() (Status, source) {
	switch {
	case s.draining:
		return Inactive, fromDrain
	case s.life == Stopped, s.life == Spare:
		return Inactive, fromLifecycle
	case s.life == Gone:
		return Failed, fromLifecycle
	case s.health == HealthDown:
		return Failed, fromHealth
	case s.ejected:
		return Failed, fromEjection
	case s.life == Starting:
		return Recovering, fromLifecycle
	case s.health == HealthUnknown:
		return Recovering, fromHealth
	case s.ramping:
		return Recovering, fromSlowStart
	}
	return Active, fromStart
}

// tier says what traffic an instance may get. Order: the worse, the lower.
type tier uint8

const (
	tierNever    tier = iota // not in the set, drained, stopped or gone
	tierStarting             // not ready yet, worth waiting for
	tierUnknown              // ready but unchecked: the last resort of panic
	tierPanic                // failed: used in panic only
	tierUsable
)

func (s sources) tier() tier {
	switch {
	case s.draining, s.life == Stopped, s.life == Gone, s.life == Spare:
		return tierNever
	case s.life == Starting:
		return tierStarting
	case s.health == HealthDown, s.ejected:
		return tierPanic
	case s.health == HealthUnknown:
		return tierUnknown
	}
	return tierUsable
}
