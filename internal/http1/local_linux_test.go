package http1_test

import (
	"testing"
	"time"

	"holdfast/exchange"
	"holdfast/internal/http1"
)

func TestTheGatewaysOwnAnswersKeepTheConnection(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		fallback *exchange.Fallback
		method   string
		status   int
		body     string
		header   map[string]string
	}{
		{"a reason", nil, "GET", 503, "503 no instance ready yet\n", map[string]string{"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}},
		{"HEAD", nil, "HEAD", 503, "", map[string]string{"Content-Length": "26"}},
		{
			"a fallback", &exchange.Fallback{Status: 200, Body: "{}", Header: map[string]string{"content-type": "application/json"}},
			"GET", 200, "{}",
			map[string]string{"Content-Type": "application/json"},
		},
		{"a redirect", &exchange.Fallback{Redirect: "https://b/c/*"}, "GET", 307, "", map[string]string{"Location": "https://b/c/x?y=1"}},
		{"a redirect to this host", &exchange.Fallback{Redirect: "/*"}, "GET", 307, "", map[string]string{"Location": "/x?y=1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, setup{policy: exchange.Policy{Fallback: c.fallback}})
			client := r.dial()
			for range 2 {
				client.send(c.method + " /x?y=1 HTTP/1.1\r\nHost: a\r\n\r\n")
				res, body := client.answer(c.method)
				if res.StatusCode != c.status || body != c.body {
					t.Errorf("%d %q", res.StatusCode, body)
				}
				for name, want := range c.header {
					if got := res.Header.Get(name); got != want {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
			}
		})
	}
}

func TestAnAffinityCookieIsSetAsTheUserOfTheLoopsFormatsIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{
		policy: exchange.Policy{Affinity: exchange.Affinity{Cookie: "c", TTL: time.Hour}},
		loops:  http1.LoopsConfig{Cookie: func(s exchange.Step, _ string) string { return "c=" + s.SetCookie + "; Path=/" }},
	}, instance(t, echo))
	c := r.dial()
	c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	res, _ := c.answer("GET")
	if got := res.Cookies(); len(got) != 1 || got[0].Name != "c" || got[0].Value == "" || got[0].Path != "/" {
		t.Errorf("%v", got)
	}
}
