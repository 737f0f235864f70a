package httpload_test

import (
	"net"
	"strings"
	"testing"

	"holdfast/loadtest"
	"holdfast/loadtest/httpload"
	"holdfast/test/need"
)

func TestARequestAllocatesNothing(t *testing.T) { //nolint:paralleltest // it counts allocations
	need.Plain(t)
	feed := &httpload.Feed{Columns: []string{"city"}, Rows: [][]string{{"São Paulo"}, {"x"}}}
	for name, c := range map[string]struct {
		answer  string
		request httpload.Request
	}{
		"sized":      {"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 300\r\n\r\n" + strings.Repeat("x", 300), httpload.Request{}},
		"large":      {"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 200_000), httpload.Request{}},
		"chunked":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", httpload.Request{}},
		"variables":  {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", httpload.Request{Method: "POST", Body: "{{seq}} {{rand}}", Header: []httpload.Field{{"X-City", "{{city}}"}}}},
		"checks":     {"HTTP/1.1 200 OK\r\nServer: me\r\nContent-Length: 2\r\n\r\nhi", httpload.Request{Checks: []httpload.Check{{Status: "2xx"}, {Header: "Server", Equals: "me"}, {Equals: "hi"}}}},
		"rate limit": {"HTTP/1.1 429 200 OK\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n", httpload.Request{}},
	} {
		c.request.URL = raw(t, serveFixed(c.answer)) + "/{{city}}"
		client, err := httpload.New(httpload.Config{Requests: []httpload.Request{c.request}, Feed: feed})
		if err != nil {
			t.Fatal(err)
		}
		u, err := client.NewUser(0)
		if err != nil {
			t.Fatal(err)
		}
		var s loadtest.Shot
		do := func() {
			s = loadtest.Shot{Seq: s.Seq + 1}
			u.Do(t.Context(), &s)
		}
		do()
		if n := testing.AllocsPerRun(500, do); n >= 1 {
			t.Errorf("%s: %v allocations for a request", name, n)
		}
		if s.Err != nil || s.Class != loadtest.OK && s.Class != loadtest.RateLimited {
			t.Errorf("%s: %v, %v", name, s.Class, s.Err)
		}
		u.Close()
	}
}

// serveFixed answers every read with the same bytes, without an allocation of its own.
func serveFixed(answer string) func(net.Conn, int) {
	return func(c net.Conn, _ int) {
		in, out := make([]byte, 4096), []byte(answer)
		for {
			if _, err := c.Read(in); err != nil {
				return
			}
			if _, err := c.Write(out); err != nil {
				return
			}
		}
	}
}

func BenchmarkDo(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err == nil {
			serveFixed("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 300\r\n\r\n"+strings.Repeat("x", 300))(c, 0)
		}
	}()
	client, err := httpload.New(httpload.Config{Requests: get("http://" + l.Addr().String())})
	if err != nil {
		b.Fatal(err)
	}
	u, err := client.NewUser(0)
	if err != nil {
		b.Fatal(err)
	}
	defer u.Close()
	for b.Loop() {
		u.Do(b.Context(), &loadtest.Shot{})
	}
}
