package scenario_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/anyload"
	"holdfast/loadtest/scenario"
	"holdfast/loadtest/schedule"
)

const full = `
target: %s
rate: 200
duration: 1500
warm_up: 500ms
arrivals: poisson
seed: 7
timeout: 20s
polite: true
max_in_flight: 50
connections: {keep_alive: true, max_age: 30s, requests: {min: 50, max: 100}, timeout: 20s}
cookies: true
headers: {X-Tenant: blue, X-Both: shared}
auth: {user: ada, password: "${PASSWORD}"}
feed: {file: users.csv}
requests:
  - name: list
    weight: 3
    path: /items?page={{seq}}
    checks: [{status: 200}, {json: "$.items[0].id", equals: "1"}]
  - name: buy
    method: POST
    path: /items/{{item}}/buy
    headers: {Content-Type: application/json, x-both: own}
    body: '{"user":"{{name}}"}'
    checks: [{status: 201}, {contains: ordered}]
objectives: [errors<=0, "p99{endpoint=buy}<1m abort", rate>=0.5*target]
`

func place() scenario.Place {
	return scenario.Place{
		Name:   "shop.yaml",
		Files:  fstest.MapFS{"users.csv": {Data: []byte("name,item\nAda,a b\nBob,c\n")}, "empty.csv": {}},
		Lookup: func(name string) (string, bool) { return "s3cret", name == "PASSWORD" },
	}
}

func TestARequestMayHaveAnotherProtocolThanTheRest(t *testing.T) {
	t.Parallel()
	s, err := scenario.Parse([]byte("target: http://h\nrate: 1\nprotocol: http2\nrequests: [{path: /a}, {path: /b, protocol: http1}, {url: 'ws://h/', message: x}]"), place())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false, false} {
		if got := s.Target.Requests[i].HTTP2; got != want || s.Target.HTTP2 {
			t.Errorf("request %d over HTTP/2: %v (all: %v), want %v", i+1, got, s.Target.HTTP2, want)
		}
	}
}

func TestAScenarioRuns(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		mu.Lock()
		seen[fmt.Sprintf("%s %s %s %s %s/%s %s", r.Method, r.URL.EscapedPath(), body, r.Header.Get("X-Tenant"), user, password, r.Header.Get("X-Both"))]++
		mu.Unlock()
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, "ordered")
			return
		}
		fmt.Fprint(w, `{"items":[{"id":1}]}`)
	}))
	defer s.Close()
	parsed, err := scenario.Parse(fmt.Appendf(nil, full, s.URL), place())
	if err != nil {
		t.Fatal(err)
	}
	client, err := anyload.New(parsed.Target)
	if err != nil {
		t.Fatal(err)
	}
	parsed.Load.Client = client
	r, err := loadtest.Run(t.Context(), parsed.Load)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Passed() || r.Warmup.Planned() < 50 || r.Total.Planned() < 200 {
		t.Errorf("passed %v: %+v; warm-up %d, measured %d; %v", r.Passed(), r.Objectives, r.Warmup.Planned(), r.Total.Planned(), r.Errors)
	}
	list, buy := r.Endpoints[0].Planned(), r.Endpoints[1].Planned()
	if list < buy || buy == 0 {
		t.Errorf("list %d, buy %d, want three to one", list, buy)
	}
	for _, want := range []string{
		"GET /items  blue ada/s3cret shared",
		`POST /items/a%20b/buy {"user":"Ada"} blue ada/s3cret own`,
		`POST /items/c/buy {"user":"Bob"} blue ada/s3cret own`,
	} {
		if seen[want] == 0 {
			t.Errorf("the server never saw %s; it saw %v", want, seen)
		}
	}
	if len(seen) != 3 {
		t.Errorf("the server saw other requests too: %v", seen)
	}
}

