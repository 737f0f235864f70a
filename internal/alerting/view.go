package alerting

import (
	"time"

	"holdfast/internal/alerting/channel"
)

// View is a picture of everything at one moment: what rules look at.
type View struct {
	At           time.Time
	Functions    []Function
	Anomalies    []Anomaly
	Certificates []Certificate
	Store        Store
}

// Function is one function.
type Function struct {
	Name string
	// Total, Available and Starting count its instances.
	Total, Available, Starting int
	// AtZero: nobody needs an instance now. Stopped: somebody ordered that.
	AtZero, Stopped bool
	Panic           bool
	Failed          []Instance
	Breaker         Breaker
	Platform        Platform
	Scaling         Scaling
	// Figure returns what formulas may use; false: it is unknown. May be nil.
	Figure func(name string) (float64, bool)
	// Count returns how many requests there were since the start, and how many of
	// them were bad: failed, or not answered within slow where that is over 0. May
	// be nil.
	Count func(slow time.Duration) (all, bad uint64)
}

// Instance is one that failed.
type Instance struct {
	ID     string
	Since  time.Time
	Reason string
}

// Breaker is a function's.
type Breaker struct {
	State       string // closed, open, half_open; empty: there is none
	Since       time.Time
	NextAttempt time.Time
	Forced      bool
	Reason      string
	Failures    int // in a row, that opened it
}

// Platform is the one a function's instances run on.
type Platform struct {
	Name    string
	Trouble string // why nothing is known of it
	Failure string // why the last order was not taken
}

// Scaling is the latest decision about a function.
type Scaling struct {
	// Limit says what keeps instances from being added: bounds or budget. Empty:
	// nothing does.
	Limit          string
	Wanted, Result int
	Incident       string
}

// Anomaly is one the performance monitor sees. Rule is errors, latency, memory
// or loop_lag; without a function it is about Holdfast itself.
type Anomaly struct {
	Rule, Function, Instance string
	Since                    time.Time
	Text                     string
	Numbers                  map[string]float64
}

// Certificate is one of Holdfast's listeners.
type Certificate struct {
	Listener string
	Ends     time.Time
	// Auto: Holdfast renews it itself.
	Auto bool
}

// Store is where Holdfast keeps its state.
type Store struct {
	Down   bool
	Since  time.Time
	Reason string
	// Disk says why the local disk takes no records; empty: it does.
	Disk string
	// InMemory is how many records are in memory only because of that.
	InMemory int
}

// Finding is something wrong that a rule sees at one moment.
type Finding struct {
	Rule string
	// Function, Instance and Part say what it is about; Part is for what is neither.
	Function, Instance, Part string
	// Between: neither wrong nor well. What fires goes on, and nothing begins.
	Between bool
	// Now: there is no use in waiting whether it lasts.
	Now bool
	// Since is when it began where that is known; zero: now.
	Since time.Time
	// Until is the end of something that merely happened; zero: it lasts until it
	// is found no more.
	Until time.Time
	// Severity is the rule's where it is empty.
	Severity             channel.Severity
	Summary, Cause, Next string
	Numbers              map[string]float64
}
