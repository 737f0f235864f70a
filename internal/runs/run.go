package runs

import (
	"time"
)

// State is where a run is in its life.
type State string

// The states. All but the first two are final.
const (
	Queued      State = "queued" // its process is being started
	Running     State = "running"
	Passed      State = "passed"
	Failed      State = "failed"    // an objective, limit or expectation was missed
	Unjudged    State = "invalid"   // it could not be carried out, or its figures say nothing
	SkippedHere State = "skipped"   // this machine or installation cannot do it
	Cancelled   State = "cancelled" // by order, or because Holdfast ended
	Crashed     State = "crashed"   // its process ended, or Holdfast was killed
)

// Over says that nothing more comes.
func (s State) Over() bool { return s != Queued && s != Running }

// Finals are the states in which a run can end.
func Finals() []State { return []State{Passed, Failed, Unjudged, SkippedHere, Cancelled, Crashed} }

// Run is one run as it is now.
type Run struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind" enum:"load,stress,drill"`
	Name     string    `json:"name" doc:"what is loaded, or the experiment"`
	Function string    `json:"function_name,omitempty"`
	State    State     `json:"state" enum:"queued,running,passed,failed,invalid,skipped,cancelled,crashed"`
	Reason   string    `json:"reason,omitempty" doc:"of the state"`
	Spec     Spec      `json:"parameters" doc:"as asked for, without a scenario and a body"`
	By       string    `json:"by,omitempty" doc:"who started it"`
	Begun    time.Time `json:"begun"`
	Ended    time.Time `json:"ended,omitzero"`
	PID      int       `json:"pid,omitempty" doc:"of its process"`
	Limits   string    `json:"limits,omitempty" doc:"of its process, and how they are kept"`
	Latest   *Second   `json:"latest,omitempty" doc:"the last figures"`
	Faults   []string  `json:"faults,omitempty" doc:"in force now"`
	Report   bool      `json:"report" doc:"there is one"`
}

// record is a run and what is kept in memory of it.
type record struct {
	run     Run // guarded by Runs.mu
	order   Order
	atMost  time.Duration
	line    *Line         // nil: its moments are on the disk
	stop    chan struct{} // closed, under Runs.mu, by Stop
	stopped bool          // guarded by Runs.mu

	// What the gateway had counted, when; guarded by Runs.mu.
	before  Counts
	counted time.Time
}

// view is the run as it is now. Requires Runs.mu.
func (r *record) view() Run {
	v := r.run
	if r.line != nil {
		v.Latest, v.Faults = r.line.now()
	}
	return v
}
