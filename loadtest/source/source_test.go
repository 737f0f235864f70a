package source_test

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/loadtest/httpload"
	"holdfast/loadtest/source"
)

// text is what a source came to, a request per line.
func text(t *testing.T, r *source.Requests, err error) string {
	t.Helper()
	if err != nil {
		return err.Error()
	}
	if _, err := httpload.New(httpload.Config{Requests: r.HTTP}); err != nil {
		t.Errorf("what was read cannot be sent: %v", err)
	}
	var b strings.Builder
	for i := range r.HTTP {
		q := &r.HTTP[i]
		fmt.Fprintf(&b, "%d %s: %s %s %v %q\n", r.Endpoints[i].Weight, r.Endpoints[i].Name, q.Method, q.URL, q.Header, q.Body)
	}
	return b.String() + strings.Join(r.Skipped, "\n")
}

func TestAnAccessLogBecomesRequests(t *testing.T) {
	t.Parallel()
	const log = `127.0.0.1 - - [22/Nov/2026:01:00:00 +0000] "GET /a?x=1 HTTP/1.1" 200 5 "-" "curl"
127.0.0.1 - - [22/Nov/2026:01:00:00 +0000] "GET /b HTTP/1.1" 200 5 "-" "curl"
127.0.0.1 - - [22/Nov/2026:01:00:01 +0000] "GET /a?x=1 HTTP/2.0" 200 5
127.0.0.1 - - [22/Nov/2026:01:00:01 +0000] "GET /a?x={{seq}} HTTP/1.1" 200 5
127.0.0.1 - - [22/Nov/2026:01:00:01 +0000] "POST /pay HTTP/1.1" 200 5
127.0.0.1 - - [22/Nov/2026:01:00:01 +0000] "CONNECT x:443 HTTP/1.1" 400 5

127.0.0.1 - "ada \ lovelace" "HEAD /c HTTP/1.0" 200
\x16\x03\x01 nonsense
127.0.0.1 - - "GET /d` + "\x01" + ` HTTP/1.1" 400`
	r, err := source.Log(strings.NewReader(log), "http://localhost:81/")
	want := `2 GET /a: GET http://localhost:81/a?x=1 [] ""
1 GET /b: GET http://localhost:81/b [] ""
1 GET /a (2): GET http://localhost:81/a?x={{seq}} [] ""
1 HEAD /c: HEAD http://localhost:81/c [] ""
1 requests were left out: a log has no body to send CONNECT with
1 requests were left out: a log has no body to send POST with
1 requests were left out: their lines hold no request in quotes
1 requests were left out: they cannot be sent as they stand`
	if got := text(t, r, err); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOnlyTheMostFrequentRequestsAreMeasured(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	for i := range 300 {
		for range 1 + i%3 {
			fmt.Fprintf(&log, "\"GET /%d HTTP/1.1\"\n", i)
		}
	}
	r, err := source.Log(strings.NewReader(log.String()), "http://localhost")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.HTTP) != 100 || r.Endpoints[0].Weight != 3 || r.Endpoints[99].Name != "GET /299" {
		t.Errorf("%d requests, from %+v to %+v", len(r.HTTP), r.Endpoints[0], r.Endpoints[99])
	}
	if want := "300 requests were left out: only the 100 most frequent are measured"; len(r.Skipped) != 1 || r.Skipped[0] != want {
		t.Errorf("skipped %q, want %q", r.Skipped, want)
	}
}

func TestAHARFileBecomesRequests(t *testing.T) {
	t.Parallel()
	const har = `{"log":{"version":"1.2","entries":[
{"request":{"method":"GET","url":"https://shop.test/?q=1#top","headers":[{"name":":authority","value":"shop.test"},{"name":"Cookie","value":"id=1"},{"name":"Accept","value":"text/html"}]}},
{"request":{"method":"POST","url":"https://shop.test/pay","headers":[{"name":"Content-Length","value":"3"},{"name":"Content-Type","value":"text/plain"}],"postData":{"text":"abc"}}},
{"request":{"method":"GET","url":"https://ads.test/x"}}]}}`
	r, err := source.HAR(strings.NewReader(har), "")
	want := `1 GET /: GET https://shop.test/?q=1 [{Accept text/html}] ""
1 POST /pay: POST https://shop.test/pay [{Content-Type text/plain}] "abc"
1 requests were left out: they were for other hosts`
	if got := text(t, r, err); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAnOpenAPIDocumentBecomesRequests(t *testing.T) {
	t.Parallel()
	const doc = `
openapi: 3.1.0
paths:
  /items:
    get:
      parameters:
        - {name: page, in: query, required: true, schema: {type: integer, default: 1}}
        - {name: sort, in: query, schema: {enum: [a, b]}}
        - {name: X-Tenant, in: header, required: true, example: blue}
    post: {}
  /items/{id}:
    parameters: [{name: id, in: path, required: true, example: "a b"}]
    get: {}
  /users/{id}:
    get: {parameters: [{name: id, in: path, required: true}]}
  /search:
    get: {parameters: [{name: q, in: query, required: true}]}
`
	r, err := source.OpenAPI(strings.NewReader(doc), "http://localhost/api")
	want := `1 GET /items: GET http://localhost/api/items?page=1 [{X-Tenant blue}] ""
1 GET /items/{id}: GET http://localhost/api/items/a%20b [] ""
1 requests were left out: a parameter of their path has no example
1 requests were left out: a parameter they need has no example
1 requests were left out: they change something, and a document says nothing of what may be changed`
	if got := text(t, r, err); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSourcesThatCannotBeReadAreExplained(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		read func() (*source.Requests, error)
		want string
	}{
		{func() (*source.Requests, error) { return source.Log(strings.NewReader("x\n"), "http://a") }, "read the access log: there is no request in it that can be sent: their lines hold no request in quotes"},
		{func() (*source.Requests, error) {
			return source.Log(strings.NewReader(strings.Repeat("x", 1<<17)), "http://a")
		}, "read the access log: a line is longer than 65536 bytes"},
		{func() (*source.Requests, error) { return source.HAR(strings.NewReader("{"), "") }, "read the HAR file: unexpected EOF"},
		{func() (*source.Requests, error) { return source.HAR(strings.NewReader("{}"), "") }, "read the HAR file: there is no request in it that can be sent"},
		{func() (*source.Requests, error) {
			return source.OpenAPI(strings.NewReader("swagger: '2.0'"), "http://a")
		}, `read the OpenAPI document: want version 3, not ""`},
		{func() (*source.Requests, error) {
			return source.OpenAPI(strings.NewReader("openapi: 3.0.0"), "http://a")
		}, "read the OpenAPI document: there is no request in it that can be sent"},
	} {
		if r, err := c.read(); text(t, r, err) != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

func FuzzSources(f *testing.F) {
	f.Add("1.2.3.4 - - [x] \"GET /a HTTP/1.1\" 200")
	f.Add(`{"log":{"entries":[{"request":{"method":"GET","url":"http://a/b"}}]}}`)
	f.Add("openapi: 3.0.0\npaths: {/a: {get: {parameters: [{name: x, in: query, required: true, example: 1}]}}}")
	f.Fuzz(func(t *testing.T, in string) {
		for _, read := range []func() (*source.Requests, error){
			func() (*source.Requests, error) { return source.Log(strings.NewReader(in), "http://a") },
			func() (*source.Requests, error) { return source.HAR(strings.NewReader(in), "") },
			func() (*source.Requests, error) { return source.OpenAPI(strings.NewReader(in), "http://a") },
		} {
			if r, err := read(); err == nil {
				text(t, r, nil)
			}
		}
	})
}
