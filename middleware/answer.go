package middleware

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"holdfast/exchange"
)

// answer gives the client an answer of Holdfast's own.
func (f *flight) answer(step exchange.Step) {
	f.body.skip()
	f.answerEarly()
	a := step.Answer
	h := f.w.Header()
	if a.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(a.RetryAfter.Seconds()))))
	}
	if a.Fallback == nil {
		(&refusal{a.Status, step.Reason.String()}).write(f.w, f.r, f.in.id)
		return
	}
	for name, value := range a.Fallback.Header {
		h.Set(name, value)
	}
	if a.Fallback.Redirect != "" {
		query := ""
		if q := f.r.URL.RawQuery; q != "" {
			query = "?" + q
		}
		h.Set("Location", a.Fallback.Location(f.in.path, query))
	}
	writeLocal(f.w, f.r, a.Status, a.Fallback.Body, f.in.id)
}

// write answers with the reason, as JSON for clients that prefer it.
func (r *refusal) write(w http.ResponseWriter, q *http.Request, id string) {
	body := ""
	if r.reason != "" {
		var kind string
		kind, body = Problem(q.Header["Accept"], r.status, r.reason, id)
		w.Header().Set("Content-Type", kind)
	}
	writeLocal(w, q, r.status, body, id)
}

// Problem writes the answer to a request that gets none from an instance: JSON
// for clients whose Accept fields prefer it, else a line of text. It is there
// for engines beside this one.
func Problem(accept []string, status int, reason, id string) (contentType, body string) {
	if !prefersJSON(accept) {
		return plainText, fmt.Sprintf("%d %s\n", status, reason)
	}
	text, err := json.Marshal(problem{reason, status, id})
	if err != nil {
		panic(err) // strings and a number
	}
	return "application/json", string(text) + "\n"
}

const plainText = "text/plain; charset=utf-8"

// problem is a local answer in JSON.
type problem struct {
	Error     string `json:"error"`
	Status    int    `json:"status"`
	RequestID string `json:"request_id"`
}

// writeLocal writes an answer and the fields all local answers have, unless
// they were set.
func writeLocal(w http.ResponseWriter, r *http.Request, status int, body, id string) {
	h := w.Header()
	h.Set("X-Request-Id", id)
	setIfMissing(h, "Cache-Control", "no-store")
	if status == http.StatusNoContent || status == http.StatusNotModified {
		w.WriteHeader(status)
		return
	}
	if body != "" {
		setIfMissing(h, "Content-Type", plainText)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(body)) // the client may be gone
	}
}

func setIfMissing(h http.Header, name, value string) {
	if h[name] == nil {
		h.Set(name, value)
	}
}

// prefersJSON says whether application/json is asked for by name and ranks
// before every kind of text; the earlier of two equals wins.
func prefersJSON(accept []string) bool {
	var best float64
	json := false
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, parameters, _ := strings.Cut(part, ";")
		kind = strings.ToLower(strings.TrimSpace(kind))
		isJSON := kind == "application/json" || strings.HasSuffix(kind, "+json")
		if !isJSON && !strings.HasPrefix(kind, "text/") {
			continue
		}
		if q := quality(parameters); q > best {
			best, json = q, isJSON
		}
	}
	return json
}

// quality returns the q of a media range, 1 when it has none.
func quality(parameters string) float64 {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}
		if q, err := strconv.ParseFloat(value, 64); err == nil && q >= 0 && q <= 1 {
			return q
		}
		return 0
	}
	return 1
}
