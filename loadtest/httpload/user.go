package httpload

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"holdfast/internal/http1"
	"holdfast/loadtest"
	"holdfast/loadtest/check"
)

const (
	firstBuffer = 4 << 10
	maxHead     = 64 << 10
)

// user is one client. Do is called by one goroutine at a time, Interrupt by another meanwhile.
type user struct {
	client *Client
	conns  []conn // by target

	answer  *answer // what came of it; nil before its first byte and between requests
	out     []byte  // a request that had to be put together
	scratch []byte
	cookies *cookies
	cookie  []byte // its header line

	mu     sync.Mutex // guards what Interrupt needs
	raw    net.Conn   // of the request under way
	cancel context.CancelFunc
	cut    bool // Interrupt was called
	ahead  ahead
}

// answer is what it takes to read one. Users lend it from their Client when there is something to read: of ten thousand users
// almost all wait, and would hold a buffer of nothing.
type answer struct {
	response http1.Response
	chunks   http1.ChunkReader
	in       []byte // bytes read; what is behind have is room
	have     int
	kept     []byte // of the body, for checks
	whole    bool   // all of it was kept
}

// room implements lender.
func (u *user) room() []byte {
	if u.answer == nil {
		a, _ := u.client.answers.Get().(*answer)
		a.response.Reset(limits())
		a.have = 0
		u.answer = a
	}
	return u.answer.in[u.answer.have:]
}

// unused implements lender.
func (u *user) unused() {
	if !u.heard() {
		u.release()
	}
}

// heard says that the target has said something.
func (u *user) heard() bool { return u.answer != nil && u.answer.have > 0 }

// release gives the answer back, of which nothing is needed any more.
func (u *user) release() {
	if u.answer != nil {
		u.client.answers.Put(u.answer)
		u.answer = nil
	}
}

// ahead is what Send does before Do. It is guarded by the user's mu until StandBy has returned true.
type ahead struct {
	waiting   bool // StandBy is, on the only connection
	missed    bool // Send came when it was not
	sent      bool // the request, or a part of it
	dismissed bool
	out       []byte
	wrote     int   // bytes of out
	trouble   error // of the connection, for Do
}

// conn is a connection to a target.
type conn struct {
	net.Conn          // TLS where the target wants it
	raw      net.Conn // what it runs on
	since    time.Time
	left     int // requests it may still carry; -1: any number
}

// Do implements loadtest.User.
func (u *user) Do(ctx context.Context, s *loadtest.Shot) {
	r := &u.client.requests[s.Endpoint]
	c := &u.conns[r.target]
	var out []byte
	wrote := 0
	if sent := u.ahead.sent; sent {
		out, wrote = u.ahead.out, u.ahead.wrote
		u.ahead.sent = false
		if u.answer != nil {
			s.BytesIn += int64(u.answer.have)
		}
	} else {
		u.forget()
		if err := ctx.Err(); err != nil { // an Interrupt for that may have come before, and is forgotten
			s.Class, s.Err = loadtest.OtherFailure, err
			return
		}
		out = u.compose(s, r)
	}
	defer u.release()
	for {
		reused := c.Conn != nil
		err := u.connect(ctx, s, r.target)
		if err == nil {
			err = u.exchange(s, r, c, out[wrote:])
		}
		if err == nil {
			return
		}
		u.drop(c)
		if !reused || !r.repeatable || u.heard() || !check.Stale(err) || u.isCut() {
			s.Class, s.Err = classify(err, s), err
			return
		}
		wrote = 0
		s.Reconnects++
	}
}

// compose puts the message of a request together.
func (u *user) compose(s *loadtest.Shot, r *request) []byte {
	if r.message.ready != nil {
		return r.message.ready
	}
	if u.cookies != nil {
		u.cookie = u.cookies.append(u.cookie[:0], r.target, r.path)
	}
	u.out = r.message.append(u.out[:0], s, u.cookie, &u.scratch)
	return u.out
}

// forget what was before, and drop the connections of a request that was interrupted.
func (u *user) forget() {
	u.mu.Lock()
	cut := u.cut
	u.cut, u.ahead.missed, u.ahead.trouble = false, false, nil
	u.mu.Unlock()
	if cut {
		for i := range u.conns {
			u.drop(&u.conns[i])
		}
	}
}

func (u *user) isCut() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.cut
}

// connect opens the connection to a target unless there is one.
func (u *user) connect(ctx context.Context, s *loadtest.Shot, target int) error {
	c, t := &u.conns[target], &u.client.targets[target]
	if c.Conn != nil && u.client.config.ConnAge > 0 && time.Since(c.since) >= u.client.config.ConnAge {
		u.drop(c)
	}
	if c.Conn != nil {
		return u.hold(c.raw, nil)
	}
	var err error
	if t.direct.IsValid() {
		err = u.direct(c, t.direct)
	} else {
		err = u.open(ctx, c, t)
	}
	if err != nil {
		return err
	}
	s.Connected = max(s.Now(), 1)
	return u.hold(c.raw, nil)
}

// open makes a connection on a goroutine that ends with it: dialling and the handshake need a deep stack, which would
// otherwise stay with the user, who sends requests with a small one for hours.
func (u *user) open(ctx context.Context, c *conn, t *target) error {
	ctx, cancel := context.WithTimeout(ctx, u.client.config.ConnectTimeout)
	defer cancel()
	if err := u.hold(nil, cancel); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- u.dial(ctx, cancel, c, t) }()
	return <-done
}

func (u *user) dial(ctx context.Context, cancel context.CancelFunc, c *conn, t *target) error {
	raw, err := u.client.config.Dial(ctx, "tcp", t.address)
	if err != nil {
		return check.ConnectError{Err: err}
	}
	*c = conn{Conn: wired(raw), raw: raw, since: time.Now(), left: u.carries()}
	if err := u.hold(raw, cancel); err != nil || t.tls == nil {
		return err
	}
	secured := tls.Client(raw, t.tls)
	if err := secured.HandshakeContext(ctx); err != nil {
		return check.HandshakeError{Err: err}
	}
	c.Conn = secured
	return nil
}

// hold says what Interrupt has to end; it fails when there was one already.
func (u *user) hold(raw net.Conn, cancel context.CancelFunc) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.raw, u.cancel = raw, cancel
	if u.cut {
		return net.ErrClosed
	}
	return nil
}

// carries draws how many requests the next connection is for.
func (u *user) carries() int {
	r := u.client.config.ConnRequests
	if r.Max == 0 {
		return -1
	}
	low := max(r.Min, 1)
	return low + rand.IntN(r.Max-low+1) //nolint:gosec // nobody gains by guessing it
}

func (u *user) drop(c *conn) {
	if c.Conn != nil {
		c.raw.Close() // without a TLS goodbye, which could block
	}
	*c = conn{}
}

// Interrupt implements loadtest.User.
func (u *user) Interrupt() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.cut = true
	if u.cancel != nil {
		u.cancel()
	}
	if u.raw != nil {
		u.raw.Close()
	}
}

// Close implements loadtest.User.
func (u *user) Close() {
	for i := range u.conns {
		u.drop(&u.conns[i])
	}
}
