package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Kind is a kind of fact. Its order is the order in which kinds are dropped when the spool is full, first to last.
type Kind uint8

// The kinds.
const (
	KindDecision Kind = iota
	KindMinutes
	KindEvent
	KindAction
	Kinds // how many there are
)

var kindNames = [Kinds]string{"decision", "minutes", "event", "action"}

// String returns the name of the kind, which is also that of its part of the spool.
func (k Kind) String() string {
	if k < Kinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// MaxFactBytes is the most a fact may have in the spool. A larger one is refused by Outbox.Record.
const MaxFactBytes = 512 << 10

// Fact is something that happened: a ScalingAction, an Event, a Decision or Minutes. Each has an ID made by its author
// (NewID); the store takes an ID once.
type Fact interface {
	FactID() uuid.UUID
	FactKind() Kind
	// Validate says what the table would refuse.
	Validate() error
}

// NewID returns an id for a fact: UUID version 7, so ids sort by time.
func NewID() uuid.UUID {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.New() // only when the system has no randomness; then this one panics too
	}
	return id
}

// ScalingAction is a row of scaling_actions: what was done to the instances of a function.
type ScalingAction struct {
	ID           uuid.UUID       `json:"id"`
	Function     string          `json:"function_name"`
	Action       string          `json:"action"` // scale_up, scale_down, failover, recovery
	Before       int             `json:"instance_count_before"`
	After        int             `json:"instance_count_after"`
	Reason       string          `json:"trigger_reason,omitempty"`
	Metrics      json.RawMessage `json:"metrics,omitempty"` // JSON object; nil is {}
	Success      bool            `json:"success"`
	ErrorMessage string          `json:"error_message,omitempty"`
	CreatedAt    time.Time       `json:"created_at"`
}

// Event is a fact of the event stream, kept for those who ask later.
type Event struct {
	ID       uuid.UUID       `json:"id"`
	Node     string          `json:"node,omitempty"`
	Kind     string          `json:"kind"`
	Function string          `json:"function_name,omitempty"`
	Instance string          `json:"instance_id,omitempty"`
	From     string          `json:"from,omitempty"`
	To       string          `json:"to,omitempty"`
	Source   string          `json:"source,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"` // JSON; nil is {}
	At       time.Time       `json:"created_at"`
}

// Decision is the record of a decision: feeding Inputs to the rule again gives Result.
type Decision struct {
	ID       uuid.UUID       `json:"id"`
	Node     string          `json:"node,omitempty"`
	Kind     string          `json:"kind"` // scaling, failover, breaker ...
	Function string          `json:"function_name,omitempty"`
	Rule     string          `json:"rule,omitempty"` // the rule that bound
	Inputs   json.RawMessage `json:"inputs,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	At       time.Time       `json:"created_at"`
}

// Minutes is one minute of a part of all functions, as package history encodes it.
type Minutes struct {
	ID     uuid.UUID
	Node   string
	Minute int64 // minutes since 1970 UTC
	Part   int   // a function belongs to one part for ever
	Data   []byte
}

// FactID returns the id.
func (a ScalingAction) FactID() uuid.UUID { return a.ID }

// FactKind returns KindAction.
func (ScalingAction) FactKind() Kind { return KindAction }

// FactID returns the id.
func (e Event) FactID() uuid.UUID { return e.ID }

// FactKind returns KindEvent.
func (Event) FactKind() Kind { return KindEvent }

// FactID returns the id.
func (d Decision) FactID() uuid.UUID { return d.ID }

// FactKind returns KindDecision.
func (Decision) FactKind() Kind { return KindDecision }

// FactID returns the id.
func (m Minutes) FactID() uuid.UUID { return m.ID }

// FactKind returns KindMinutes.
func (Minutes) FactKind() Kind { return KindMinutes }

// Validate says what the table would refuse.
func (a ScalingAction) Validate() error {
	switch a.Action {
	case "scale_up", "scale_down", "failover", "recovery":
	default:
		return fmt.Errorf("action %q is none of scale_up, scale_down, failover, recovery", a.Action)
	}
	if a.Function == "" {
		return fmt.Errorf("scaling action without a function")
	}
	return checkFact(a.ID, a.CreatedAt, a.Metrics)
}

// Validate says what the table would refuse.
func (e Event) Validate() error {
	if e.Kind == "" {
		return fmt.Errorf("event without a kind")
	}
	return checkFact(e.ID, e.At, e.Data)
}

// Validate says what the table would refuse.
func (d Decision) Validate() error {
	if d.Kind == "" {
		return fmt.Errorf("decision without a kind")
	}
	return checkFact(d.ID, d.At, d.Inputs, d.Result)
}

// Validate says what the table would refuse.
func (m Minutes) Validate() error {
	if m.Minute <= 0 || m.Part < 0 || len(m.Data) == 0 {
		return fmt.Errorf("minutes without a minute or data")
	}
	if m.ID == uuid.Nil {
		return fmt.Errorf("fact without an id")
	}
	return nil
}

func checkFact(id uuid.UUID, at time.Time, docs ...json.RawMessage) error {
	if id == uuid.Nil {
		return fmt.Errorf("fact without an id")
	}
	if at.IsZero() {
		return fmt.Errorf("fact without a time")
	}
	for _, doc := range docs {
		if len(doc) > 0 && !json.Valid(doc) {
			return fmt.Errorf("fact with a document that is not JSON")
		}
	}
	return nil
}

// Text returns s as every store can keep it: valid UTF-8 without NUL, which PostgreSQL refuses.
func Text(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// Document returns a JSON document as every store can keep it: valid UTF-8 without escaped NULs, and {} for none.
func Document(doc json.RawMessage) string {
	if len(doc) == 0 {
		return "{}"
	}
	s := strings.ToValidUTF8(string(doc), "\ufffd")
	if !strings.Contains(s, `\u0000`) {
		return s
	}
	return withoutNUL(s)
}

// withoutNUL removes \u0000 where it is an escape, not where a backslash is escaped before it.
func withoutNUL(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			b.WriteByte(s[i])
		case strings.HasPrefix(s[i:], `\u0000`):
			i += 5
		default:
			b.WriteString(s[i : i+2])
			i++
		}
	}
	return b.String()
}
