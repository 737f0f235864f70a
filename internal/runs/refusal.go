package runs

import (
	"fmt"
	"strings"
)

// Kind says why something is refused.
type Kind uint8

// The kinds.
const (
	Invalid  Kind = iota // it makes no sense
	NotFound             // there is no such run or function
	Conflict             // not now
)

// Refusal is the error about what is not done.
//
//nolint:errname // as package control calls it
type Refusal struct {
	Kind    Kind
	Field   string // of the Spec, as JSON calls it; "" when it is about none
	Message string
	Hint    string
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.Field == "" || strings.HasPrefix(r.Message, r.Field) {
		return r.Message
	}
	return r.Field + ": " + r.Message
}

func wrong(field, format string, args ...any) *Refusal {
	return &Refusal{Kind: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

func missing(id string) *Refusal {
	return &Refusal{Kind: NotFound, Message: fmt.Sprintf("there is no run %q", id), Hint: "GET /api/v1/runs lists the runs that are kept"}
}

func notNow(hint, format string, args ...any) *Refusal {
	return &Refusal{Kind: Conflict, Message: fmt.Sprintf(format, args...), Hint: hint}
}
