package access

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"holdfast/internal/store"
)

// Error is why a request is not served: an answer, not a fault. Its texts
// hold no secrets.
type Error struct {
	Status     int           // of the HTTP answer
	Message    string        // one sentence
	Hint       string        // the way out; may be empty
	RetryAfter time.Duration // 429 and 503: when asking again makes sense; 0: not said
}

// Error returns the sentence without the hint.
func (r *Error) Error() string { return r.Message }

// AsError turns an error into an answer: an *Error is one; what is wrong
// with a token is 401; a store that is down is 503; all else is 500. Secrets in
// the text are masked.
func AsError(err error) *Error {
	if r, ok := errors.AsType[*Error](err); ok {
		return r
	}
	switch {
	case errors.Is(err, ErrUnverifiable):
		return &Error{
			Status: http.StatusServiceUnavailable, Message: err.Error(), RetryAfter: unavailableWait,
			Hint: "the token in the file " + BootstrapName + " of the data directory works without the store",
		}
	case errors.Is(err, store.ErrUnavailable):
		return &Error{
			Status: http.StatusServiceUnavailable, Message: Mask(err.Error()), RetryAfter: unavailableWait,
			Hint: "the gateway goes on without the store; changes wait for it",
		}
	case errors.Is(err, store.ErrTokenWrong), errors.Is(err, store.ErrTokenExpired), errors.Is(err, store.ErrTokenRevoked):
		return &Error{Status: http.StatusUnauthorized, Message: err.Error(), Hint: "holdfast token create makes a new one"}
	}
	return &Error{Status: http.StatusInternalServerError, Message: Mask(err.Error())}
}

const unavailableWait = 5 * time.Second

// announce sets what the status wants in the head of the answer.
func (r *Error) announce(h http.Header) {
	if r.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(r.RetryAfter.Seconds()))))
	}
	if r.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="holdfast"`)
	}
}

// Write answers with the refusal as JSON, {"error": ..., "hint": ...}.
func (r *Error) Write(w http.ResponseWriter) {
	r.announce(w.Header())
	writeJSON(w, r.Status, struct {
		Error string `json:"error"`
		Hint  string `json:"hint,omitempty"`
	}{r.Message, r.Hint})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // whoever asked may have left
}
