package enginetest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"holdfast/exchange"
)

func streamTests() []test {
	return []test{
		{"events arrive one by one and count as in flight", events},
		{"bytes of an answer with a length do not wait for others", piecesOfLength},
		{"a WebSocket carries messages both ways and counts as in flight", webSocket},
		{"a refused upgrade is an ordinary answer", refusedUpgrade},
		{"bytes sent right behind an upgrade are not lost", earlyBytes},
		{"either side of an upgraded connection may end first", halfClose},
		{"an upgraded connection ends with its client", tunnelClientGone},
		{"cutting the server ends upgraded connections", cutEndsTunnels},
	}
}

func events(t *testing.T, start Start) {
	next := make(chan string)
	w := newWorld(t, start, config(in(instance(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		for e := range next {
			_, _ = io.WriteString(w, "data: "+e+"\n\n")
			_ = http.NewResponseController(w).Flush()
		}
	}))))
	res, err := w.client.Do(w.request(t, "GET", "/", nil)) // the head comes before the first event
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	br := bufio.NewReader(res.Body)
	for i := range 20 {
		next <- fmt.Sprint(i)
		line, err := br.ReadString('\n')
		if _, err2 := br.ReadString('\n'); err != nil || err2 != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("%q %v", line, err)
		}
	}
	if n := w.Function("f").InFlight(); n != 1 {
		t.Errorf("%d in flight while an event stream is open", n)
	}
	close(next)
	if rest, err := io.ReadAll(br); err != nil || len(rest) > 0 {
		t.Errorf("%q %v", rest, err)
	}
	if rec := w.recordOf(t, all); !rec.Long || rec.Reason != exchange.ReasonNone || rec.Bytes == 0 {
		t.Errorf("long %v, reason %s, %d bytes", rec.Long, rec.Reason, rec.Bytes)
	}
	w.blameless(t)
}

func piecesOfLength(t *testing.T, start Start) {
	next := make(chan struct{})
	w := newWorld(t, start, config(in(instance(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "4")
		for _, piece := range []string{"a", "b", "c", "d"} {
			_, _ = io.WriteString(w, piece)
			_ = http.NewResponseController(w).Flush()
			<-next
		}
	}))))
	res, err := w.client.Do(w.request(t, "GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for _, want := range "abcd" {
		b := make([]byte, 1)
		if _, err := io.ReadFull(res.Body, b); err != nil || b[0] != byte(want) {
			t.Fatalf("%q %v, want %c", b, err, want)
		}
		next <- struct{}{}
	}
}

func webSocketEcho(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil || conn.Write(r.Context(), kind, append([]byte("echo "), message...)) != nil {
			return
		}
	}
}

func webSocket(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, webSocketEcho))))
	conn, res, err := websocket.Dial(t.Context(), "ws://"+w.addr+"/", &websocket.DialOptions{HTTPClient: w.client}) //nolint:bodyclose // it has none
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if res.Header.Get("X-Request-Id") == "" {
		t.Error("no X-Request-Id on the switch")
	}
	for _, message := range []string{"a", strings.Repeat("long", 5000), ""} {
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(message)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := conn.Read(t.Context()); err != nil || string(got) != "echo "+message {
			t.Fatalf("%.20q %v", got, err)
		}
	}
	if n := w.Function("f").InFlight(); n != 1 {
		t.Errorf("%d in flight while a WebSocket is open", n)
	}
	if err := conn.Close(websocket.StatusNormalClosure, "bye"); err != nil {
		t.Errorf("close: %v", err)
	}
	if rec := w.recordOf(t, all); !rec.Long || rec.Status != 101 || rec.Failed() || rec.Bytes < 20000 {
		t.Errorf("long %v, status %d, reason %s, %d bytes", rec.Long, rec.Status, rec.Reason, rec.Bytes)
	}
	w.blameless(t)
}

func refusedUpgrade(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "no")
	}))))
	conn, br := w.raw(t, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	readAnswer(t, br, "GET").is(t, 403, "no")
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n") // it is still HTTP
	readAnswer(t, br, "GET").is(t, 403, "no")
}

const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n"

// tunnel upgrades a connection to an instance that runs talk; more is sent in
// the same breath as the request.
func (w *world) tunnel(t *testing.T, more string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, br := w.raw(t, "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: raw\r\n\r\n"+more)
	res, err := http.ReadResponse(br, nil) //nolint:bodyclose // it has none
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Upgrade") != "raw" {
		t.Fatalf("%v, %v", res, err)
	}
	return conn, br
}

func earlyBytes(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(rawInstance(t, func(conn net.Conn, _ *http.Request) {
		_, _ = io.WriteString(conn, switched+"hello ")
		b := make([]byte, 5)
		_, _ = io.ReadFull(conn, b)
		_, _ = conn.Write(b)
	}))))
	_, br := w.tunnel(t, "early")
	if got, err := io.ReadAll(br); string(got) != "hello early" || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

func halfClose(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(rawInstance(t, func(conn net.Conn, _ *http.Request) {
		_, _ = io.WriteString(conn, switched)
		all, _ := io.ReadAll(conn) // until the client ends its side
		_, _ = fmt.Fprintf(conn, "got %d", len(all))
	}))))
	conn, br := w.tunnel(t, "")
	_, _ = io.WriteString(conn, strings.Repeat("x", 100_000))
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		t.Fatal("cannot half-close")
	}
	if got, err := io.ReadAll(br); string(got) != "got 100000" || err != nil {
		t.Errorf("%q %v", got, err)
	}

	w = newWorld(t, start, config(in(rawInstance(t, func(conn net.Conn, _ *http.Request) {
		_, _ = io.WriteString(conn, switched+"bye")
		if b, ok := conn.(buffered); ok {
			_ = b.Conn.(*net.TCPConn).CloseWrite() //nolint:forcetypeassert // a loopback connection
		}
		all, _ := io.ReadAll(conn)
		w.Function("f").Stats().Bytes.Add(uint64(len(all))) // a place to leave the number
	}))))
	conn, br = w.tunnel(t, "")
	if got, err := io.ReadAll(br); string(got) != "bye" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if _, err := io.WriteString(conn, strings.Repeat("x", 1000)); err != nil {
		t.Errorf("write after the instance ended its side: %v", err)
	}
	_ = conn.Close()
	eventually(t, "the rest at the instance", func() bool { return w.Function("f").Stats().Bytes.Load() >= 1000 })
}

func tunnelClientGone(t *testing.T, start Start) {
	ended := make(chan struct{})
	w := newWorld(t, start, config(in(rawInstance(t, func(conn net.Conn, _ *http.Request) {
		_, _ = io.WriteString(conn, switched)
		_, _ = io.Copy(io.Discard, conn)
		close(ended)
	}))))
	conn, _ := w.tunnel(t, "")
	_ = conn.Close()
	await(t, "the end at the instance", ended)
	w.blameless(t)
}

func cutEndsTunnels(t *testing.T, start Start) {
	ended := make(chan struct{})
	w := newWorld(t, start, config(in(rawInstance(t, func(conn net.Conn, _ *http.Request) {
		_, _ = io.WriteString(conn, switched)
		_, _ = io.Copy(io.Discard, conn)
		close(ended)
	}))))
	_, br := w.tunnel(t, "")
	w.Cut()
	if _, err := io.ReadAll(br); err != nil {
		t.Logf("the client saw %v", err) // an end or a reset: both are cut
	}
	await(t, "the end at the instance", ended)
	eventually(t, "nobody inside", func() bool { return w.Function("f").InFlight() == 0 })
}
