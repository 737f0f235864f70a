package httpfault_test

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/fault"
	"holdfast/fault/httpfault"
	"holdfast/fault/internal/faulttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a proxy until the test ends.
func start(t *testing.T, c httpfault.Config) *httpfault.Proxy {
	t.Helper()
	var err error
	if c.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p, err := httpfault.New(c)
	if err != nil {
		t.Fatal(err)
	}
	faulttest.Serve(t, p.Run)
	return p
}

// front is a proxy with rules before a server, and a client with kept connections.
func front(t *testing.T, handler http.HandlerFunc, rules string) (*httpfault.Proxy, *http.Client) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	p := start(t, httpfault.Config{Upstream: server.Listener.Addr().String(), Seed: 7, Rules: parse(t, rules)})
	return p, client(t)
}

func client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{DisableCompression: true, ExpectContinueTimeout: faulttest.Patience}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: faulttest.Patience}
}

func language() faulttest.Language[httpfault.Rule] {
	return faulttest.Language[httpfault.Rule]{Parse: httpfault.Parse, Format: httpfault.Format}
}

func parse(t *testing.T, text string) []httpfault.Rule {
	t.Helper()
	return language().Must(t, text)
}

func url(p *httpfault.Proxy, path string) string { return "http://" + p.Addr().String() + path }

// raw is a connection on which a test speaks HTTP itself.
func raw(t *testing.T, p *httpfault.Proxy) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(faulttest.Patience))
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn), bufio.NewReader(c)
}

func noted(p *httpfault.Proxy, text string) bool {
	events, _ := p.Events()
	return slices.ContainsFunc(events, func(e fault.Event) bool { return strings.Contains(e.Fault+" | "+e.Note, text) })
}
