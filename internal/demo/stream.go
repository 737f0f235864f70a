package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	minInterval = time.Millisecond
	maxInterval = time.Minute
	maxCount    = 1_000_000
	maxMessage  = 1 << 20
)

// events sends a counter at each interval until count, the client's or the
// instance's end.
func (in *instance) events(w http.ResponseWriter, r *http.Request) {
	p := params{query: r.URL.Query()}
	interval := p.duration("interval", time.Second, minInterval, maxInterval)
	count := p.count("count", maxCount)
	if p.problem != "" {
		in.refuse(w, http.StatusBadRequest, p.problem)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	flush := http.NewResponseController(w).Flush
	if flush() != nil {
		return
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for n := 1; count == 0 || n <= count; n++ {
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-in.ending:
			return
		}
		_, err := fmt.Fprintf(w, "id: %d\ndata: {\"n\":%[1]d,\"function\":%q,\"instance\":%q,\"pid\":%d}\n\n", n, in.name, in.id, in.pid)
		if err != nil || flush() != nil {
			return
		}
	}
}

// socket sends back each message until the client closes or the instance ends.
func (in *instance) socket(w http.ResponseWriter, r *http.Request) {
	// Whatever page shows the demo may open it: there is nothing to protect.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }() // after a close handshake it does nothing
	conn.SetReadLimit(maxMessage)
	ctx, cancel := context.WithCancel(r.Context())
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel()
	watch.Go(func() {
		select {
		case <-in.ending:
			_ = conn.Close(websocket.StatusGoingAway, "the instance ends") // the client may be gone
		case <-ctx.Done():
		}
	})
	if err := echo(ctx, conn); err != nil && websocket.CloseStatus(err) == -1 && !errors.Is(err, context.Canceled) {
		_ = conn.Close(websocket.StatusInternalError, "echo failed") // as above
	}
}

func echo(ctx context.Context, conn *websocket.Conn) error {
	for {
		kind, message, err := conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("read message: %w", err)
		}
		if err := conn.Write(ctx, kind, message); err != nil {
			return fmt.Errorf("write message: %w", err)
		}
	}
}
