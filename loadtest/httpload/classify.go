package httpload

import (
	"errors"
	"net/http"

	"holdfast/internal/http1"
	"holdfast/loadtest"
	"holdfast/loadtest/check"
)

// Check is what an answer has to be like.
type Check = check.Check

// Failed says how often each check failed, by its text. Where several checks of one answer fail, the first counts.
func (c *Client) Failed() map[string]int64 {
	counts := map[string]int64{}
	for i := range c.requests {
		c.requests[i].checks.AddFailed(counts)
	}
	return counts
}

// classify says what kind of failure an error is.
func classify(err error, s *loadtest.Shot) loadtest.Class {
	if _, syntax := errors.AsType[http1.SyntaxError](err); syntax || errors.Is(err, errSurplus) {
		return loadtest.Malformed
	}
	return check.Network(err, s)
}

// judgeHead looks at the status and at what checks want of the header.
func (u *user) judgeHead(s *loadtest.Shot, r *request) loadtest.Class {
	if s.Status == http.StatusTooManyRequests || s.Status == http.StatusServiceUnavailable {
		s.RetryAfter = check.RetryAfter(u.answer.response.Get("Retry-After"))
	}
	if u.cookies != nil {
		u.cookies.take(r, &u.answer.response)
	}
	return r.checks.Head(s.Status, s.RetryAfter > 0, u.anyHeader)
}

func (u *user) anyHeader(k *check.Compiled) bool {
	for name, value := range u.answer.response.Fields() {
		if k.Wants(name, value) {
			return true
		}
	}
	return false
}
