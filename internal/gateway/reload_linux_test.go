package gateway_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/gateway"
)

// A request waits in the queue while its function's only instance is replaced
// by one at another kind of endpoint.
func TestAReloadOfEndpointsFailsNoRequestThatWaits(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]bool{"a name": false, "TLS": true} {
		t.Run(name, func(t *testing.T) { t.Parallel(); replaced(t, secure) })
	}
}

func replaced(t *testing.T, secure bool) {
	t.Helper()
	held, release := make(chan struct{}), make(chan struct{})
	old := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(held); <-release }))
	defer old.Close()
	start := httptest.NewServer
	if secure {
		start = httptest.NewTLSServer
	}
	next := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	defer next.Close()
	g := newGateway()
	s := spec("a", "/")
	s.Config.Policy.MaxInFlight, s.Config.Policy.QueueSize, s.Config.Policy.QueueTimeout = 1, 1, time.Minute
	s.Config.Policy.Retry.Attempts = 0
	if secure {
		roots := x509.NewCertPool()
		roots.AddCert(next.Certificate())
		s.Options.TLS = &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12}
	}
	apply(t, g, s)
	setInstances(t, g, "a", balancer.Spec{ID: "old", Endpoint: old.URL})
	ln := serve(t, g, 1)

	first, second := dial(t, ln), keepAlive{t, dial(t, ln)}
	_, _ = io.WriteString(first, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-held
	_, _ = io.WriteString(second.conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if n, _ := g.Function("a").Waiting(time.Now()); n == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not wait")
		}
	}
	setInstances(t, g, "a", balancer.Spec{ID: "new", Endpoint: strings.Replace(next.URL, "127.0.0.1", "localhost", 1)})
	close(release)
	res, err := http.ReadResponse(bufio.NewReader(second.conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); res.StatusCode != http.StatusOK || string(b) != "hi" || err != nil {
		t.Fatalf("%d %q %v", res.StatusCode, b, err)
	}
	second.post("Content-Length: 3\r\n\r\nbye", "bye", false)
	if s := g.Function("a").Stats(); s.Reasons[exchange.ReasonClientGone].Load() > 0 || s.Exchanges[5].Load() > 0 {
		t.Error("one of the exchanges counts as failed")
	}
	for _, r := range g.Records().Last(10, nil) {
		if r.Reason != exchange.ReasonNone || r.N != 1 {
			t.Errorf("a record of %v with %d attempts", r.Reason, r.N)
		}
	}
}

// serve runs a gateway until the end of the test.
func serve(t *testing.T, g *gateway.Gateway, loops int) *net.TCPListener {
	t.Helper()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background()) //nolint:usetesting // ends before what the test closes
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx, ln, gateway.ServeConfig{Loops: loops, Shutdown: time.Second}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return ln
}
