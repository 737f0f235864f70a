package store

import (
	"encoding/json"
	"fmt"
	"time"
)

// State is the latest known value of something: an Instance, InstanceGone, Breaker, NodeState or TokenUse. Stamp is when
// it was true and decides which of two values stays.
type State interface {
	// Key names what the value is about. Two states with one key replace each other.
	Key() string
	Stamp() time.Time
	// Stamped returns the state with another stamp.
	Stamped(at time.Time) State
	// Validate says what the table would refuse.
	Validate() error
}

// Instance is a row of function_instances, the agreed view of one instance.
type Instance struct {
	ID          string          `json:"id"` // unique over all functions
	Function    string          `json:"function_name"`
	Endpoint    string          `json:"endpoint"`
	Status      string          `json:"status"` // active, inactive, recovering, failed
	Health      json.RawMessage `json:"health,omitempty"`
	Connections int             `json:"connections"`
	LastRequest time.Time       `json:"last_request,omitzero"` // zero: none yet
	CreatedAt   time.Time       `json:"created_at,omitzero"`   // read only: set by the first write
	UpdatedAt   time.Time       `json:"updated_at,omitzero"`   // the stamp
}

// InstanceGone removes the row of an instance that is no longer configured.
type InstanceGone struct {
	ID string    `json:"id"`
	At time.Time `json:"at,omitzero"`
}

// Breaker is a row of circuit_breaker_states, the agreed view of a function's breaker.
type Breaker struct {
	Function      string          `json:"function_name"`
	State         string          `json:"state"` // closed, open, half_open
	FailureCount  int             `json:"failure_count"`
	LastFailure   time.Time       `json:"last_failure,omitzero"`
	NextAttempt   time.Time       `json:"next_attempt,omitzero"`
	HalfOpenCalls int             `json:"half_open_calls"`
	Config        json.RawMessage `json:"config,omitempty"`
	CreatedAt     time.Time       `json:"created_at,omitzero"` // read only
	UpdatedAt     time.Time       `json:"updated_at,omitzero"` // the stamp
}

// NodeState is what one node knows for itself and wants back after a restart: the health of an instance, a breaker with
// all its details, an ejection.
type NodeState struct {
	Node      string          `json:"node"`
	Kind      string          `json:"kind"` // health, breaker, ejection ...
	Name      string          `json:"name"` // of the instance or function
	Data      json.RawMessage `json:"data,omitempty"`
	UpdatedAt time.Time       `json:"updated_at,omitzero"` // the stamp
}

// TokenUse says when a token was last used.
type TokenUse struct {
	ID string    `json:"id"`
	At time.Time `json:"at,omitzero"`
}

// Key names the row. An InstanceGone has the same one.
func (i Instance) Key() string { return "instance\x00" + i.ID }

// Stamp is UpdatedAt.
func (i Instance) Stamp() time.Time { return i.UpdatedAt }

// Stamped sets UpdatedAt.
func (i Instance) Stamped(at time.Time) State { i.UpdatedAt = at; return i }

// Key names the row.
func (g InstanceGone) Key() string { return "instance\x00" + g.ID }

// Stamp is At.
func (g InstanceGone) Stamp() time.Time { return g.At }

// Stamped sets At.
func (g InstanceGone) Stamped(at time.Time) State { g.At = at; return g }

// Key names the row.
func (b Breaker) Key() string { return "breaker\x00" + b.Function }

// Stamp is UpdatedAt.
func (b Breaker) Stamp() time.Time { return b.UpdatedAt }

// Stamped sets UpdatedAt.
func (b Breaker) Stamped(at time.Time) State { b.UpdatedAt = at; return b }

// Key names the row.
func (n NodeState) Key() string { return "node\x00" + n.Node + "\x00" + n.Kind + "\x00" + n.Name }

// Stamp is UpdatedAt.
func (n NodeState) Stamp() time.Time { return n.UpdatedAt }

// Stamped sets UpdatedAt.
func (n NodeState) Stamped(at time.Time) State { n.UpdatedAt = at; return n }

// Key names the token.
func (u TokenUse) Key() string { return "token\x00" + u.ID }

// Stamp is At.
func (u TokenUse) Stamp() time.Time { return u.At }

// Stamped sets At.
func (u TokenUse) Stamped(at time.Time) State { u.At = at; return u }

// Validate says what the table would refuse.
func (i Instance) Validate() error {
	switch i.Status {
	case "active", "inactive", "recovering", "failed":
	default:
		return fmt.Errorf("instance status %q is none of active, inactive, recovering, failed", i.Status)
	}
	if i.ID == "" || i.Function == "" {
		return fmt.Errorf("instance without an id or function")
	}
	return checkDocument(i.Health)
}

// Validate says what the table would refuse.
func (g InstanceGone) Validate() error {
	if g.ID == "" {
		return fmt.Errorf("instance without an id")
	}
	return nil
}

// Validate says what the table would refuse.
func (b Breaker) Validate() error {
	switch b.State {
	case "closed", "open", "half_open":
	default:
		return fmt.Errorf("breaker state %q is none of closed, open, half_open", b.State)
	}
	if b.Function == "" {
		return fmt.Errorf("breaker without a function")
	}
	return checkDocument(b.Config)
}

// Validate says what the table would refuse.
func (n NodeState) Validate() error {
	if n.Kind == "" || n.Name == "" {
		return fmt.Errorf("node state without a kind or name")
	}
	return checkDocument(n.Data)
}

// Validate says what the table would refuse.
func (u TokenUse) Validate() error {
	if u.ID == "" {
		return fmt.Errorf("token use without an id")
	}
	return nil
}

func checkDocument(doc json.RawMessage) error {
	if len(doc) > 0 && !json.Valid(doc) {
		return fmt.Errorf("state with a document that is not JSON")
	}
	return nil
}
