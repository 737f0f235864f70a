package gateway

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// quietTime is how long connections without a request are kept open after
// another process took over: a client that is about to send must not find its
// connection closed, and HTTP/1.1 has no way to say so but with an answer.
const quietTime = 5 * time.Second

// leaving lets go of a listener without a client noticing, when another process
// accepts on it from now on. Each connection is closed by its next answer,
// which says so; those on which nothing happens are closed when all is quiet.
type leaving struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
	last  time.Time     // a connection changed its state
	on    bool          // connections are to be closed
	none  chan struct{} // closed when on and no connection is left
}

func newLeaving() *leaving {
	return &leaving{conns: map[net.Conn]bool{}, none: make(chan struct{})}
}

// watch is the server's ConnState hook. Connections that were taken over from
// the server (WebSockets) are the business of liveRequests.
func (l *leaving) watch(c net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch state {
	case http.StateClosed, http.StateHijacked:
		delete(l.conns, c)
	case http.StateNew, http.StateActive, http.StateIdle:
		l.conns[c] = true
	}
	if l.on {
		l.last = time.Now()
		l.tellIfNone()
	}
}

func (l *leaving) tellIfNone() {
	if len(l.conns) > 0 {
		return
	}
	select {
	case <-l.none:
	default:
		close(l.none)
	}
}

// mark makes an answer the last one of its connection.
func (l *leaving) mark(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	on := l.on
	l.mu.Unlock()
	if on && r.Header.Get("Upgrade") == "" {
		w.Header().Set("Connection", "close")
	}
}

// begin makes every answer the last one of its connection.
func (l *leaving) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.on {
		l.on, l.last = true, time.Now()
	}
}

// wait begins, and returns when all connections are closed, when nothing has happened for
// quietTime, or when ctx ends.
func (l *leaving) wait(ctx context.Context) {
	l.begin()
	l.mu.Lock()
	l.tellIfNone()
	l.mu.Unlock()
	for {
		l.mu.Lock()
		left := time.Until(l.last.Add(quietTime))
		l.mu.Unlock()
		if left <= 0 {
			return
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-l.none:
			timer.Stop()
			return
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}
