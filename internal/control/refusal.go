package control

import (
	"fmt"
	"strings"
)

// Kind says why an order is refused.
type Kind uint8

// The kinds.
const (
	Invalid   Kind = iota // what was asked for is wrong in itself: 400
	Forbidden             // it can never be set this way: 403
	NotFound              // there is no such thing: 404
	Conflict              // not now, as things are: 409
)

// Problem is one thing that is wrong with an order.
type Problem struct {
	Field   string `json:"field"` // as the caller wrote it
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Refusal is why an order is not carried out; nothing was changed.
//
//nolint:errname // an answer more than a fault; the name says which
type Refusal struct {
	Kind     Kind
	Message  string
	Hint     string    // the way out; may be empty
	Problems []Problem // of Invalid and Forbidden; may be empty
}

// Error is one line, with the problems behind the sentence.
func (r *Refusal) Error() string {
	if len(r.Problems) == 0 {
		return r.Message
	}
	lines := make([]string, len(r.Problems))
	for i, p := range r.Problems {
		lines[i] = p.Field + ": " + p.Message
	}
	return r.Message + ": " + strings.Join(lines, "; ")
}

func conflict(hint, format string, args ...any) *Refusal {
	return &Refusal{Kind: Conflict, Message: fmt.Sprintf(format, args...), Hint: hint}
}

func notFound(format string, args ...any) *Refusal {
	return &Refusal{Kind: NotFound, Message: fmt.Sprintf(format, args...)}
}

func invalid(field, hint, format string, args ...any) *Refusal {
	text := fmt.Sprintf(format, args...)
	return &Refusal{Kind: Invalid, Message: "the order cannot be understood", Problems: []Problem{{Field: field, Message: text, Hint: hint}}}
}
