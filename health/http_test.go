package health_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/health"
	"holdfast/test/port"
)

// serve answers every request with the status and body.
func serve(t *testing.T, status int, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func TestStatusesDecide(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status   int
		statuses string
		lenient  bool
		ok       bool
		reason   string
	}{
		{200, "", false, true, "GET /health answered 200"},
		{204, "", false, true, "GET /health answered 204"},
		{302, "", false, true, "GET /health answered 302"},
		{399, "", false, true, "GET /health answered 399"},
		{404, "", false, false, "GET /health answered 404"},
		{500, "", false, false, "GET /health answered 500"},
		{503, "", false, false, "GET /health answered 503"},
		{302, "200-299", false, false, "GET /health answered 302"},
		{404, "200, 404", false, true, "GET /health answered 404"},
		{418, "400-499", false, true, "GET /health answered 418"},
		{200, "", true, true, "GET /health answered 200"},
		{401, "", true, true, "GET /health answered 401: alive, below 500"},
		{404, "", true, true, "GET /health answered 404: alive, but without this path"},
		{500, "", true, false, "GET /health answered 500"},
		{502, "", true, false, "GET /health answered 502"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.status, test.statuses, test.lenient), func(t *testing.T) {
			t.Parallel()
			h := newHTTP(t, serve(t, test.status, ""), func(c *health.HTTPConfig) {
				c.Statuses, c.Lenient = test.statuses, test.lenient
			})
			r := h.Check(t.Context())
			want(t, r, test.ok, test.reason)
			if r.Status != test.status {
				t.Errorf("Status is %d", r.Status)
			}
		})
	}
}

func TestBodyAndJSONConditionsDecide(t *testing.T) {
	t.Parallel()
	const body = `{"status":"ok","cpu_percent":12.5,"up":true,"db":{"status":"down","lag.ms":7},"queues":[{"size":3}],"n":null}`
	tests := []struct {
		name, contains, matches string
		json                    []string
		ok                      bool
		reason                  string
	}{
		{"contained", `"ok"`, "", nil, true, "GET /health answered 200"},
		{"not contained", "fine", "", nil, false, `GET /health answered 200, but its body does not contain "fine"`},
		{"matched", "", `"cpu_percent":\d+`, nil, true, "GET /health answered 200"},
		{"not matched", "", "^x", nil, false, `GET /health answered 200, but its body does not match "^x"`},
		{"text", "", "", []string{"status = ok"}, true, "GET /health answered 200"},
		{"other text", "", "", []string{"status = fine"}, false, `GET /health answered 200, but status is "ok", want = fine`},
		{"not equal", "", "", []string{"status != down"}, true, "GET /health answered 200"},
		{"bool", "", "", []string{"up = true"}, true, "GET /health answered 200"},
		{"null", "", "", []string{"n = null"}, true, "GET /health answered 200"},
		{"nested", "", "", []string{"db.status = up"}, false, `GET /health answered 200, but db.status is "down", want = up`},
		{"escaped dot", "", "", []string{`db.lag\.ms < 8`}, true, "GET /health answered 200"},
		{"index", "", "", []string{"queues.0.size <= 3"}, true, "GET /health answered 200"},
		{"beyond the array", "", "", []string{"queues.1.size <= 3"}, false, "GET /health answered 200, but its JSON has no field queues.1.size"},
		{"no index", "", "", []string{"queues.x = 3"}, false, "GET /health answered 200, but its JSON has no field queues.x"},
		{"into a text", "", "", []string{"status.x = 3"}, false, "GET /health answered 200, but its JSON has no field status.x"},
		{"number equal", "", "", []string{"cpu_percent = 12.50"}, true, "GET /health answered 200"},
		{"never a number", "", "", []string{"cpu_percent != NaN", "cpu_percent != 1e999"}, true, "GET /health answered 200"},
		{"number too high", "", "", []string{"cpu_percent < 12"}, false, `GET /health answered 200, but cpu_percent is "12.5", want < 12`},
		{"all must hold", "", "", []string{"up = true", "cpu_percent > 90"}, false, `GET /health answered 200, but cpu_percent is "12.5", want > 90`},
		{"no number", "", "", []string{"status > 1"}, false, "GET /health answered 200, but status is not a number"},
		{"an object", "", "", []string{"db = 1"}, false, "GET /health answered 200, but db is not a single value"},
		{"missing", "", "", []string{"gone = 1"}, false, "GET /health answered 200, but its JSON has no field gone"},
	}
	addr := serve(t, 200, body)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHTTP(t, addr, func(c *health.HTTPConfig) {
				c.BodyContains, c.BodyMatches = test.contains, test.matches
				for _, text := range test.json {
					condition, err := health.ParseCondition(text)
					if err != nil {
						t.Fatal(err)
					}
					c.JSON = append(c.JSON, condition)
				}
			})
			want(t, h.Check(t.Context()), test.ok, test.reason)
		})
	}
}

