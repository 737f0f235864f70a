package httpload_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"holdfast/loadtest"
	"holdfast/loadtest/httpload"
)

// echo keeps what it is asked.
type echo struct {
	mu   sync.Mutex
	seen []string
}

func (e *echo) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = append(e.seen, fmt.Sprintf("%s %s %s %s", r.Method, r.RequestURI, r.Header.Get("X-User"), body))
}

// asked returns what came so far. The lock is needed also after the run: the race detector does not see that an answer
// comes after its request where the generator reads past the runtime.
func (e *echo) asked() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.seen)
}

func echoing(t *testing.T) (*echo, string) {
	t.Helper()
	e := &echo{}
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	return e, s.URL
}

func TestVariablesAreFilledIn(t *testing.T) {
	t.Parallel()
	e, url := echoing(t)
	feed, err := httpload.ReadFeed(strings.NewReader("name, city\nAda,São Paulo\nBob,\"A & B\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, httpload.Config{Feed: feed, Requests: []httpload.Request{{
		Method: "put", URL: url + "/u/{{ seq }}?c={{city}}", Body: `{"n":"{{name}}"}`, Header: []httpload.Field{{"X-User", "{{user}}-{{name}}"}},
	}}}, 3)
	want := []string{
		`PUT /u/0?c=S%C3%A3o%20Paulo 0-Ada {"n":"Ada"}`,
		`PUT /u/1?c=A%20%26%20B 0-Bob {"n":"Bob"}`,
		`PUT /u/2?c=S%C3%A3o%20Paulo 0-Ada {"n":"Ada"}`,
	}
	if seen := e.asked(); !slices.Equal(seen, want) || r.Total.Counts[loadtest.OK] != 3 {
		t.Errorf("the server saw %q, want %q; %v", seen, want, r.Errors)
	}
}

func TestARandomVariableRepeatsWithItsNumber(t *testing.T) {
	t.Parallel()
	e, url := echoing(t)
	requests := []httpload.Request{{URL: url + "/{{rand}}"}, {URL: url + "/{{verbatim}}", Verbatim: true}}
	run(t, httpload.Config{Requests: requests[:1]}, 2)
	run(t, httpload.Config{Requests: requests[:1]}, 2)
	seen := e.asked()
	if len(seen) != 4 || seen[0] != seen[2] || seen[1] != seen[3] || seen[0] == seen[1] || len(seen[0]) != len("GET /0123456789abcdef  ") {
		t.Errorf("the server saw %q", seen)
	}
	run(t, httpload.Config{Requests: requests[1:]}, 1)
	if seen := e.asked(); len(seen) != 5 || seen[4] != "GET /{{verbatim}}  " {
		t.Errorf("the server saw %q", seen)
	}
}

func TestRequestsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]httpload.Request{
		`"localhost:80" is no URL to load: want http://HOST or https://HOST`:                              {URL: "localhost:80"},
		`the URL "http:///x" names no host`:                                                               {URL: "http:///x"},
		`the URL holds a password: give it as a header, where it is not shown`:                            {URL: "http://a:b@c/"},
		`there is no variable {{nme}}: want seq, user, rand or a column of the feed`:                      {URL: "http://a/{{nme}}"},
		`a variable begins with {{ and does not end with }}`:                                              {URL: "http://a/", Body: "{{seq"},
		`the header content-length is the generator's own: leave it out`:                                  {URL: "http://a/", Header: []httpload.Field{{"content-length", "5"}}},
		`the header "X" holds a control character`:                                                        {URL: "http://a/", Header: []httpload.Field{{"X", "a\r\nEvil: 1"}}},
		`make a request that servers understand: the name of a header field is malformed`:                 {URL: "http://a/", Header: []httpload.Field{{"X Y", "a"}}},
		`make a request that servers understand: the request target contains a byte that must be escaped`: {URL: "http://a/\x01"},
		`CONNECT opens a tunnel; there is nothing to measure of it`:                                       {URL: "http://a/", Method: "CONNECT"},
		`read check 1: "20" is no status: want 200, 2xx or 200-204`:                                       {URL: "http://a/", Checks: []httpload.Check{{Status: "20"}}},
		`read check 1: the check wants nothing: give status, header, json, equals, contains or matches`:   {URL: "http://a/", Checks: []httpload.Check{{}}},
		`read check 1: a check looks at one of status, header and json`:                                   {URL: "http://a/", Checks: []httpload.Check{{Status: "200", JSON: "a"}}},
		`read check 1: a check wants one of equals, contains and matches`:                                 {URL: "http://a/", Checks: []httpload.Check{{Equals: "a", Contains: "b"}}},
		"read check 1: read the regular expression: error parsing regexp: missing closing ): `(`":         {URL: "http://a/", Checks: []httpload.Check{{Matches: "("}}},
		`read check 1: read the path "$.a[x]" at "[x]": want a whole number in the brackets`:              {URL: "http://a/", Checks: []httpload.Check{{JSON: "$.a[x]"}}},
		`make a request that servers understand: the request line is malformed`:                           {URL: "http://a/", Method: "GE T"},
		`read the URL: parse "http://a:b": invalid port ":b" after host`:                                  {URL: "http://a:b/"},
	} {
		_, err := httpload.New(httpload.Config{Requests: []httpload.Request{r}})
		if err == nil || err.Error() != "prepare request 1 : "+want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
	if _, err := httpload.New(httpload.Config{}); err == nil {
		t.Error("no request at all was taken")
	}
	if _, err := httpload.New(httpload.Config{Requests: get("http://a"), ConnRequests: httpload.Range{Min: 5, Max: 2}}); err == nil {
		t.Error("from 5 to 2 requests per connection were taken")
	}
}

func TestFeedsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                  "the feed is empty: want the names of the columns in its first line",
		"a,b\n":             "the feed has no rows",
		"a,b\n1,2\n3\n":     "read the feed: record on line 3: wrong number of fields",
		"a\n\"x\ry\"\n":     "row 1 of the feed holds a control character, which no header may",
		"a\n1\n\"x\ny\"\n":  "row 2 of the feed holds a control character, which no header may",
		"a\n1\n\"unfinishe": `read the feed: parse error on line 3, column 11: extraneous or missing " in quoted-field`,
	} {
		if _, err := httpload.ReadFeed(strings.NewReader(in)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
}

func TestChecksJudgeAnswers(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/teapot" {
			w.WriteHeader(http.StatusTeapot)
		}
		if r.URL.Path == "/long" {
			fmt.Fprint(w, strings.Repeat(" ", 100_000))
		}
		fmt.Fprint(w, `{"items":[{"name":"a","n":1.50},{"name":"b","ok":true,"none":null}],"odd key":"x"}`)
	}))
	t.Cleanup(s.Close)
	for _, c := range []struct {
		path  string
		check httpload.Check
		want  bool
		text  string
	}{
		{"/", httpload.Check{Status: "2xx"}, true, "status 2xx"},
		{"/", httpload.Check{Status: "201, 203-299"}, false, "status 201, 203-299"},
		{"/teapot", httpload.Check{Status: "418"}, true, "status 418"},
		{"/", httpload.Check{Header: "content-type"}, true, "header content-type exists"},
		{"/", httpload.Check{Header: "X-Missing"}, false, "header X-Missing exists"},
		{"/", httpload.Check{Header: "Content-Type", Contains: "json"}, true, `header Content-Type contains "json"`},
		{"/", httpload.Check{Header: "Content-Type", Equals: "json"}, false, `header Content-Type equals "json"`},
		{"/", httpload.Check{Contains: `"name":"b"`}, true, `body contains "\"name\":\"b\""`},
		{"/", httpload.Check{Matches: `^\{.*\}$`}, true, `body matches "^\\{.*\\}$"`},
		{"/", httpload.Check{Equals: "{}"}, false, `body equals "{}"`},
		{"/", httpload.Check{JSON: "$.items[0].name", Equals: "a"}, true, `json $.items[0].name equals "a"`},
		{"/", httpload.Check{JSON: "items[-1].ok", Equals: "true"}, true, `json items[-1].ok equals "true"`},
		{"/", httpload.Check{JSON: "$.items[0].n", Equals: "1.50"}, true, `json $.items[0].n equals "1.50"`},
		{"/", httpload.Check{JSON: `$["odd key"]`}, true, `json $["odd key"] exists`},
		{"/", httpload.Check{JSON: "$.items[1].none"}, false, "json $.items[1].none exists"},
		{"/", httpload.Check{JSON: "$.items[7]"}, false, "json $.items[7] exists"},
		{"/long", httpload.Check{JSON: "$.items"}, false, "json $.items exists"}, // it sees the first 64 KiB only
	} {
		client, err := httpload.New(httpload.Config{Requests: []httpload.Request{{URL: s.URL + c.path, Checks: []httpload.Check{c.check}}}})
		if err != nil {
			t.Fatal(err)
		}
		r := runClient(t, client, 2)
		if got := r.Total.Counts[loadtest.OK] == 2; got != c.want || !got && r.Total.Counts[loadtest.CheckFailed] != 2 {
			t.Errorf("%s %s: %v; %v", c.path, c.text, r.Total.Counts, r.Errors)
		}
		if failed := client.Failed(); !c.want && failed[c.text] != 2 || c.want && len(failed) > 0 {
			t.Errorf("%s: failed checks %v", c.text, failed)
		}
	}
}

func TestUsersKeepTheirCookies(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Header.Get("Cookie"))
		switch len(seen) {
		case 1:
			w.Header().Add("Set-Cookie", "id=1; Path=/")
			w.Header().Add("Set-Cookie", "other=2; Path=/elsewhere")
			w.Header().Add("Set-Cookie", "short=3; Max-Age=3600")
		case 2:
			w.Header().Add("Set-Cookie", "id=4; Path=/")
		case 3:
			w.Header().Add("Set-Cookie", "id=; Path=/; Max-Age=0")
		}
	}))
	defer s.Close()
	run(t, httpload.Config{Cookies: true, Requests: get(s.URL + "/a/b")}, 4)
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"", "id=1; short=3", "short=3; id=4", "short=3"}; !slices.Equal(seen, want) {
		t.Errorf("cookies %q, want %q", seen, want)
	}
}
