package gateway_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/internal/event"
	"holdfast/internal/gateway"
)

// certificate is that of httptest, good for 127.0.0.1 and example.com.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s.TLS.Certificates[0], roots
}

// engine is what serves: loops or none, and filters around net/http or none.
type engine struct {
	loops  int
	strict bool
}

func secureEngines() []engine {
	list := []engine{{0, true}}
	for _, n := range engines() {
		list = append(list, engine{n, n > 0})
	}
	return list
}

// secureGateway serves one function over TLS, on every engine.
func secureGateway(t *testing.T, e engine, c *tls.Config, up http.HandlerFunc) net.Addr {
	t.Helper()
	instance := httptest.NewServer(up)
	t.Cleanup(instance.Close)
	g := gateway.New(gateway.Config{
		Logger: slog.New(slog.DiscardHandler), Events: event.NewBus(64), Secret: make([]byte, 32), Strict: e.strict,
	})
	apply(t, g, spec("a", "/"))
	setInstances(t, g, "a", balancer.Spec{ID: "1", Endpoint: instance.URL})
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background()) //nolint:usetesting // ended before the instance
	ended := make(chan error, 1)
	go func() {
		ended <- g.Run(ctx, ln, gateway.ServeConfig{Loops: e.loops, TLS: c, HeaderTimeout: time.Minute, IdleTimeout: time.Minute, Shutdown: time.Second})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr()
}

func overTLS(t *testing.T, run func(t *testing.T, e engine, server, client *tls.Config)) {
	t.Helper()
	cert, roots := certificate(t)
	for _, e := range secureEngines() {
		t.Run(fmt.Sprintf("%+v", e), func(t *testing.T) {
			t.Parallel()
			run(t, e,
				&tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12},
				&tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12})
		})
	}
}

func TestHTTP2AndHTTP1GoThroughTheSameTLSPort(t *testing.T) {
	t.Parallel()
	overTLS(t, func(t *testing.T, e engine, server, config *tls.Config) {
		t.Helper()
		addr := secureGateway(t, e, server, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			_, _ = fmt.Fprint(w, r.Header.Get("X-Forwarded-Proto"), " ", len(body), " ", err)
		})
		for _, c := range []struct {
			h2   bool
			size int // of the body; -1: in chunks
			want string
		}{{true, 0, "https 0 <nil>"}, {true, 300_000, "https 300000 <nil>"}, {false, 0, "https 0 <nil>"}, {false, 300_000, "https 300000 <nil>"}, {false, -1, "https 5 <nil>"}} {
			transport := &http.Transport{TLSClientConfig: config.Clone(), ForceAttemptHTTP2: c.h2, DisableCompression: true}
			var body io.Reader = strings.NewReader(strings.Repeat("x", max(c.size, 0)))
			if c.size < 0 {
				body = io.MultiReader(strings.NewReader("hello"))
			}
			for range 3 {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+addr.String()+"/", body)
				if err != nil {
					t.Fatal(err)
				}
				res, err := transport.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(res.Body)
				res.Body.Close()
				if string(got) != c.want || err != nil || (res.ProtoMajor == 2) != c.h2 {
					t.Errorf("%+v: %q, %v, %s", c, got, err, res.Proto)
				}
				if body = strings.NewReader(strings.Repeat("x", max(c.size, 0))); c.size < 0 {
					body = io.MultiReader(strings.NewReader("hello"))
				}
			}
			transport.CloseIdleConnections()
		}
	})
}

func TestAnUpgradeGoesThroughTLS(t *testing.T) {
	t.Parallel()
	overTLS(t, func(t *testing.T, e engine, server, config *tls.Config) {
		t.Helper()
		addr := secureGateway(t, e, server, func(w http.ResponseWriter, _ *http.Request) {
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			_, _ = io.Copy(conn, rw)
		})
		c, err := tls.Dial("tcp", addr.String(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		r := bufio.NewReader(c)
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(res, err)
		}
		for i := range 100 {
			word := strings.Repeat(fmt.Sprint(i), 1000)
			go func() { _, _ = io.WriteString(c, word) }()
			got := make([]byte, len(word))
			if _, err := io.ReadFull(r, got); err != nil || string(got) != word {
				t.Fatal(err)
			}
		}
	})
}

func TestAPlainRequestToATLSPortIsToldSo(t *testing.T) {
	t.Parallel()
	overTLS(t, func(t *testing.T, e engine, server, _ *tls.Config) {
		t.Helper()
		addr := secureGateway(t, e, server, func(http.ResponseWriter, *http.Request) {})
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if got, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(got), "HTTP/1.0 400 ") {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// What a Config says of certificates is asked at each handshake.
func TestANewCertificateIsUsedFromTheNextConnectionOn(t *testing.T) {
	t.Parallel()
	overTLS(t, func(t *testing.T, e engine, server, config *tls.Config) {
		t.Helper()
		certs := make(chan *tls.Certificate, 1)
		first := server.Certificates[0]
		second := first
		second.OCSPStaple = []byte("second") // by which the client knows it
		server.Certificates = nil
		server.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return <-certs, nil }
		addr := secureGateway(t, e, server, func(http.ResponseWriter, *http.Request) {})
		for _, cert := range []*tls.Certificate{&first, &second} {
			certs <- cert
			c, err := tls.Dial("tcp", addr.String(), config)
			if err != nil {
				t.Fatal(err)
			}
			if string(c.OCSPResponse()) != string(cert.OCSPStaple) {
				t.Errorf("%q", c.OCSPResponse())
			}
			c.Close()
		}
	})
}

// Who was shaking hands when the gateway ends does not keep it.
func TestASilentHandshakeDoesNotKeepTheGateway(t *testing.T) {
	t.Parallel()
	overTLS(t, func(t *testing.T, e engine, server, _ *tls.Config) {
		t.Helper()
		addr := secureGateway(t, e, server, func(http.ResponseWriter, *http.Request) {})
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, c); c.Close() }() // until the gateway closes it
		_, _ = io.WriteString(c, "\x16\x03\x01")
	})
}
