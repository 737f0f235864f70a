//go:build linux

package peer_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/bench/gateway/peer"
)

func TestTheRelayCopiesBothWaysAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(strings.Repeat(r.URL.RawQuery, peer.SmallSize)))
	}))
	t.Cleanup(backend.Close)
	ports, err := peer.FreePorts(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	at := local(ports[0])
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- peer.ServeRelay(ctx, at, backend.Listener.Addr().String()) }()
	accepts(t, at)
	for range 3 {
		if n := get(t, "http://"+at+"/?x"); n != peer.SmallSize {
			t.Errorf("%d bytes through the relay", n)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// accepts waits until somebody listens.
func accepts(t *testing.T, at string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("tcp", at)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
