package wsload_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"holdfast/loadtest"
	"holdfast/loadtest/check"
	"holdfast/loadtest/httpload"
	"holdfast/loadtest/template"
	"holdfast/loadtest/wsload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve answers every message with what answer sends, on real connections, which it counts.
func serve(t *testing.T, answer func(ctx context.Context, c *websocket.Conn, kind websocket.MessageType, text []byte) error) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var conns atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		conns.Add(1)
		defer c.CloseNow()
		for {
			kind, text, err := c.Read(r.Context())
			if err != nil || answer(r.Context(), c, kind, text) != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return s, &conns
}

func echo(ctx context.Context, c *websocket.Conn, kind websocket.MessageType, text []byte) error {
	return c.Write(ctx, kind, text)
}

func load(t *testing.T, c wsload.Config, users int, requests int64, timeout time.Duration) (*loadtest.Result, *wsload.Client) {
	t.Helper()
	c.URL = strings.Replace(c.URL, "http", "ws", 1)
	client, err := wsload.New(c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := loadtest.Run(t.Context(), loadtest.Config{Client: client, Concurrency: users, Requests: requests, Duration: time.Minute, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return r, client
}

func TestMessagesAreAnsweredAndChecked(t *testing.T) {
	t.Parallel()
	s, conns := serve(t, func(ctx context.Context, c *websocket.Conn, kind websocket.MessageType, text []byte) error {
		if err := c.Write(ctx, kind, []byte("news of no concern")); err != nil {
			return err
		}
		return c.Write(ctx, kind, text)
	})
	feed := &template.Feed{Columns: []string{"name"}, Rows: [][]string{{"Ada"}}}
	for name, m := range map[string]wsload.Message{
		"an echo":         {Text: "{{seq}} {{name}}", Echo: true, Checks: []check.Check{{Matches: "^[0-9]+ Ada$"}}},
		"a binary echo":   {Text: "\x00{{rand}}", Binary: true, Echo: true, Checks: []check.Check{{Matches: "^\x00[0-9a-f]{16}$"}}},
		"a match":         {Text: `{"user":"{{name}}"}`, Answer: `^\{`, Checks: []check.Check{{JSON: "$.user", Equals: "Ada"}}},
		"verbatim braces": {Text: "{{name}}", Verbatim: true, Echo: true, Checks: []check.Check{{Equals: "{{name}}"}}},
	} {
		before := conns.Load()
		r, client := load(t, wsload.Config{URL: s.URL, Feed: feed, Messages: []wsload.Message{m}}, 3, 60, 10*time.Second)
		if r.Total.Counts[loadtest.OK] != 60 || len(client.Failed()) > 0 || r.Total.BytesIn < r.Total.BytesOut+60*18 {
			t.Errorf("%s: counted %v, checks %v, errors %v, in %d, out %d", name, r.Total.Counts, client.Failed(), r.Errors, r.Total.BytesIn, r.Total.BytesOut)
		}
		if n := conns.Load() - before; n != 3 {
			t.Errorf("%s: %d connections for 3 users", name, n)
		}
	}
	r, client := load(t, wsload.Config{URL: s.URL, Messages: []wsload.Message{{Text: "x", Checks: []check.Check{{Equals: "x"}}}}}, 1, 3, 10*time.Second)
	if r.Total.Counts[loadtest.CheckFailed] == 0 || client.Failed()[`body equals "x"`] == 0 {
		t.Errorf("news passed as an answer: %v %v", r.Total.Counts, client.Failed())
	}
}

func TestConnectionsLiveAsLongAsTheyAreTold(t *testing.T) {
	t.Parallel()
	s, conns := serve(t, echo)
	for name, c := range map[string]struct {
		config wsload.Config
		want   int64
	}{
		"one per user":       {wsload.Config{}, 1},
		"five messages each": {wsload.Config{ConnMessages: 5}, 4},
		"too old at once":    {wsload.Config{ConnAge: 1}, 20},
	} {
		before := conns.Load()
		c.config.URL, c.config.Messages = s.URL, []wsload.Message{{Text: "x"}}
		r, _ := load(t, c.config, 1, 20, 10*time.Second)
		if n := conns.Load() - before; r.Total.Counts[loadtest.OK] != 20 || n != c.want {
			t.Errorf("%s: %d connections, want %d; counted %v, %v", name, n, c.want, r.Total.Counts, r.Errors)
		}
	}
}

func TestEndsAreClassified(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(ctx context.Context, c *websocket.Conn, kind websocket.MessageType, text []byte) error
		want loadtest.Class
	}{
		"later": {func(_ context.Context, c *websocket.Conn, _ websocket.MessageType, _ []byte) error {
			return c.Close(websocket.StatusTryAgainLater, "")
		}, loadtest.RateLimited},
		"protocol": {func(_ context.Context, c *websocket.Conn, _ websocket.MessageType, _ []byte) error {
			return c.Close(websocket.StatusProtocolError, "")
		}, loadtest.Malformed},
		"normal": {func(_ context.Context, c *websocket.Conn, _ websocket.MessageType, _ []byte) error {
			return c.Close(websocket.StatusNormalClosure, "")
		}, loadtest.Truncated},
		"cut": {func(_ context.Context, c *websocket.Conn, _ websocket.MessageType, _ []byte) error {
			return c.CloseNow()
		}, loadtest.Truncated},
		"too big": {func(ctx context.Context, c *websocket.Conn, kind websocket.MessageType, _ []byte) error {
			return c.Write(ctx, kind, make([]byte, 2000))
		}, loadtest.Malformed},
		"silent": {func(context.Context, *websocket.Conn, websocket.MessageType, []byte) error { return nil }, loadtest.Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := serve(t, c.end)
			r, _ := load(t, wsload.Config{URL: s.URL, MaxMessage: 1000, Messages: []wsload.Message{{Text: "x"}}}, 1, 2, time.Second)
			if r.Total.Counts[c.want] != 2 {
				t.Errorf("counted %v, want 2 %v; %v", r.Total.Counts, c.want, r.Errors)
			}
		})
	}
}

func TestHandshakesThatFailAreClassified(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	status := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var code int
		fmt.Sscan(r.Header.Get("X-Want"), &code)
		if code == 503 {
			w.Header().Set("Retry-After", "1")
		}
		w.WriteHeader(code)
	}))
	defer status.Close()
	strange := httptest.NewTLSServer(http.NotFoundHandler())
	defer strange.Close()
	for _, c := range []struct {
		url, status string
		want        loadtest.Class
	}{
		{"ws://" + closed.Addr().String(), "", loadtest.Refused},
		{"ws://no-such-host.invalid", "", loadtest.NoAddress},
		{strange.URL, "", loadtest.BadTLS},
		{status.URL, "404", loadtest.BadStatus},
		{status.URL, "302", loadtest.BadStatus},
		{status.URL, "429", loadtest.RateLimited},
		{status.URL, "503", loadtest.RateLimited},
	} {
		r, _ := load(t, wsload.Config{URL: c.url, Header: []httpload.Field{{Name: "X-Want", Value: c.status}}, Messages: []wsload.Message{{Text: "x"}}}, 1, 2, 10*time.Second)
		if r.Total.Counts[c.want] != 2 {
			t.Errorf("%s %s: counted %v, want %v; %v", c.url, c.status, r.Total.Counts, c.want, r.Errors)
		}
	}
}

func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	one := []wsload.Message{{Text: "x"}}
	for want, c := range map[string]wsload.Config{
		`"http://a" is no URL to load`:                            {URL: "http://a", Messages: one},
		"name at least one message to send":                       {URL: "ws://a"},
		"ages, numbers and limits must not be negative":           {URL: "ws://a", Messages: one, ConnMessages: -1},
		"prepare message 1 : there is no variable {{x}}":          {URL: "ws://a", Messages: []wsload.Message{{Text: "{{x}}"}}},
		"prepare message 1 : read the regular":                    {URL: "ws://a", Messages: []wsload.Message{{Answer: "("}}},
		"prepare message 1 : the answer is an echo or":            {URL: "ws://a", Messages: []wsload.Message{{Answer: "a", Echo: true}}},
		"prepare message 1 : read check 1: a message has neither": {URL: "ws://a", Messages: []wsload.Message{{Checks: []check.Check{{Status: "200"}}}}},
	} {
		if _, err := wsload.New(c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
