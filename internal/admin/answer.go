package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"strconv"
	"time"

	"holdfast/internal/admin/access"
	"holdfast/internal/control"
	"holdfast/internal/runs"
	"holdfast/internal/store"
)

// Error is the answer to a request that is refused.
type Error struct {
	Status  int    `json:"-"`
	Success bool   `json:"success" doc:"always false"`
	Message string `json:"error" doc:"one sentence"`
	Hint    string `json:"hint,omitempty" doc:"the way out"`
	// Field is the first of Problems.
	Field    string            `json:"field,omitempty" doc:"what is wrong, as the caller wrote it"`
	Problems []control.Problem `json:"problems,omitempty" doc:"everything that is wrong"`

	retryAfter time.Duration
}

// Error returns the sentence without the hint.
func (e *Error) Error() string { return e.Message }

// GetStatus implements huma.StatusError.
func (e *Error) GetStatus() int { return e.Status }

// GetHeaders implements huma.HeadersError.
func (e *Error) GetHeaders() http.Header {
	h := http.Header{}
	if e.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.retryAfter.Seconds()))))
	}
	if e.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="holdfast"`)
	}
	return h
}

// name puts the first problem where nobody overlooks it.
func (e *Error) name() {
	if len(e.Problems) == 0 {
		return
	}
	p := e.Problems[0]
	e.Field = p.Field
	if e.Hint == "" {
		e.Hint = p.Hint
	}
	e.Message += ": " + p.Field + ": " + p.Message
	if more := len(e.Problems) - 1; more > 0 {
		e.Message += fmt.Sprintf(" (and %d more)", more)
	}
}

func refuse(status int, hint, format string, args ...any) *Error {
	return &Error{Status: status, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// asError turns any error into an answer.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if r, ok := errors.AsType[*control.Refusal](err); ok {
		return refusalOf(r)
	}
	if r, ok := errors.AsType[*runs.Refusal](err); ok {
		return refusalOfRun(r)
	}
	if errors.Is(err, store.ErrNotFound) {
		return &Error{Status: http.StatusNotFound, Message: access.Mask(err.Error())}
	}
	a := access.AsError(err)
	return &Error{Status: a.Status, Message: a.Message, Hint: a.Hint, retryAfter: a.RetryAfter}
}

func refusalOf(r *control.Refusal) *Error {
	e := &Error{Message: access.Mask(r.Message), Hint: r.Hint}
	for _, p := range r.Problems {
		e.Problems = append(e.Problems, control.Problem{Field: access.Mask(p.Field), Message: access.Mask(p.Message), Hint: p.Hint})
	}
	switch r.Kind {
	case control.Invalid:
		e.Status = http.StatusBadRequest
	case control.Forbidden:
		e.Status = http.StatusForbidden
	case control.NotFound:
		e.Status = http.StatusNotFound
	case control.Conflict:
		e.Status = http.StatusConflict
	}
	e.name()
	return e
}

func refusalOfRun(r *runs.Refusal) *Error {
	status := map[runs.Kind]int{runs.Invalid: http.StatusBadRequest, runs.NotFound: http.StatusNotFound, runs.Conflict: http.StatusConflict}[r.Kind]
	return &Error{Status: status, Message: access.Mask(r.Error()), Field: r.Field, Hint: r.Hint}
}

func writeError(w http.ResponseWriter, err error) {
	e := asError(err)
	maps.Copy(w.Header(), e.GetHeaders())
	writeJSON(w, e.Status, e)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // a figure JSON has no word for
		status, b = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written as JSON"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // whoever asked may have left
}

func writeText(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // whoever asked may have left
}
