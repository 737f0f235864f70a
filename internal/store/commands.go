package store

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Actor is who does something.
type Actor struct {
	Name   string `json:"name"`             // of the token, session or local user
	Role   Role   `json:"role,omitempty"`   // at that time
	Source string `json:"source,omitempty"` // address, or "local"
}

// FunctionConfig is a row of auto_recovery_configs: what the API changed about a function. The documents hold overrides
// only, not the whole configuration.
type FunctionConfig struct {
	Function      string          `json:"function_name"`
	Recovery      json.RawMessage `json:"recovery_config,omitempty"`       // JSON object; nil is {}
	LoadBalancing json.RawMessage `json:"load_balancing_config,omitempty"` // the same
	Scaling       json.RawMessage `json:"scaling_config,omitempty"`        // the same
	Enabled       bool            `json:"enabled"`                         // false: recovery and scaling rest
	CreatedAt     time.Time       `json:"created_at,omitzero"`             // read only
	UpdatedAt     time.Time       `json:"updated_at,omitzero"`             // read only
}

// Override is a configuration key set through the API that has no place in a FunctionConfig.
type Override struct {
	Path      string          `json:"path"`
	Value     json.RawMessage `json:"value"`
	UpdatedAt time.Time       `json:"updated_at"`
	UpdatedBy string          `json:"updated_by"`
}

// ConfigChange is one step of the history of overrides.
type ConfigChange struct {
	ID     uuid.UUID       `json:"id"`
	At     time.Time       `json:"created_at"`
	Who    string          `json:"who"`
	Target string          `json:"target"` // a function's name, or the path of an override
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// AuditEntry is a line of the audit log: a change somebody made, or tried to.
type AuditEntry struct {
	ID     uuid.UUID       `json:"id"`
	At     time.Time       `json:"created_at"`
	Actor  Actor           `json:"actor"`
	Action string          `json:"action"` // "config.set", "function.scale", "token.create" ...
	Target string          `json:"target,omitempty"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	Reason string          `json:"reason,omitempty" doc:"what came with the order as its reason"`
	Error  string          `json:"error,omitempty"` // why it did not happen; empty: it did
}

// Query selects rows of a log, newest first. The zero value is the newest 100.
type Query struct {
	Function string    // "" is all; the target, in the audit log and configuration history
	Kind     string    // action or kind; "" is all
	From, To time.Time // From <= t < To; zero: open
	Before   uuid.UUID // rows older than this one: the last ID of the page before
	Limit    int       // 0 is 100, at most 1000
}

// Size returns the number of rows to read.
func (q Query) Size() int {
	if q.Limit <= 0 {
		return 100
	}
	return min(q.Limit, 1000)
}

// Check is one line of a check list.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}