func TestStagesAreRead(t *testing.T) {
	t.Parallel()
	s, err := scenario.Parse([]byte(`
stages:
  - {name: base, rate: 100, duration: 10s}
  - {name: peak, shape: linear, rate: 1000, duration: 30s}
  - {name: tide, shape: sine, rate: 500, amplitude: 300, period: 10s, duration: 30s}
requests: [{url: "http://localhost/"}]
objectives: ["p99@peak<1s", "p99{endpoint=GET http://localhost/}<1s"]
`), scenario.Place{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	want := []schedule.Stage{
		{Name: "base", Rate: 100, Duration: 10 * time.Second},
		{Name: "peak", Shape: schedule.Linear, Rate: 1000, Duration: 30 * time.Second},
		{Name: "tide", Shape: schedule.Sine, Rate: 500, Amplitude: 300, Period: 10 * time.Second, Duration: 30 * time.Second},
	}
	if !reflect.DeepEqual(s.Load.Stages, want) || !s.Load.Open {
		t.Errorf("open %v, stages %+v", s.Load.Open, s.Load.Stages)
	}
}

func TestMistakesAreNamedWithTheirLine(t *testing.T) {
	t.Parallel()
	const one = "requests: [{url: \"http://localhost/\"}]\n"
	for text, want := range map[string]string{
		"":                        "shop.yaml: the scenario has no requests: name at least one",
		one + "rat: 5":            `shop.yaml:2: unknown field "rat"`,
		one + "rate: fast":        `shop.yaml:2: cannot unmarshal string into Go struct field file.Rate of type float64`,
		one + "rate: 5\nusers: 5": "shop.yaml:3: a run has a rate or users: leave one of them out",
		one + "duration: soon":    `shop.yaml:2: want a duration like 30s, or milliseconds, not "soon"`,
		one + "arrivals: often":   `shop.yaml:2: want uniform or poisson as arrivals, not "often"`,
		one + "rate: 1\nstages:\n- {rate: 1, duration: 1s}":                       "shop.yaml:4: stages take the place of rate, users, duration and ramp_up: leave those out",
		one + "stages:\n- {rate: 1, duration: 1s}\n- {users: 1, duration: 1s}":    "shop.yaml:4: all stages have a rate, or all have users",
		one + "stages:\n- {rate: 1}":                                              "shop.yaml:3: stage 1 : the duration must be longer than 0",
		one + "stages:\n- {shape: square, rate: 1, duration: 1s}":                 `shop.yaml:3: want step, linear, sine or spike as shape, not "square"`,
		one + "feed: {file: ../x.csv}":                                            "shop.yaml:2: ../x.csv has to lie beside the scenario or below",
		one + "feed: {file: none.csv}":                                            "shop.yaml:2: there is no file none.csv beside the scenario",
		one + "feed: {file: empty.csv}":                                           "shop.yaml:2: empty.csv: the feed is empty: want the names of the columns in its first line",
		one + "proto_set: users.csv":                                              "shop.yaml:2: users.csv: this is no set of descriptors; protoc --include_imports --descriptor_set_out=FILE makes one",
		one + "protocol: http3":                                                   `shop.yaml:2: want http1 or http2 as protocol, not "http3"; all others are said by the scheme of the url`,
		one + "connections: {statements: lost}":                                   `shop.yaml:2: want extended, prepared or simple for how statements are sent, not "lost"`,
		one + "connections: {users: -1}":                                          "shop.yaml:2: -1 users cannot share a connection",
		"requests:\n- {url: \"http://a\", message: x}":                            "shop.yaml:2: a message does not go to http://a",
		"requests:\n- {url: \"ws://a\", query: x}":                                "shop.yaml:2: a query does not go to ws://a",
		"requests:\n- {url: \"ws://a\", message: x, body: y}":                     "shop.yaml:2: a request has either a body or a message",
		"requests:\n- {url: \"ws://a\", message: x, method: GET}":                 "shop.yaml:2: a method and the version of HTTP are for http and https",
		"requests:\n- {url: \"ws://a\", message: x, checks: [{status: 200}]}":     "shop.yaml:2: read check 1: a message has neither status nor header, rows nor columns to check",
		"requests:\n- {url: \"grpc://a/S/M\", data: \"{}\"}":                      `shop.yaml:2: "grpc://a/S/M" names no port: want grpc://HOST:PORT/package.Service/Method`,
		"requests:\n- {url: \"grpc://a:1/S\", data: \"{}\"}":                      `shop.yaml:2: "/S" is no method: want /package.Service/Method`,
		"requests:\n- {url: \"grpc://a:1/S/M\", data: \"{\"}":                     `shop.yaml:2: the message "{" is no JSON`,
		"requests:\n- {url: \"postgres://u:secret@a/b\", message: x}":             "shop.yaml:2: a message does not go to postgres://u@a/b",
		"requests:\n- {url: \"postgres://u@a/b\", query: x, headers: {A: b}}":     "shop.yaml:2: a query has no headers",
		"requests:\n- {url: \"postgres://u@a/b\", query: x, params: [\"{{y}}\"]}": "shop.yaml:2: read argument $1: there is no variable {{y}}: want seq, user, rand or a column of the feed",
		"requests:\n- {url: \"postgres://u@a/b\", query: x, checks: [{rows: z}]}": `shop.yaml:2: read check 1: "z" is no number of rows: want 1 or 1-10`,
		one + "feed: {file: users.csv, order: mixed}":                             `shop.yaml:2: want turn or random as order, not "mixed"`,
		one + "auth: {bearer: a, user: b}":                                        "shop.yaml:2: auth is either bearer or user and password",
		one + "objectives:\n- p99<1s\n- p99{endpoint=x}<1s":                       "shop.yaml:4: the objective p99{endpoint=x}<1s names no endpoint of this run",
		one + "objectives: [p99]":                                                 `shop.yaml:2: read the objective "p99": want <, <=, > or >= between a metric and its limit, as in p99<250ms`,
		one + "headers: {X: \"${HOME}\"}":                                         "shop.yaml:2: the environment has no HOME, which the scenario asks for",
		"requests:\n- path: /x":                                                   "shop.yaml:2: a path needs a target to go to: set target, or give a url",
		"target: http://a\nrequests:\n- path: x":                                  `shop.yaml:3: a path begins with /, and "x" does not`,
		"requests:\n- {}":                                                         "shop.yaml:2: a request has either a path or a url",
		"requests:\n- {url: \"ftp://a\"}":                                         `shop.yaml:2: "ftp://a" is no URL to load: want http, https, ws, wss, grpc, grpcs or postgres before ://HOST`,
		"requests:\n- {url: \"http://a\"}\n- {url: \"http://a\"}":                 `shop.yaml:3: requests have names of their own and weights of 0 or more; "GET http://a" with 0 has not`,
		"requests:\n- url: \"http://a/{{x}}\"":                                    "shop.yaml:2: there is no variable {{x}}: want seq, user, rand or a column of the feed",
		"requests: [":                                                             "shop.yaml:1: sequence end token ']' not found",
		one + "stages:\n !0 #" + strings.Repeat("0", 60):                          "shop.yaml: this is no YAML that can be read; leave out tags (!), anchors (&) and aliases (*)", // a panic of the YAML library
		one + "---\n" + one:                                                       "shop.yaml: a scenario is one document, and here are 2",
	} {
		_, err := scenario.Parse([]byte(text), place())
		if err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestAScenarioIsReadFromItsFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PASSWORD", "x")
	if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte("name,item\na,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "shop.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, full, "http://localhost"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Read(file)
	if err != nil || len(s.Target.Requests) != 2 || len(s.Target.Transport.Feed.Rows) != 1 {
		t.Errorf("%v, %+v", err, s)
	}
	if _, err := scenario.Read(filepath.Join(dir, "none.yaml")); err == nil || !strings.HasPrefix(err.Error(), "read the scenario: there is no file ") {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := scenario.Read(dir); err == nil || !strings.HasSuffix(err.Error(), "is a directory; name the YAML file in it") {
		t.Errorf("a directory: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(full)
	f.Add("requests: [{url: \"http://a/{{seq}}\", checks: [{json: $.a[0]}]}]\nstages: [{shape: sine, rate: 5, amplitude: 5, duration: 1s}]")
	f.Add("requests:\n !0 #" + strings.Repeat("0", 60))
	f.Add("target: postgres://a/b\nrequests: [{query: SELECT $1, params: [\"{{seq}}\"], checks: [{rows: 1-2}, {column: a}]}]")
	f.Add("proto_set: users.csv\nrequests: [{url: \"grpc://a:1/S/M\", data: \"{}\"}, {url: \"ws://a/\", message: x, answer: ^x}]")
	f.Add("requests: &a [{url: \"http://a\"}]\nobjectives: [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := scenario.Parse([]byte(text), place())
		if err != nil {
			if strings.Contains(err.Error(), "\n") && !strings.Contains(err.Error(), "environment") {
				t.Errorf("an error of several lines: %v", err)
			}
			return
		}
		if _, err := anyload.New(s.Target); err != nil {
			t.Errorf("what was read cannot be sent: %v", err)
		}
	})
}
