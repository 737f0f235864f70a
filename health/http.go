package health

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// errClosed ends a check on a checker that was closed.
var errClosed = errors.New("the check is closed")

// HTTP checks a target by one HTTP/1.1 request. It keeps one connection
// between checks, replaces it when it is stale or old, starts no goroutines
// and is safe for concurrent use. Checks that overlap use connections of
// their own.
//
// A kept connection that turns out to be dead says nothing about the server,
// so the request is then sent once more on a new one, whatever its method.
type HTTP struct {
	plan   plan
	idle   atomic.Pointer[conn]
	closed atomic.Bool
}

var (
	_ Checker   = (*HTTP)(nil)
	_ io.Closer = (*HTTP)(nil)
)

// NewHTTP returns the check, or an error naming the field that is wrong. It
// does not connect.
func NewHTTP(c HTTPConfig) (*HTTP, error) {
	p, err := newPlan(c)
	if err != nil {
		return nil, err
	}
	return &HTTP{plan: p}, nil
}

// Check sends the request and judges the answer.
func (h *HTTP) Check(ctx context.Context) Result {
	start := time.Now()
	deadline := deadlineOf(ctx, h.plan.timeout, start)
	if kept := h.take(start); kept != nil {
		if r, done := h.attempt(ctx, kept, start, deadline); done {
			return timed(r, start)
		}
	}
	fresh, why := h.dial(ctx, start, deadline)
	if fresh == nil {
		return timed(failed(why), start)
	}
	r, _ := h.attempt(ctx, fresh, start, deadline)
	return timed(r, start)
}

// Close closes the kept connection. A check in progress ends normally; later
// ones fail.
func (h *HTTP) Close() error {
	h.closed.Store(true)
	if c := h.idle.Swap(nil); c != nil {
		return c.Close()
	}
	return nil
}

// attempt makes one exchange on c and keeps or closes c. It is not done when c
// was a kept connection that died unused.
func (h *HTTP) attempt(ctx context.Context, c *conn, start, deadline time.Time) (r Result, done bool) {
	s := takeScratch(c)
	defer s.giveBack()
	a, err := h.exchange(ctx, c, s, deadline)
	if err == nil && a.keep {
		h.put(c)
	} else {
		_ = c.Close() // the answer is in; nothing is left to say to this peer
	}
	if err != nil && c.used && s.src.total == 0 && !isTimeout(err) && ctx.Err() == nil {
		return Result{}, false
	}
	if err != nil {
		return failed(h.plan.what + h.broken(ctx, s, err, deadline.Sub(start))), true
	}
	return h.judge(ctx, a, deadline.Sub(start)), true
}

// exchange sends the prepared request and reads the answer.
func (h *HTTP) exchange(ctx context.Context, c *conn, s *scratch, deadline time.Time) (answer, error) {
	if err := c.SetDeadline(deadline); err != nil {
		return answer{}, err
	}
	stop := context.AfterFunc(ctx, func() {
		_ = c.SetDeadline(time.Unix(1, 0)) // a broken connection ends the check as well
	})
	defer stop()
	if _, err := c.Write(h.plan.request); err != nil {
		return answer{}, err
	}
	a, err := readAnswer(s, h.plan.method)
	// Once the context has ended, the deadline may be moved at any moment.
	a.keep = a.keep && stop()
	return a, err
}

// broken says how an exchange without an answer ended.
func (h *HTTP) broken(ctx context.Context, s *scratch, err error, budget time.Duration) string {
	switch {
	case errors.Is(err, errHeadTooLarge):
		return ": the answer's head is over 64 KiB"
	case errors.Is(err, errManyInterim):
		return ": only interim answers (1xx)"
	case errors.Is(err, errNotHTTP):
		// The text stays out: an echo service would show our own request.
		return ": the answer is not HTTP/1"
	case errors.Is(err, io.ErrUnexpectedEOF) && s.src.total == 0:
		return ": connection closed without an answer"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ": connection closed within the answer's head"
	}
	return ": " + cause(ctx, err, budget)
}

// judge compares the answer with what is expected.
func (h *HTTP) judge(ctx context.Context, a answer, budget time.Duration) Result {
	r := Result{Status: a.status, Numbers: numbersAt(numbersOf(a.body), a.body, h.plan.numbers)}
	answered := h.plan.answered(a.status)
	if h.plan.lenient {
		r.OK = a.status < http.StatusInternalServerError
		r.Reason = answered + lenience(a.status)
		return r
	}
	switch why := h.plan.objection(a); {
	case !h.plan.statuses.has(a.status):
		r.Reason = answered
	case a.bodyErr != nil && isTimeout(a.bodyErr) && !errors.Is(ctx.Err(), context.Canceled):
		r.Reason = answered + ", but its body did not end within " + rounded(budget)
	case a.bodyErr != nil:
		r.Reason = answered + ", but its body broke off: " + cause(ctx, a.bodyErr, budget)
	case why != "":
		r.Reason = answered + ", but " + why
	default:
		r.OK, r.Reason = true, answered
	}
	return r
}

// answered is shared where it can be: a tracker keeps the reasons.
func (p *plan) answered(status int) string {
	if status == http.StatusOK {
		return p.well
	}
	return p.what + " answered " + strconv.Itoa(status)
}

// lenience explains a status that only a lenient check accepts.
func lenience(status int) string {
	switch {
	case status >= http.StatusInternalServerError || status < http.StatusBadRequest:
		return ""
	case status == http.StatusNotFound:
		return ": alive, but without this path"
	}
	return ": alive, below 500"
}

// objection returns why the body does not do, or "".
func (p *plan) objection(a answer) string {
	if p.contains != nil && !bytes.Contains(a.body, p.contains) {
		return "its body does not contain " + strconv.Quote(string(p.contains)) + truncation(a)
	}
	if p.matches != nil && !p.matches.Match(a.body) {
		return "its body does not match " + strconv.Quote(p.matches.String()) + truncation(a)
	}
	if len(p.conditions) == 0 {
		return ""
	}
	if a.truncated {
		return "its body is over 64 KiB, too long to be read as JSON"
	}
	if !json.Valid(a.body) {
		return "its body is not JSON"
	}
	for i, c := range p.conditions {
		if why := c.check(a.body, p.paths[i], p.secrets); why != "" {
			return why
		}
	}
	return ""
}

func truncation(a answer) string {
	if a.truncated {
		return " in its first 64 KiB"
	}
	return ""
}
