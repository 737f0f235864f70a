package middleware_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"
)

// BenchmarkProxy compares the engine with a plain httputil.ReverseProxy, both
// over loopback with an instance in the same process. BenchmarkRatio prints
// the figure to watch.
func BenchmarkProxy(b *testing.B) {
	instance := benchInstance(b)
	for name, h := range proxies(b, instance) {
		b.Run(name, func(b *testing.B) {
			client, target := benchClient(b, h)
			b.ReportAllocs()
			for b.Loop() {
				once(b, client, target)
			}
		})
	}
}

// BenchmarkRatio takes turns, so that the machine's mood meets both alike.
func BenchmarkRatio(b *testing.B) {
	both := proxies(b, benchInstance(b))
	client, engine := benchClient(b, both["engine"])
	_, plain := benchClient(b, both["reverseproxy"])
	var took [2]time.Duration
	for b.Loop() {
		for i, target := range []string{engine, plain} {
			began := time.Now()
			for range 50 {
				once(b, client, target)
			}
			took[i] += time.Since(began)
		}
	}
	b.ReportMetric(float64(took[0])/float64(took[1]), "engine/reverseproxy")
}

func benchInstance(b *testing.B) string {
	b.Helper()
	body := strings.Repeat("x", 512)
	return serveLoopback(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
}

func proxies(b *testing.B, instance string) map[string]http.Handler {
	b.Helper()
	u, err := url.Parse(instance)
	if err != nil {
		b.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	b.Cleanup(transport.CloseIdleConnections)
	return map[string]http.Handler{
		"engine": inFront(b, nil, instance),
		"reverseproxy": &httputil.ReverseProxy{
			Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(u)
				p.SetXForwarded()
			},
			Transport: transport,
		},
	}
}

func serveLoopback(b *testing.B, h http.Handler) string {
	b.Helper()
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0") //nolint:usetesting // closed by Cleanup
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(ln)
	}()
	b.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	return "http://" + ln.Addr().String()
}

func benchClient(b *testing.B, h http.Handler) (*http.Client, string) {
	b.Helper()
	transport := new(http.Transport)
	b.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}, serveLoopback(b, h)
}

func once(b *testing.B, client *http.Client, target string) {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, target, nil)
	if err != nil {
		b.Fatal(err)
	}
	res, err := client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	n, err := io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if n != 512 || err != nil || res.StatusCode != http.StatusOK {
		b.Fatal(n, err, res.StatusCode)
	}
}
