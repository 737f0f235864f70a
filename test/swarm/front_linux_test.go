package swarm_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/platform/swarm"
	"holdfast/test/holdfast"
)

// front is an engine behind TLS that lets in only who has a certificate.
type front struct {
	address string
	tls     swarm.TLS
}

// fronted starts one; before is called with each request.
func (c *cluster) fronted(t *testing.T, before func(*http.Request)) front {
	t.Helper()
	cert, key, _ := holdfast.Certificate(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", strings.TrimPrefix(c.Host, "unix://"))
	}}
	t.Cleanup(transport.CloseIdleConnections)
	pass := &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: "docker"})
	}}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before(r)
		pass.ServeHTTP(w, r)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return front{address: s.Listener.Addr().String(), tls: swarm.TLS{CA: cert, Cert: cert, Key: key}}
}

// gate holds instances back that start, and those that are told to end.
type gate string

func newGate(t *testing.T) gate {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf-gate-") // the names of tests have commas, which --mount does not take
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return gate(dir)
}

func (g gate) mount() string { return "--mount=type=bind,source=" + string(g) + ",target=/gate" }

func (g gate) shut(t *testing.T) (open func()) {
	t.Helper()
	closed := filepath.Join(string(g), "closed")
	if err := os.WriteFile(closed, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(closed); err != nil {
			t.Error(err)
		}
	}
}
