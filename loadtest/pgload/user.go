package pgload

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/loadtest"
	"holdfast/loadtest/check"
)

// goodbye bounds how long the end of a connection may take.
const goodbye = time.Second

// user is one client. Do is called by one goroutine at a time, Interrupt by another meanwhile.
type user struct {
	loadtest.Interrupter

	client   *Client
	conn     *pgx.Conn
	since    time.Time
	sent     int            // statements on conn
	prepared map[int]bool   // on conn, by endpoint
	ending   *pgconn.PgConn // the connection before, while it cancels what it did
	in, out  atomic.Int64   // bytes of all connections

	mu   sync.Mutex
	wire net.Conn // dialled last: pgconn dials from a goroutine of its own to cancel
}

var _ loadtest.User = (*user)(nil)

// wire counts the bytes of a connection for its user. pgconn may use it from a goroutine of its own.
type wire struct {
	net.Conn
	user *user
}

// Read implements net.Conn.
func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.user.in.Add(int64(n))
	return n, err
}

// Write implements net.Conn.
func (w *wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	w.user.out.Add(int64(n))
	return n, err
}

// Do implements loadtest.User.
func (u *user) Do(ctx context.Context, s *loadtest.Shot) {
	ctx, end := u.Begin(ctx)
	defer end()
	err := u.connect(ctx, s)
	if err == nil {
		in, out := u.in.Load(), u.out.Load()
		err = u.ask(ctx, s, &u.client.queries[s.Endpoint])
		s.BytesIn, s.BytesOut = u.in.Load()-in, u.out.Load()-out
	}
	s.Done = s.Now()
	if err != nil {
		s.Class, s.Err = u.classify(err, s), err
	}
	if u.conn != nil && (u.conn.IsClosed() || u.sent == u.client.config.ConnQueries) {
		u.drop(ctx)
	}
}

// connect opens the connection unless there is one that may be used.
func (u *user) connect(ctx context.Context, s *loadtest.Shot) error {
	if u.conn != nil && u.client.config.ConnAge > 0 && time.Since(u.since) >= u.client.config.ConnAge {
		u.drop(ctx)
	}
	if u.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, u.client.config.ConnectTimeout)
	defer cancel()
	if u.ending != nil {
		select {
		case <-u.ending.CleanupDone():
			u.ending = nil
		case <-ctx.Done():
			return check.ConnectError{Err: fmt.Errorf("wait for the end of the connection before: %w", ctx.Err())}
		}
	}
	session := u.client.session.Copy()
	session.DialFunc = u.dial
	conn, err := pgx.ConnectConfig(ctx, session)
	if err != nil {
		return check.ConnectError{Err: err}
	}
	u.conn, u.since, u.sent, u.prepared = conn, time.Now(), 0, map[int]bool{}
	s.Connected = max(s.Now(), 1)
	return nil
}

func (u *user) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, u.client.config.ConnectTimeout)
	defer cancel()
	raw, err := u.client.config.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	u.wire = raw
	u.mu.Unlock()
	return &wire{Conn: raw, user: u}, nil
}

// ask sends a statement, reads its result to the end and judges it.
func (u *user) ask(ctx context.Context, s *loadtest.Shot, q *query) error {
	u.sent++
	args := make([][]byte, len(q.args))
	for i := range q.args {
		args[i] = q.args[i].Append([]byte{}, s) // not nil, which is NULL
	}
	s.Written = max(s.Now(), 1)
	r, err := u.send(ctx, s.Endpoint, q, args)
	if err != nil {
		return err
	}
	s.Class = q.checks.Row(r.rows, r.columns, r.first)
	return nil
}

func (u *user) send(ctx context.Context, endpoint int, q *query, args [][]byte) (*result, error) {
	switch u.client.config.Protocol {
	case Simple:
		return u.sendSimple(ctx, q, args)
	case Prepared:
		if !u.prepared[endpoint] {
			if _, err := u.conn.PgConn().Prepare(ctx, q.name, q.sql, nil); err != nil {
				return nil, err
			}
			u.prepared[endpoint] = true
		}
		return read(u.conn.PgConn().ExecPrepared(ctx, q.name, args, nil, nil))
	case Extended:
	}
	return read(u.conn.PgConn().ExecParams(ctx, q.sql, args, nil, nil, nil))
}

// result is what checks look at.
type result struct {
	rows    int64
	columns []string
	first   [][]byte // nil: there was no row
}

func read(rows *pgconn.ResultReader) (*result, error) {
	r := &result{}
	for rows.NextRow() {
		if r.first == nil {
			r.keep(rows.FieldDescriptions(), rows.Values())
		}
	}
	tag, err := rows.Close()
	r.rows = tag.RowsAffected()
	return r, err
}

func (u *user) sendSimple(ctx context.Context, q *query, args [][]byte) (*result, error) {
	list := make([]any, len(args))
	for i, a := range args {
		list[i] = string(a)
	}
	rows, err := u.conn.Query(ctx, q.sql, list...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	r := &result{}
	for rows.Next() {
		if r.first == nil {
			r.keep(rows.FieldDescriptions(), rows.RawValues())
		}
	}
	rows.Close()
	r.rows = rows.CommandTag().RowsAffected()
	return r, rows.Err()
}

// keep copies the first row: its bytes are the connection's.
func (r *result) keep(columns []pgconn.FieldDescription, values [][]byte) {
	r.first = make([][]byte, len(values))
	for i, v := range values {
		r.columns = append(r.columns, columns[i].Name)
		if v != nil {
			r.first[i] = append([]byte{}, v...)
		}
	}
}

// classify says what kind of failure an error is: see the comment of the package.
func (u *user) classify(err error, s *loadtest.Shot) loadtest.Class {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return check.Network(err, s)
	}
	u.client.count(answer.Code)
	switch {
	case slices.Contains([]string{"53300", "53400"}, answer.Code):
		return loadtest.RateLimited
	case answer.Code == "57P03":
		return loadtest.Refused
	case answer.Code == "08P01":
		return loadtest.Malformed
	case slices.Contains([]string{"57P01", "57P02", "57P05"}, answer.Code), strings.HasPrefix(answer.Code, "08"):
		return loadtest.Reset
	}
	return loadtest.BadStatus
}

// drop ends the connection.
func (u *user) drop(ctx context.Context) {
	if !u.conn.IsClosed() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
		defer cancel()
		_ = u.conn.Close(ctx) // it is being given up
	}
	u.ending, u.conn = u.conn.PgConn(), nil
}

// Close implements loadtest.User.
func (u *user) Close() {
	if u.conn != nil {
		u.drop(context.Background())
	}
	if u.ending == nil {
		return
	}
	select {
	case <-u.ending.CleanupDone():
	case <-time.After(goodbye):
		u.ending.Conn().Close()
		u.mu.Lock()
		u.wire.Close() // that of the order to cancel, which nobody takes
		u.mu.Unlock()
		<-u.ending.CleanupDone()
	}
}
