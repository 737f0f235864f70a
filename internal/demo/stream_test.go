package demo

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestEventsAreCounted(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	resp, err := r.try(http.MethodGet, "/events?interval=1ms&count=3", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("the content type is %s", kind)
	}
	var ids []string
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			ids = append(ids, id)
		} else if line := lines.Text(); line != "" && !strings.Contains(line, `"instance":"public-1"`) {
			t.Errorf("an event says %q", line)
		}
	}
	if got := strings.Join(ids, " "); got != "1 2 3" || lines.Err() != nil {
		t.Errorf("the events were %s, %v", got, lines.Err())
	}
}

func TestStreamsEndWithTheInstanceAndOtherRequestsFinish(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	events, err := r.try(http.MethodGet, "/events?interval=1ms", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = events.Body.Close() }()
	socket, resp, err := websocket.Dial(t.Context(), r.url+"/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.CloseNow() }()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("the socket opened with %d", resp.StatusCode)
	}
	slow := make(chan answer, 1)
	go func() { slow <- r.get("/?slow=500ms") }()
	poll(t, "three open requests", func() bool { return r.get("/health").number(t, "connections") == 3 })

	r.cancel()
	if _, err := io.Copy(io.Discard, events.Body); err != nil { // reads until the stream ends
		t.Errorf("the events ended with %v", err)
	}
	if _, _, err := socket.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the socket ended with %v", err)
	}
	if a := <-slow; a.status != http.StatusOK {
		t.Errorf("the slow request was answered %+v", a)
	}
	began := time.Now()
	r.end(nil)
	if took := time.Since(began); took > stopTimeout/2 {
		t.Errorf("the end took %s", took)
	}
}

func TestASocketSendsBackWhatItGets(t *testing.T) {
	t.Parallel()
	r := start(t, Config{})
	socket, _, err := websocket.Dial(t.Context(), r.url+"/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.CloseNow() }()
	socket.SetReadLimit(maxMessage)
	for kind, message := range map[websocket.MessageType]string{
		websocket.MessageText: "hello ü", websocket.MessageBinary: strings.Repeat("\x00\xff", 100_000),
	} {
		if err := socket.Write(t.Context(), kind, []byte(message)); err != nil {
			t.Fatal(err)
		}
		gotKind, got, err := socket.Read(t.Context())
		if err != nil || gotKind != kind || string(got) != message {
			t.Errorf("back came %d bytes of kind %v, %v", len(got), gotKind, err)
		}
	}
	if err := socket.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	poll(t, "the end of the socket's request", func() bool { return r.get("/health").number(t, "connections") == 0 })
}

func TestASocketRefusesPlainRequests(t *testing.T) {
	t.Parallel()
	resp, err := start(t, Config{}).try(http.MethodGet, "/socket", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("it answers %d", resp.StatusCode)
	}
}
