package wsload

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"holdfast/loadtest"
	"holdfast/loadtest/check"
)

// user is one client. Do is called by one goroutine at a time, Interrupt by another meanwhile.
type user struct {
	loadtest.Interrupter

	client *Client
	conn   *websocket.Conn
	since  time.Time
	sent   int // messages on conn
	text   []byte
}

var _ loadtest.User = (*user)(nil)

// statusError is a handshake that the target answered with something else.
type statusError int

// Error implements error.
func (e statusError) Error() string { return fmt.Sprintf("the handshake was answered %d", int(e)) }

// Do implements loadtest.User.
func (u *user) Do(ctx context.Context, s *loadtest.Shot) {
	ctx, end := u.Begin(ctx)
	defer end()
	c := &u.client.config
	if u.conn != nil && c.ConnAge > 0 && time.Since(u.since) >= c.ConnAge {
		u.drop()
	}
	err := u.connect(ctx, s)
	if err == nil {
		err = u.ask(ctx, s, &u.client.messages[s.Endpoint])
	}
	if err != nil {
		s.Done = s.Now()
		s.Class, s.Err = classify(err, s), err
	}
	if u.conn != nil && (err != nil || u.sent == c.ConnMessages) {
		u.drop()
	}
}

func (u *user) connect(ctx context.Context, s *loadtest.Shot) error {
	if u.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, u.client.config.ConnectTimeout)
	defer cancel()
	conn, answer, err := websocket.Dial(ctx, u.client.config.URL, &websocket.DialOptions{ //nolint:bodyclose // the library says that it is never to be closed
		HTTPClient: u.client.http, HTTPHeader: u.client.header.Clone(), Subprotocols: u.client.config.Subprotocols,
	})
	if err != nil && answer != nil && answer.StatusCode != http.StatusSwitchingProtocols {
		s.Status, s.RetryAfter = answer.StatusCode, check.RetryAfter(answer.Header.Get("Retry-After"))
		return statusError(answer.StatusCode)
	}
	if err != nil {
		return refine(err)
	}
	conn.SetReadLimit(u.client.config.MaxMessage)
	u.conn, u.since, u.sent = conn, time.Now(), 0
	s.Connected = max(s.Now(), 1)
	return nil
}

// refine tells errors of TLS from those of the network.
func refine(err error) error {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, verify := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	if record || alert || verify || unknown {
		return check.HandshakeError{Err: err}
	}
	return err
}

// ask sends a message and waits for its answer.
func (u *user) ask(ctx context.Context, s *loadtest.Shot, m *message) error {
	u.text = m.text.Append(u.text[:0], s)
	kind := websocket.MessageText
	if m.binary {
		kind = websocket.MessageBinary
	}
	u.sent++
	s.Written = max(s.Now(), 1)
	if err := u.conn.Write(ctx, kind, u.text); err != nil {
		return err
	}
	s.BytesOut = int64(len(u.text))
	for {
		_, answer, err := u.conn.Read(ctx)
		if err != nil {
			return err
		}
		s.BytesIn += int64(len(answer))
		if m.echo && !bytes.Equal(answer, u.text) || m.answer != nil && !m.answer.Match(answer) {
			continue // it is not the answer
		}
		s.Done = s.Now()
		s.Class = m.checks.Body(answer, true)
		return nil
	}
}

// classify says what kind of failure an error is: see the comment of the package.
func classify(err error, s *loadtest.Shot) loadtest.Class {
	if status, ok := errors.AsType[statusError](err); ok {
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable && s.RetryAfter > 0 {
			return loadtest.RateLimited
		}
		return loadtest.BadStatus
	}
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return loadtest.Malformed
	}
	switch websocket.CloseStatus(err) { //nolint:exhaustive // the others end a connection, whatever the reason
	case -1:
		return check.Network(err, s)
	case websocket.StatusTryAgainLater:
		return loadtest.RateLimited
	case websocket.StatusProtocolError, websocket.StatusUnsupportedData, websocket.StatusInvalidFramePayloadData:
		return loadtest.Malformed
	}
	return loadtest.Truncated
}

// drop ends the connection without waiting for the other side's goodbye.
func (u *user) drop() {
	_ = u.conn.CloseNow() // it is being given up
	u.conn = nil
}

// Close implements loadtest.User.
func (u *user) Close() {
	if u.conn != nil {
		u.drop()
	}
}