func TestNumbersOfAnAnswerAreReadWhateverItsStatus(t *testing.T) {
	t.Parallel()
	h := newHTTP(t, serve(t, 503, ` {"cpu_percent":91.5, "connections":12,"status":"busy","db":{"lag":1},"event_loop_lag_ms":-3e1}`), nil)
	r := h.Check(t.Context())
	want(t, r, false, "GET /health answered 503")
	if w := map[string]float64{"cpu_percent": 91.5, "connections": 12, "event_loop_lag_ms": -30}; !maps.Equal(r.Numbers, w) {
		t.Errorf("Numbers are %v, want %v", r.Numbers, w)
	}
}

func TestAConditionOnAnAnswerThatIsNotJSONFails(t *testing.T) {
	t.Parallel()
	h := newHTTP(t, serve(t, 200, `{"status":"ok"`), func(c *health.HTTPConfig) {
		c.JSON = []health.Condition{{Field: "status", Op: health.Equal, Value: "ok"}}
	})
	want(t, h.Check(t.Context()), false, "GET /health answered 200, but its body is not JSON")
}

func TestTheRequestIsSentAsConfigured(t *testing.T) {
	t.Parallel()
	var got *http.Request
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Clone(r.Context()) }))
	defer s.Close()
	h, err := health.NewHTTP(health.HTTPConfig{
		URL: strings.Replace(s.URL, "://", "://me:word@", 1) + "/a%2Fb?deep=1", Method: "POST", Host: "public.test",
		Headers: map[string]string{"x-token": "abc", "User-Agent": "mine"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	want(t, h.Check(t.Context()), true, "POST /a%2Fb answered 200")
	user, password, _ := got.BasicAuth()
	have := []string{got.Method, got.RequestURI, got.Host, got.Header.Get("X-Token"), got.UserAgent(), user, password, got.Header.Get("Content-Length")}
	if w := []string{"POST", "/a%2Fb?deep=1", "public.test", "abc", "mine", "me", "word", "0"}; strings.Join(have, "|") != strings.Join(w, "|") {
		t.Errorf("got %q, want %q", have, w)
	}
}

func TestHTTPSVerifiesTheServer(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // refused handshakes are wanted
	s.StartTLS()
	defer s.Close()
	trusting, ok := s.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatal("the test server's client has another transport")
	}
	tests := []struct {
		name, host string
		tls        *tls.Config
		ok         bool
		reason     string
	}{
		{"trusted", "example.com", trusting.TLSClientConfig, true, "GET / answered 200"},
		{"unknown authority", "example.com", nil, false, "TLS handshake: x509: certificate signed by unknown authority*"},
		{"other name", "other.test", trusting.TLSClientConfig, false, "TLS handshake: x509: certificate is valid for example.com*"},
	}
	for _, test := range tests {
		h, err := health.NewHTTP(health.HTTPConfig{URL: s.URL, Host: test.host, TLS: test.tls, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second on the kept connection, if there is one
			want(t, h.Check(t.Context()), test.ok, test.reason)
		}
		h.Close()
	}
	h := newHTTP(t, serve(t, 200, ""), func(c *health.HTTPConfig) { c.URL = strings.Replace(c.URL, "http:", "https:", 1) })
	want(t, h.Check(t.Context()), false, "TLS handshake: the server does not speak TLS")
}

func TestAWrongHTTPConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	base := health.HTTPConfig{URL: "http://127.0.0.1/health"}
	tests := []struct {
		name   string
		change func(*health.HTTPConfig)
		want   string
	}{
		{"no url", func(c *health.HTTPConfig) { c.URL = "" }, "scheme"},
		{"other scheme", func(c *health.HTTPConfig) { c.URL = "ftp://x" }, "scheme"},
		{"no host", func(c *health.HTTPConfig) { c.URL = "http:///health" }, "no host"},
		{"malformed url", func(c *health.HTTPConfig) { c.URL = "http://u:secret@[x/" }, "malformed"},
		{"method", func(c *health.HTTPConfig) { c.Method = "GET / HTTP/1.1\r\nX:" }, "method"},
		{"host", func(c *health.HTTPConfig) { c.Host = "a\r\nb" }, "host"},
		{"header name", func(c *health.HTTPConfig) { c.Headers = map[string]string{"a b": "c"} }, "header name"},
		{"header value", func(c *health.HTTPConfig) { c.Headers = map[string]string{"A": "secret\r\nB: c"} }, "control character"},
		{"framing header", func(c *health.HTTPConfig) { c.Headers = map[string]string{"content-length": "5"} }, "set by the check"},
		{"host header", func(c *health.HTTPConfig) { c.Headers = map[string]string{"host": "x"} }, "own field"},
		{"statuses", func(c *health.HTTPConfig) { c.Statuses = "200-" }, "statuses"},
		{"status range", func(c *health.HTTPConfig) { c.Statuses = "300-200" }, "statuses"},
		{"status too high", func(c *health.HTTPConfig) { c.Statuses = "600" }, "statuses"},
		{"expression", func(c *health.HTTPConfig) { c.BodyMatches = "(" }, "body expression"},
		{"condition", func(c *health.HTTPConfig) { c.JSON = []health.Condition{{Field: "a", Op: "<", Value: "b"}} }, "not a number"},
		{"lenient and statuses", func(c *health.HTTPConfig) { c.Lenient, c.Statuses = true, "200" }, "lenient"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := base
			test.change(&c)
			_, err := health.NewHTTP(c)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error is %v, want one about %q", err, test.want)
			}
		})
	}
}

