package httpfault_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"holdfast/fault/httpfault"
	"holdfast/fault/internal/faulttest"
	"holdfast/test/port"
)

// mirror answers with what it was asked.
func mirror(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Asked", fmt.Sprintf("%s %s %d %v", r.Method, r.URL, r.ContentLength, r.TransferEncoding))
	_, _ = w.Write(body)
}

func TestWhatNoRuleIsAboutPassesUnchanged(t *testing.T) {
	t.Parallel()
	p, c := front(t, mirror, "/other: status=503")
	big := bytes.Repeat([]byte("0123456789"), 100_000)
	for _, q := range []struct {
		method string
		body   io.Reader
		asked  string
		want   []byte
	}{
		{"GET", nil, "GET /a?b=c 0 []", nil},
		{"HEAD", nil, "HEAD /a?b=c 0 []", nil},
		{"POST", strings.NewReader("hello"), "POST /a?b=c 5 []", []byte("hello")},
		{"PUT", bytes.NewReader(big), "PUT /a?b=c 1000000 []", big},
		{"POST", io.MultiReader(bytes.NewReader(big)), "POST /a?b=c -1 [chunked]", big},
	} {
		req, err := http.NewRequest(q.method, url(p, "/a?b=c"), q.body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", q.method, err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || sha256.Sum256(got) != sha256.Sum256(q.want) || resp.Header.Get("Asked") != q.asked {
			t.Errorf("%s: %d bytes (%v), asked %q, want %q", q.method, len(got), err, resp.Header.Get("Asked"), q.asked)
		}
	}
	if s := p.Stats(); s.Accepted != 1 || s.Requests != 5 || s.Struck != 0 || s.Failed != 0 {
		t.Errorf("stats %+v, want one kept connection", s)
	}
}

func TestPipelinedAndOldRequestsPass(t *testing.T) {
	t.Parallel()
	p, _ := front(t, mirror, "")
	c, r := raw(t, p)
	fmt.Fprint(c, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhiGET /3 HTTP/1.0\r\n\r\n")
	for _, want := range []string{"GET /1", "POST /2", "GET /3"} {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		if !strings.HasPrefix(resp.Header.Get("Asked"), want) {
			t.Errorf("asked %q, want %s", resp.Header.Get("Asked"), want)
		}
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after an HTTP/1.0 request: %v, want the end", err)
	}
}

func TestExpectationsAndTrailersPass(t *testing.T) {
	t.Parallel()
	p, c := front(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // makes net/http send 100 Continue
		w.Header().Set("Trailer", "Sum")
		_, _ = w.Write(body)
		w.(http.Flusher).Flush()
		w.Header().Set("Sum", fmt.Sprint(len(body)))
	}, "")
	req, err := http.NewRequest(http.MethodPost, url(p, "/"), strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Expect", "100-continue")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); string(got) != "hello" || err != nil || resp.Trailer.Get("Sum") != "5" {
		t.Errorf("got %q (%v), trailer %v", got, err, resp.Trailer)
	}
}

func TestUpgradesPass(t *testing.T) {
	t.Parallel()
	p, _ := front(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.Copy(conn, rw)
	}, "")
	c, r := raw(t, p)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly")
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("answer %v, %v", resp, err)
	}
	fmt.Fprint(c, " bird")
	got := make([]byte, len("early bird"))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != "early bird" {
		t.Errorf("through the tunnel: %q, %v", got, err)
	}
}

func TestAClientThatLeavesIsNoticedByTheUpstream(t *testing.T) {
	t.Parallel()
	asked, left := make(chan bool, 1), make(chan bool, 1)
	p, _ := front(t, func(_ http.ResponseWriter, r *http.Request) {
		asked <- true
		<-r.Context().Done()
		left <- true
	}, "")
	c, _ := raw(t, p)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-asked
	_ = c.Close()
	<-left
	faulttest.Until(t, "the session is over", func() bool { return p.Stats().Open == 0 })
}

func TestAnUpstreamThatClosesAnIdleConnectionClosesTheClients(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(mirror))
	defer server.Close()
	p := start(t, httpfault.Config{Upstream: server.Listener.Addr().String()})
	c, r := raw(t, p)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	server.CloseClientConnections()
	if n, err := r.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes, want the end", n)
	}
}

func TestWhatCannotBeUnderstoodIsRefused(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	p, _ := front(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) }, "")
	c, r := raw(t, p)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusBadRequest || asked.Load() != 0 {
		t.Errorf("answer %v, %v; asked %d times", resp, err, asked.Load())
	}
	if !noted(p, "cannot be understood") {
		t.Error("the log says nothing")
	}
}

func TestAnUpstreamThatIsAwayBreaksTheConnection(t *testing.T) {
	t.Parallel()
	p := start(t, httpfault.Config{Upstream: port.Refusing(t)})
	if resp, err := client(t).Get(url(p, "/")); err == nil {
		t.Errorf("answer %v from nobody", resp.Status)
	}
	faulttest.Until(t, "the failure is counted", func() bool { return p.Stats().Failed > 0 && noted(p, "reach the upstream") })
}

func TestRunEndsWithAllRequestsUnderWay(t *testing.T) {
	t.Parallel()
	asked := make(chan bool)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- true
		_, _ = io.Copy(io.Discard, r.Body) // without it net/http does not notice that the client is gone
	}))
	defer server.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := httpfault.New(httpfault.Config{Listener: l, Upstream: server.Listener.Addr().String(), Rules: parse(t, "/slow: delay=1h")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	for _, text := range []string{"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", "GET /half"} {
		c, _ := raw(t, p)
		fmt.Fprint(c, text)
	}
	<-asked
	faulttest.Until(t, "the slow request is delayed", func() bool { return noted(p, "delayed by") })
	cancel()
	if err := <-done; err != nil || p.Stats().Open != 0 {
		t.Errorf("Run = %v with %d open", err, p.Stats().Open)
	}
}
