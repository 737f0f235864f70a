package http2load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"holdfast/loadtest"
	"holdfast/loadtest/check"
)

// user is one client. Do is called by one goroutine at a time, Interrupt by another meanwhile.
type user struct {
	loadtest.Interrupter

	client *Client
	group  *group
	jar    *cookiejar.Jar // nil: no cookies
	text   []byte
	kept   []byte // of the body, for checks
}

var _ loadtest.User = (*user)(nil)

func newUser(c *Client, g *group) (*user, error) {
	u := &user{client: c, group: g}
	if c.config.Cookies {
		var err error
		if u.jar, err = cookiejar.New(nil); err != nil {
			return nil, fmt.Errorf("make a jar for cookies: %w", err)
		}
	}
	return u, nil
}

// Do implements loadtest.User.
func (u *user) Do(ctx context.Context, s *loadtest.Shot) {
	ctx, end := u.Begin(ctx)
	defer end()
	r := &u.client.requests[s.Endpoint]
	for {
		fresh, lost, err := u.try(ctx, s, r)
		if err == nil {
			return
		}
		// As in package httpload: what met a connection that the target had given up meanwhile goes out once more.
		if fresh || !lost || !r.again || s.Status > 0 || ctx.Err() != nil || s.Reconnects > 0 {
			s.Class, s.Err = classify(err, s), err
			return
		}
		s.Reconnects++
	}
}

// try sends the request on a connection; lost says that the connection has ended.
func (u *user) try(ctx context.Context, s *loadtest.Shot, r *request) (fresh, lost bool, err error) {
	l, fresh, err := u.group.take(ctx, r.target)
	if err != nil {
		return true, true, err
	}
	defer u.group.give(l)
	if fresh {
		s.Connected = max(s.Now(), 1)
	}
	err = u.exchange(ctx, s, r, l.conn)
	return fresh, l.conn.Err() != nil, err
}

func (u *user) exchange(ctx context.Context, s *loadtest.Shot, r *request, conn *http.ClientConn) error {
	request, err := u.compose(ctx, s, r)
	if err != nil {
		return err
	}
	if s.Written == 0 {
		s.Written = max(s.Now(), 1)
	}
	answer, err := conn.RoundTrip(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	s.BytesOut = max(request.ContentLength, 0)
	s.Status = answer.StatusCode
	whole, err := u.read(answer.Body, s, r.keeps)
	if err != nil {
		return err
	}
	s.Done = s.Now()
	u.judge(s, r, answer, whole)
	if u.jar != nil {
		u.jar.SetCookies(request.URL, answer.Cookies())
	}
	return nil
}

func (u *user) compose(ctx context.Context, s *loadtest.Shot, r *request) (*http.Request, error) {
	u.text = r.url.Append(u.text[:0], s)
	where, err := url.Parse(string(u.text))
	if err != nil {
		return nil, fmt.Errorf("read the URL: %w", err)
	}
	u.text = r.body.Append(u.text[:0], s)
	request, err := http.NewRequestWithContext(ctx, r.method, where.String(), strings.NewReader(string(u.text)))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	for i := range r.header {
		value := string(r.header[i].value.Append(nil, s))
		switch f := &r.header[i]; {
		case strings.EqualFold(f.name, "Host"):
			request.Host = value
		case i < 2:
			request.Header.Set(f.name, value)
		default:
			request.Header.Add(f.name, value)
		}
	}
	if u.jar != nil {
		for _, c := range u.jar.Cookies(where) {
			request.AddCookie(c)
		}
	}
	return request, nil
}

// read reads a body to its end and keeps its first part for checks; whole says that this is all.
func (u *user) read(body io.Reader, s *loadtest.Shot, keeps bool) (whole bool, err error) {
	u.kept = u.kept[:0]
	if keeps {
		limited := io.LimitReader(body, int64(u.client.config.CheckBytes))
		if u.kept, err = io.ReadAll(limited); err != nil {
			return false, err
		}
		s.BytesIn = int64(len(u.kept))
	}
	n, err := io.Copy(io.Discard, body)
	s.BytesIn += n
	return n == 0, err
}

func (u *user) judge(s *loadtest.Shot, r *request, answer *http.Response, whole bool) {
	if s.Status == http.StatusTooManyRequests || s.Status == http.StatusServiceUnavailable {
		s.RetryAfter = check.RetryAfter(answer.Header.Get("Retry-After"))
	}
	s.Class = r.checks.Head(s.Status, s.RetryAfter > 0, func(k *check.Compiled) bool {
		for name, values := range answer.Header {
			for _, v := range values {
				if k.Wants(name, v) {
					return true
				}
			}
		}
		return false
	})
	if s.Class == loadtest.OK {
		s.Class = r.checks.Body(u.kept, whole)
	}
}

// classify says what kind of failure an error is.
func classify(err error, s *loadtest.Shot) loadtest.Class {
	class := check.Network(err, s)
	if class != loadtest.OtherFailure {
		return class
	}
	// The errors of HTTP/2 in net/http have no types that others see, only texts.
	text := err.Error()
	switch {
	case strings.Contains(text, "PROTOCOL_ERROR"), strings.Contains(text, "FLOW_CONTROL_ERROR"), strings.Contains(text, "malformed"):
		return loadtest.Malformed
	case strings.Contains(text, "stream error"), strings.Contains(text, "GOAWAY"), strings.Contains(text, "connection lost"):
		return loadtest.Reset
	case errors.Is(err, context.DeadlineExceeded):
		return loadtest.Timeout
	}
	return loadtest.OtherFailure
}

// Close implements loadtest.User.
func (u *user) Close() { u.client.leave(u.group) }