func TestSecretsStayOutOfReasons(t *testing.T) {
	t.Parallel()
	echoJSON := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"token":%q,"query":%q}`, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), r.URL.RawQuery)
	}))
	defer echoJSON.Close()
	echo := listen(t, func(c net.Conn) { _, _ = io.Copy(c, c) })
	change := func(c *health.HTTPConfig) {
		c.URL += "?key=hush-hush"
		c.Headers = map[string]string{"Authorization": "Bearer top-secret"}
		c.Timeout = time.Second
	}
	reasons := []string{newHTTP(t, echo, change).Check(t.Context()).Reason}
	for _, field := range []string{"token", "query"} {
		h := newHTTP(t, strings.TrimPrefix(echoJSON.URL, "http://"), func(c *health.HTTPConfig) {
			change(c)
			c.JSON = []health.Condition{{Field: field, Op: health.Equal, Value: "x"}}
		})
		reasons = append(reasons, h.Check(t.Context()).Reason)
	}
	reasons = append(reasons, newHTTP(t, port.Refusing(t), change).Check(t.Context()).Reason)
	for _, reason := range reasons {
		if reason == "" || strings.Contains(reason, "secret\"") || strings.Contains(reason, "top-secret") || strings.Contains(reason, "hush") {
			t.Errorf("reason %q", reason)
		}
	}
	if reasons[0] != "GET /health: the answer is not HTTP/1" {
		t.Errorf("an echo service gives %q", reasons[0])
	}
}
