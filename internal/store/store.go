package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Store is a database with Holdfast's tables. All methods are safe for concurrent use, return within the store's deadline
// (Config.Timeout of each store, 3 s) and give errors that wrap one of the sentinels.
type Store interface {
	Configs
	Tokens
	Audits
	Sessions
	Facts
	States
	Histories
	Keeper
}

// Configs are the overrides of the configuration. Each change writes its history and the audit log in one transaction.
type Configs interface {
	// FunctionConfig returns ErrNotFound for a function that was never changed.
	FunctionConfig(ctx context.Context, function string) (FunctionConfig, error)
	FunctionConfigs(ctx context.Context) ([]FunctionConfig, error)
	// EditFunctionConfig calls edit with the current row (a new, enabled one when there is none) inside a transaction,
	// and stores the result. No two edits of a function overlap. An edit that leaves a row as it was writes nothing, and
	// changed is false. An error of edit is returned as it is.
	EditFunctionConfig(ctx context.Context, function, action, reason string, by Actor, edit func(*FunctionConfig) error) (c FunctionConfig, changed bool, err error)
	// AddDefaults creates rows of functions that have none, and closed breakers; it changes none that exist.
	AddDefaults(ctx context.Context, all []FunctionConfig) (added int, err error)
	Overrides(ctx context.Context) ([]Override, error)
	// SetOverride sets a key, or removes it when value is nil (ErrNotFound when it was not set).
	SetOverride(ctx context.Context, path string, value json.RawMessage, by Actor) error
	ConfigChanges(ctx context.Context, q Query) ([]ConfigChange, error)
}

// Tokens are the access tokens of the API.
type Tokens interface {
	AddToken(ctx context.Context, t Token, by Actor) error // ErrConflict when the id exists
	Token(ctx context.Context, id string) (Token, error)
	Tokens(ctx context.Context) ([]Token, error)
	RevokeToken(ctx context.Context, id string, by Actor) error // ErrNotFound; revoking twice keeps the first time
}

// Audits is the audit log. Changes made through this package write it themselves; Audit is for the others.
type Audits interface {
	Audit(ctx context.Context, e AuditEntry) error
	AuditLog(ctx context.Context, q Query) ([]AuditEntry, error)
}

// Sessions count the generations of affinity cookies: a cookie of an older generation counts as none.
type Sessions interface {
	SessionGenerations(ctx context.Context) (map[string]int64, error)
	// ClearSessions starts the next generation and returns its number, 1 for the first.
	ClearSessions(ctx context.Context, function string, by Actor) (int64, error)
}

// Facts are appended by the Outbox and read by everybody.
type Facts interface {
	// AppendFacts stores all or nothing; known IDs are skipped.
	AppendFacts(ctx context.Context, facts []Fact) error
	ScalingActions(ctx context.Context, q Query) ([]ScalingAction, error)
	Events(ctx context.Context, q Query) ([]Event, error)
	Decisions(ctx context.Context, q Query) ([]Decision, error)
}

// States are the latest known values, written by the Outbox.
type States interface {
	// SaveStates stores all or nothing, except that a row with the same or a newer stamp stays as it is.
	SaveStates(ctx context.Context, states []State) error
	// Instances returns those of a function, or all for "".
	Instances(ctx context.Context, function string) ([]Instance, error)
	Breakers(ctx context.Context) ([]Breaker, error)
	NodeStates(ctx context.Context, node, kind string) ([]NodeState, error)
	// LatestStamp returns the newest stamp of all states, zero when there is none.
	LatestStamp(ctx context.Context) (time.Time, error)
}

// Chunk is one day of one function as one node saw it, encoded by package history.
type Chunk struct {
	Node     string
	Function string
	Day      int64 // days since 1970 UTC
	Revision int64 // as read; 0 for a new one
	Data     []byte
}

// Histories holds the minute series: fresh minutes of all functions, and older ones folded into a Chunk per function and
// day.
type Histories interface {
	// FreshMinutes returns the minutes of a part (-1: all) with from <= Minute < to, oldest first, at most limit (0: all).
	FreshMinutes(ctx context.Context, part int, from, to int64, limit int) ([]Minutes, error)
	// Chunks returns the chunks of the functions with fromDay <= Day <= toDay, of all nodes.
	Chunks(ctx context.Context, functions []string, fromDay, toDay int64) ([]Chunk, error)
	// Fold writes chunks and removes the minutes that are in them, in one transaction. ErrConflict: somebody changed a
	// chunk since it was read; nothing was written.
	Fold(ctx context.Context, chunks []Chunk, folded []uuid.UUID) error
	// DropHistory removes whole days before day.
	DropHistory(ctx context.Context, day int64) (removed int64, err error)
	HistoryFunctions(ctx context.Context) ([]string, error)
}

// Keeper looks after the tables.
type Keeper interface {
	// Migrate brings the tables to this program's version; it does nothing when they are. Several may call it at once.
	Migrate(ctx context.Context) error
	// Ping makes the store do a small piece of work, a write lock included, and returns what is in the way.
	Ping(ctx context.Context) error
	// Verify checks tables, columns, rights and settings. It gives a line for each, and an error only when it could not
	// look.
	Verify(ctx context.Context) ([]Check, error)
	// Cleanup removes what is older than the given time, in small steps, and says for each table how many rows went. The
	// audit log and the history of the configuration stay for at least AuditRetention. After an error the list holds
	// what was removed until then.
	Cleanup(ctx context.Context, olderThan time.Duration) ([]OldRows, error)
	// Outdated says what Cleanup would remove, and removes nothing.
	Outdated(ctx context.Context, olderThan time.Duration) ([]OldRows, error)
	Close() error
}

// OldRows are the rows of a table that are older than they are kept.
type OldRows struct {
	Table     string
	Rows      int64
	OlderThan time.Duration // for this table
}

// AuditRetention is how long the audit log and the history of the configuration are kept at least.
const AuditRetention = 365 * 24 * time.Hour

// DefaultRetention is how long facts are kept when nothing else is said.
const DefaultRetention = 30 * 24 * time.Hour
