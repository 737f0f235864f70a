package access_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/internal/admin/access"
	"holdfast/internal/store"
)

// discard is a ResponseWriter that costs nothing.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func benchGuard(b *testing.B) (g *access.Guard, secret string) {
	b.Helper()
	boot, secret := store.NewToken("x", store.Admin, time.Time{}, time.Now())
	fast := access.Rate{PerSecond: 1e12, Burst: 1e9}
	g, err := access.New(access.Config{
		Tokens: access.NewTokens(access.TokensConfig{Bootstrap: boot}), Limits: access.Limits{Address: fast, Identity: fast},
	})
	if err != nil {
		b.Fatal(err)
	}
	return g, secret
}

func benchRequest(method string) *http.Request {
	r := httptest.NewRequest(method, "http://localhost:8081/read", nil)
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8081}
	return r.WithContext(access.ConnContext(r.Context(), ends{local: local, remote: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4711}}))
}

// ends is a connection that has nothing but its two ends.
type ends struct {
	net.Conn

	local, remote net.Addr
}

func (e ends) LocalAddr() net.Addr  { return e.local }
func (e ends) RemoteAddr() net.Addr { return e.remote }

func run(b *testing.B, h http.Handler, r *http.Request) {
	b.Helper()
	w := discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

func nothing(http.ResponseWriter, *http.Request) {}

func BenchmarkRequestWithToken(b *testing.B) {
	g, secret := benchGuard(b)
	r := benchRequest("GET")
	r.Header.Set("Authorization", "Bearer "+secret)
	run(b, g.Handler(g.Require(store.Admin, http.HandlerFunc(nothing))), r)
}

func BenchmarkRequestWithSession(b *testing.B) {
	g, secret := benchGuard(b)
	login := httptest.NewRequest(http.MethodPost, "http://localhost:8081/login", strings.NewReader(`{"token":"`+secret+`"}`))
	login.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	g.Handler(g.Login()).ServeHTTP(w, login)
	if w.Code != 200 {
		b.Fatal(w.Code, w.Body)
	}
	r := benchRequest("PUT")
	r.AddCookie(w.Result().Cookies()[0])
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", "http://localhost:8081")
	run(b, g.Handler(g.Require(store.Admin, http.HandlerFunc(nothing))), r)
}

func BenchmarkRequestOfNobody(b *testing.B) {
	g, _ := benchGuard(b)
	run(b, g.Handler(http.HandlerFunc(nothing)), benchRequest("GET"))
}

func BenchmarkVerifyKnown(b *testing.B)   { benchVerify(b, true) }
func BenchmarkVerifyUnknown(b *testing.B) { benchVerify(b, false) }

func benchVerify(b *testing.B, known bool) {
	b.Helper()
	boot, secret := store.NewToken("x", store.Admin, time.Time{}, time.Now())
	tokens := access.NewTokens(access.TokensConfig{Bootstrap: boot})
	if !known {
		secret = sample
	}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Known(secret, now); (err == nil) != known {
			b.Fatal(err)
		}
	}
}
