package supervise

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"testing"
	"time"
)

// FuzzSession lets a child send anything to its parent, and a parent anything
// to its child. Either end returns when the other has hung up, with all its
// goroutines and calls.
func FuzzSession(f *testing.F) {
	var good bytes.Buffer
	for _, fr := range []frame{{Kind: hello, ID: protocol}, {Kind: answer, ID: 1, Body: json.RawMessage(`1`)}, {Kind: call, ID: 1, Method: "echo", Left: 1 << 62}, {Kind: ping}, {Kind: cancel, ID: 1}} {
		if err := writeFrame(&good, fr, maxFrame); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(good.Bytes(), true)
	f.Add(good.Bytes(), false)
	f.Add([]byte{0, 0, 0, 2, '{', '}'}, false)
	f.Add([]byte{255, 255, 255, 255}, true)
	f.Fuzz(func(t *testing.T, data []byte, child bool) {
		hang := time.AfterFunc(30*time.Second, func() { panic("it does not end") })
		defer hang.Stop()
		ours, theirs := net.Pipe()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if child {
				answerAsChild(t.Context(), ours)
				return
			}
			callAsParent(t, ours)
		}()
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			_, _ = io.Copy(io.Discard, theirs)
		}()
		_, _ = theirs.Write(data) // it may hang up first
		_ = theirs.Close()
		<-ended
		<-drained
	})
}

func answerAsChild(ctx context.Context, conn net.Conn) {
	echo := func(_ context.Context, in json.RawMessage) (any, error) { return in, nil }
	s := &server{conn: conn, handlers: map[string]Handler{"echo": echo}, under: map[uint64]context.CancelFunc{}}
	_ = s.run(ctx) // what came may be no sentence of the protocol
}

func callAsParent(t *testing.T, conn net.Conn) {
	t.Helper()
	s := newSession(conn)
	called := make(chan struct{})
	go func() {
		defer close(called)
		_, _ = s.call(t.Context(), "x", nil, time.Second)
	}()
	s.run(t.Context())
	<-called
	if len(s.waiting) != 0 {
		t.Error("a call is waited for that has ended")
	}
}
