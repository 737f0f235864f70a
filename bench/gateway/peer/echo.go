//go:build linux

package peer

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// EchoVerb as first argument makes the bench a WebSocket server that sends back
// what it gets: nginx, the backend of all else, cannot. The second is its address.
const EchoVerb = "echo"

// ServeEcho is that server until ctx ends. Requests that are no WebSocket, such
// as health checks, are answered 200.
func ServeEcho(ctx context.Context, listen string) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: http.HandlerFunc(echo), ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	err = srv.Close()
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

func echo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		return
	}
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // answered by Accept
	}
	defer c.CloseNow() //nolint:errcheck // the client has left
	buf := make([]byte, 64<<10)
	for {
		kind, message, err := c.Reader(r.Context())
		if err != nil {
			return
		}
		n, err := io.ReadFull(message, buf)
		if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			return // longer than a load client sends
		}
		if c.Write(r.Context(), kind, buf[:n]) != nil {
			return
		}
	}
}
