package middleware

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/exchange"
	"holdfast/retry"
)

// tunnel connects the client and the instance after 101: bytes pass both ways
// until both sides ended, one broke, or none moved a byte for timeouts.idle.
// One side may end and the other go on (half-close).
func (f *flight) tunnel(t *try, step exchange.Step) bool {
	back, ok := t.response.Body.(io.ReadWriteCloser)
	var client net.Conn
	var buffered *bufio.ReadWriter
	var err error = http.ErrNotSupported
	if ok {
		client, buffered, err = f.control.Hijack()
	}
	if err != nil { // net/http always hands out the first, a server in front of the engine may refuse the second
		_ = t.response.Body.Close()
		t.giveUp()
		f.x.Done(t.attempt, exchange.Outcome{Kind: retry.Canceled, Sent: true}, time.Now())
		(&refusal{http.StatusNotImplemented, "connections cannot be upgraded here"}).write(f.w, f.r, f.in.id)
		return true
	}
	p := &tunnelPair{client: client, back: back, buffers: &f.engine.buffers, turn: func(bool) { t.dog.relaying(false) }}
	defer context.AfterFunc(t.request.Context(), p.close)()
	if err := f.writeSwitch(buffered, t.response, step); err == nil {
		p.run(earlyBytes(buffered.Reader, client))
	}
	p.close()
	f.x.Done(t.attempt, exchange.Outcome{Kind: retry.OK, Sent: true, Bytes: p.bytes.Load()}, time.Now())
	t.giveUp()
	return true
}

// earlyBytes returns the client's bytes, first those that are in the server's
// buffer. The buffer itself must not be read on: an end it meets cancels the
// request, although the client may only have ended its side.
func earlyBytes(buffer *bufio.Reader, client net.Conn) io.Reader {
	early, err := buffer.Peek(buffer.Buffered())
	if err != nil || len(early) == 0 {
		return client
	}
	return io.MultiReader(bytes.NewReader(early), client)
}

// writeSwitch writes the head of a 101 answer.
func (f *flight) writeSwitch(w *bufio.ReadWriter, res *http.Response, step exchange.Step) error {
	h := f.w.Header()
	copyFields(h, res.Header)
	tellColdStart(h, step)
	if step.SetCookie != "" {
		http.SetCookie(f.w, f.engine.Cookie(step, f.in.proto))
	}
	h.Set("Connection", "Upgrade")
	h.Set("Upgrade", res.Header.Get("Upgrade"))
	h.Set("X-Request-Id", f.in.id)
	if _, err := fmt.Fprint(w, "HTTP/1.1 101 Switching Protocols\r\n"); err != nil {
		return err
	}
	if err := h.Write(w); err != nil {
		return err
	}
	if _, err := fmt.Fprint(w, "\r\n"); err != nil {
		return err
	}
	return w.Flush()
}

// tunnelPair is the two ends of a tunnel.
type tunnelPair struct {
	client  net.Conn
	back    io.ReadWriteCloser
	buffers *buffers
	turn    func(reader bool)
	bytes   atomic.Int64 // to the client
	closing sync.Once
}

// run returns when both directions ended.
func (p *tunnelPair) run(fromClient io.Reader) {
	var up sync.WaitGroup
	up.Go(func() { p.move(p.back, fromClient) })
	p.bytes.Store(p.move(p.client, p.back))
	up.Wait()
}

// move passes one direction's bytes, then its end. Where only one direction
// cannot be ended, both are.
func (p *tunnelPair) move(to io.Writer, from io.Reader) int64 {
	way := p.buffers.pump(p.turn)
	defer way.release()
	err := way.run(to, from)
	half, ok := to.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		p.close()
	}
	return way.moved
}

func (p *tunnelPair) close() {
	p.closing.Do(func() {
		_ = p.client.Close() // nobody is left to be told
		_ = p.back.Close()
	})
}
