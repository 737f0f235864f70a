// Package platform holds the words every platform driver speaks: what an
// instance is and which states it goes through. Drivers (process, and later
// docker-swarm, kubernetes and the hosted ones) are the only writers of these
// values; everything above reads them.
//
//	           ready            stop asked           gone
//	Starting ---------> Running -----------> Stopping -----> Stopped
//	   |   ^               |
//	   |   | restart       | died by itself
//	   v   | after a wait  v
//	  Gone <---------------+
//	   |
//	   | too many failures in too little time
//	   v
//	CrashLoop   restarts go on, at the longest wait; Running ends it
//
// A driver says what it knows about the instance as a process, container or
// deployment. Whether the instance answers well is said by health checks and
// by its results, and whether it gets traffic is the balancer's decision.
package platform

import (
	"fmt"
	"time"
)

// State is where an instance is in its life, as its platform sees it.
type State uint8

// The states of an instance. The zero value is Starting.
const (
	// Starting: being created, not yet accepting connections.
	Starting State = iota
	// Running: alive and accepting connections.
	Running
	// Stopping: on purpose on its way out; it may finish what it has.
	Stopping
	// Stopped: ended on purpose. Nothing starts it again by itself.
	Stopped
	// Gone: ended by itself or never became ready; a restart is pending.
	Gone
	// CrashLoop: as Gone, but it failed so often that restarts are rare.
	CrashLoop
)

var stateNames = [...]string{"starting", "running", "stopping", "stopped", "gone", "crash_loop"}

// String gives the state's name as APIs and logs show it.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// MarshalText writes the name, so that JSON shows it.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *State) UnmarshalText(text []byte) error {
	for i, name := range stateNames {
		if name == string(text) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("read instance state %q: no such state", text)
}

// Instance is one running endpoint of a function as its platform sees it: a
// copy, never changed after it was handed out.
type Instance struct {
	// ID is unique in the function and survives restarts.
	ID string `json:"id"`
	// Endpoint is where requests go, as a URL without a path
	// (http://127.0.0.1:9001); empty while it is not known yet.
	Endpoint string `json:"endpoint"`
	// State is the present state, and Since when it began.
	State State     `json:"state"`
	Since time.Time `json:"since"`
	// Version names what it runs; empty: not known.
	Version string `json:"version,omitempty"`
	// PID is the process id, 0 while there is none (or none is known).
	PID int `json:"pid,omitempty"`
	// Restarts counts the starts after the first one.
	Restarts int `json:"restarts"`
	// Spare: it is kept ready for a later order and gets no traffic before.
	Spare bool `json:"spare,omitempty"`
	// Reason is one sentence on why the instance is in this state.
	Reason string `json:"reason,omitempty"`
}
