package store

import (
	"errors"
	"fmt"
)

// What went wrong, for callers that must choose; test with errors.Is.
var (
	// ErrUnavailable says that the store could not be asked, or cannot serve: down, locked, full, without rights. The
	// same call may succeed later. The API answers 503.
	ErrUnavailable = errors.New("store unavailable")
	// ErrNotFound says that there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that somebody else changed the row in between, or that it exists already.
	ErrConflict = errors.New("conflicting change")
	// ErrRejected says that the store will never take this: it breaks a rule of the table.
	ErrRejected = errors.New("rejected by the store")
	// ErrCorrupt says that the database file is damaged. It comes with ErrUnavailable.
	ErrCorrupt = errors.New("database file is damaged")
	// ErrTooNew says that a newer Holdfast made the tables. It comes with ErrUnavailable.
	ErrTooNew = errors.New("tables are of a newer version")
	// ErrDenied says that the store answers, and does not let this user do it. It comes with ErrUnavailable.
	ErrDenied = errors.New("access denied")
	// ErrFull says that a fact or state was dropped because a bounded queue is full.
	ErrFull = errors.New("queue is full")
)

// Error is what both stores return. Its text never holds a password.
type Error struct {
	Op   string // verb and object: "append facts"
	Kind error  // one of the sentinels above; nil when none fits
	Err  error  // the cause
	Hint string // what an operator can do; may be empty
}

func (e *Error) Error() string {
	text := e.Op
	if e.Kind != nil {
		text += ": " + e.Kind.Error()
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		text = fmt.Sprintf("%s (%s)", text, e.Hint)
	}
	return text
}

// Unwrap gives errors.Is the kind and the cause. What is damaged, too new or denied is unavailable as well.
func (e *Error) Unwrap() []error {
	var all []error
	if e.Kind != nil {
		all = append(all, e.Kind)
	}
	if errors.Is(e.Kind, ErrCorrupt) || errors.Is(e.Kind, ErrTooNew) || errors.Is(e.Kind, ErrDenied) {
		all = append(all, ErrUnavailable)
	}
	if e.Err != nil {
		all = append(all, e.Err)
	}
	return all
}
