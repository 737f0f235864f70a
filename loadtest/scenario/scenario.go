// Package scenario reads what a load test sends, and how, from a YAML file.
//
//	target: http://127.0.0.1:8080     # in front of every path
//	rate: 500                         # per second: an open run; or users: 20, a closed one
//	duration: 30s                     # durations are 30s, or milliseconds
//	ramp_up: 5s
//	warm_up: 5s
//	arrivals: poisson                 # or uniform
//	stages:                           # in place of rate, users, duration and ramp_up
//	  - {name: base, rate: 100, duration: 10s}
//	  - {name: peak, shape: linear, rate: 1000, duration: 30s}
//	  - {name: tide, shape: sine, rate: 500, amplitude: 300, period: 10s, duration: 30s}
//	  - {name: rush, shape: spike, rate: 3000, duration: 2s}
//	seed: 7
//	timeout: 5s
//	max_in_flight: 200
//	max_wait: 1s
//	catch_up: 10
//	polite: true                      # honours Retry-After
//	connections: {keep_alive: true, max_age: 30s, requests: {min: 50, max: 100}, timeout: 2s, users: 10}
//	protocol: http2                   # of all requests of HTTP, or in one of them; http1 by default
//	cookies: true
//	headers: {X-Tenant: blue}         # of every request
//	auth: {bearer: "${TOKEN}"}        # or {user: ada, password: "${PASSWORD}"}
//	feed: {file: users.csv, order: random}
//	requests:
//	  - name: list
//	    weight: 3
//	    path: /items?page={{seq}}
//	    checks: [{status: 2xx}, {json: "$.items[0].id"}]
//	  - name: buy
//	    method: POST
//	    path: /items/{{item}}/buy     # a column of the feed
//	    headers: {Content-Type: application/json}
//	    body: '{"user":"{{name}}"}'
//	    checks: [{status: "201"}, {contains: ordered}]
//	  - name: chat
//	    url: ws://127.0.0.1:8080/chat # the answer is the next message, or
//	    message: 'hello {{name}}'
//	    answer: '^hello'              # the next that matches; echo: true, the message itself; binary: true
//	  - name: stock
//	    url: grpc://127.0.0.1:9000/shop.Stock/Get
//	    data: '{"item": "{{item}}"}'  # the message as JSON, known by server reflection or proto_set: FILE
//	    checks: [{json: $.left}]
//	  - name: orders
//	    url: postgres://shop@127.0.0.1/shop
//	    query: SELECT state FROM orders WHERE id = $1
//	    params: ["{{seq}}"]
//	    checks: [{rows: 0-1}, {column: state}]
//	objectives: [p99<250ms, "errors<0.1%", "p99{endpoint=buy}<1s abort"]
//
// connections: users is how many users share a connection of HTTP/2 or gRPC, statements how those of PostgreSQL are sent:
// extended, prepared or simple. auth and headers are not for queries, whose URL says who asks.
//
// Unknown keys are errors, and all errors name the line. ${NAME} is filled in from the environment, {{NAME}} for each
// request (see package httpload).
package scenario

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/anyload"
	"holdfast/loadtest/grpcload"
	"holdfast/loadtest/httpload"
	"holdfast/loadtest/objective"
	"holdfast/loadtest/pgload"
	"holdfast/loadtest/schedule"
)

// Scenario is what a file comes to. Load lacks its Client, which anyload.New makes of Target.
type Scenario struct {
	Load   loadtest.Config
	Target anyload.Config
}

// Read reads the file at path; a feed's file is looked for beside it, and variables in the environment of the process.
func Read(path string) (*Scenario, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the scenario: there is no file %s", path)
	case errors.Is(err, syscall.EISDIR):
		return nil, fmt.Errorf("read the scenario: %s is a directory; name the YAML file in it", path)
	case err != nil:
		return nil, fmt.Errorf("read the scenario: %w", err)
	}
	return Parse(data, Place{Name: path, Files: os.DirFS(filepath.Dir(path)), Lookup: os.LookupEnv})
}

// Place is where a scenario comes from. Without Files it can name none, without Lookup no variable of the environment.
type Place struct {
	Name   string // in errors
	Files  fs.FS
	Lookup func(string) (string, bool)
}

// Parse reads a scenario. What it returns is complete: a run can still find a target that does not answer, but nothing
// that the file says wrongly.
func Parse(data []byte, from Place) (*Scenario, error) {
	d, err := decode(data, &from)
	if err != nil {
		return nil, err
	}
	s := &Scenario{}
	for _, step := range []func(*Scenario) error{d.load, d.stages, d.connections, d.feed, d.requests, d.objectives} {
		if err := step(s); err != nil {
			return nil, err
		}
	}
	// Whether requests and load make sense is known where they are used: ask there, and send nothing.
	if _, err := anyload.New(s.Target); err != nil {
		return nil, d.fail("$.requests", err)
	}
	return s, nil
}

func (d *document) load(s *Scenario) error {
	f := &d.file
	s.Load = loadtest.Config{
		Rate: f.Rate, Concurrency: f.Users, Duration: f.Duration.d(), RampUp: f.RampUp.d(), Warmup: f.WarmUp.d(),
		Requests: f.MaxRequests, Seed: f.Seed, MaxInFlight: f.MaxInFlight, MaxWait: f.MaxWait.d(), CatchUp: f.CatchUp,
		Timeout: f.Timeout.d(), Polite: f.Polite,
	}
	if f.Rate > 0 && f.Users > 0 {
		return d.failf("$.users", "a run has a rate or users: leave one of them out")
	}
	if f.Arrivals != "" {
		var err error
		if s.Load.Spacing, err = schedule.ParseSpacing(f.Arrivals); err != nil {
			return d.fail("$.arrivals", err)
		}
	}
	return nil
}

func (d *document) stages(s *Scenario) error {
	for i, g := range d.file.Stages {
		at := fmt.Sprintf("$.stages[%d]", i)
		stage := schedule.Stage{Name: g.Name, Rate: g.Rate + g.Users, Duration: g.Duration.d(), Amplitude: g.Amplitude, Period: g.Period.d()}
		if g.Shape != "" {
			var err error
			if stage.Shape, err = schedule.ParseShape(g.Shape); err != nil {
				return d.fail(at+".shape", err)
			}
		}
		switch {
		case g.Rate > 0 && g.Users > 0 || g.Rate > 0 && i > 0 && !s.Load.Open && d.usersBefore(i) || g.Users > 0 && s.Load.Open:
			return d.failf(at, "all stages have a rate, or all have users")
		case d.file.Rate > 0 || d.file.Users > 0 || d.file.Duration > 0 || d.file.RampUp > 0:
			return d.failf("$.stages", "stages take the place of rate, users, duration and ramp_up: leave those out")
		}
		s.Load.Open = s.Load.Open || g.Rate > 0
		s.Load.Stages = append(s.Load.Stages, stage)
	}
	if _, err := schedule.NewCurve(s.Load.Stages...); err != nil {
		return d.fail("$.stages", err)
	}
	return nil
}

func (d *document) usersBefore(i int) bool {
	return slices.ContainsFunc(d.file.Stages[:i], func(g stage) bool { return g.Users > 0 })
}

func (d *document) connections(s *Scenario) error {
	c := &d.file.Connections
	s.Target.Transport = httpload.Config{
		NoKeepAlive: c.KeepAlive != nil && !*c.KeepAlive, ConnAge: c.MaxAge.d(), ConnectTimeout: c.Timeout.d(),
		ConnRequests: httpload.Range{Min: c.Requests.Min, Max: c.Requests.Max}, Cookies: d.file.Cookies,
	}
	if s.Target.UsersPerConn = c.Users; c.Users < 0 {
		return d.failf("$.connections.users", "%d users cannot share a connection", c.Users)
	}
	var err error
	if s.Target.Statements, err = pgload.ParseProtocol(c.Protocol); err != nil {
		return d.fail("$.connections.statements", err)
	}
	if _, err = http2(d.file.Protocol); err != nil {
		return d.fail("$.protocol", err)
	}
	return d.protoSet(s)
}

// http2 reads the version of HTTP.
func http2(name string) (bool, error) {
	switch name {
	case "", "http1":
		return false, nil
	case "http2":
		return true, nil
	}
	return false, fmt.Errorf("want http1 or http2 as protocol, not %q; all others are said by the scheme of the url", name)
}

// read reads a file that the scenario names at a path.
func (d *document) read(path, name string) ([]byte, error) {
	if d.from.Files == nil {
		return nil, d.failf(path, "files cannot be read here")
	}
	at := filepath.ToSlash(filepath.Clean(name))
	if !fs.ValidPath(at) {
		return nil, d.failf(path, "%s has to lie beside the scenario or below", name)
	}
	data, err := fs.ReadFile(d.from.Files, at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, d.failf(path, "there is no file %s beside the scenario", name)
	case err != nil:
		return nil, d.fail(path, err)
	}
	return data, nil
}

func (d *document) protoSet(s *Scenario) error {
	if d.file.ProtoSet == "" {
		return nil
	}
	data, err := d.read("$.proto_set", d.file.ProtoSet)
	if err != nil {
		return err
	}
	if s.Target.Schema, err = grpcload.ReadProtoSet(data); err != nil {
		return d.fail("$.proto_set", fmt.Errorf("%s: %w", d.file.ProtoSet, err))
	}
	return nil
}

func (d *document) feed(s *Scenario) error {
	f := &d.file.Feed
	if f.File == "" {
		return nil
	}
	data, err := d.read("$.feed.file", f.File)
	if err != nil {
		return err
	}
	if s.Target.Transport.Feed, err = httpload.ReadFeed(bytes.NewReader(data)); err != nil {
		return d.fail("$.feed.file", fmt.Errorf("%s: %w", f.File, err))
	}
	switch f.Order {
	case "", "turn":
	case "random":
		s.Target.Transport.Feed.Random = true
	default:
		return d.failf("$.feed.order", "want turn or random as order, not %q", f.Order)
	}
	return nil
}

func (d *document) requests(s *Scenario) error {
	if len(d.file.Requests) == 0 {
		return d.failf("$", "the scenario has no requests: name at least one")
	}
	shared, err := d.auth()
	if err != nil {
		return err
	}
	shared = append(sorted(d.file.Headers), shared...)
	for i := range d.file.Requests {
		r := &d.file.Requests[i]
		at := fmt.Sprintf("$.requests[%d]", i)
		request, err := d.request(r, at, shared)
		if err != nil {
			return err
		}
		s.Target.Requests = append(s.Target.Requests, request)
		one := s.Target
		one.Requests = s.Target.Requests[i:]
		if _, err := anyload.New(one); err != nil {
			return d.fail(at, err)
		}
		if r.Weight < 0 || slices.ContainsFunc(s.Load.Endpoints, func(e loadtest.Endpoint) bool { return e.Name == r.name() }) {
			return d.failf(at, "requests have names of their own and weights of 0 or more; %q with %d has not", r.name(), r.Weight)
		}
		s.Load.Endpoints = append(s.Load.Endpoints, loadtest.Endpoint{Name: r.name(), Weight: r.Weight})
	}
	return nil
}

// request makes one ready.
func (d *document) request(r *request, at string, shared []httpload.Field) (anyload.Request, error) {
	out := anyload.Request{Binary: r.Binary, Echo: r.Echo, Answer: r.Answer, Data: r.Data, Args: r.Params}
	url, err := d.url(r, at)
	if err != nil {
		return out, err
	}
	kind, err := anyload.KindOf(url)
	if err != nil {
		return out, d.fail(at, err)
	}
	body := r.Body
	for _, x := range []struct {
		key, text string
		of        anyload.Kind
	}{{"message", r.Message, anyload.WebSocket}, {"query", r.Query, anyload.Query}} {
		switch {
		case x.text == "":
		case kind != x.of:
			return out, d.failf(at+"."+x.key, "a %s does not go to %s", x.key, anyload.Redacted(url))
		case body != "":
			return out, d.failf(at+".body", "a request has either a body or a %s", x.key)
		default:
			body = x.text
		}
	}
	protocol := r.Protocol
	if kind == anyload.HTTP {
		protocol = cmp.Or(protocol, d.file.Protocol)
	}
	if out.HTTP2, err = http2(protocol); err != nil {
		return out, d.fail(at+".protocol", err)
	}
	if kind == anyload.Query {
		shared = nil
	}
	out.Request = httpload.Request{Name: r.name(), Method: r.Method, URL: url, Body: body, Header: merge(shared, sorted(r.Headers)), Verbatim: r.Verbatim}
	for _, c := range r.Checks {
		out.Checks = append(out.Checks, httpload.Check(c))
	}
	return out, nil
}

// url is where a request goes.
func (d *document) url(r *request, at string) (string, error) {
	switch {
	case r.Query != "" && r.Path == "" && r.URL == "" && d.file.Target != "":
		return d.file.Target, nil
	case (r.URL == "") == (r.Path == ""):
		return "", d.failf(at, "a request has either a path or a url")
	case r.Path != "" && d.file.Target == "":
		return "", d.failf(at+".path", "a path needs a target to go to: set target, or give a url")
	case r.Path != "" && !strings.HasPrefix(r.Path, "/"):
		return "", d.failf(at+".path", "a path begins with /, and %q does not", r.Path)
	case r.Path != "":
		return strings.TrimSuffix(d.file.Target, "/") + r.Path, nil
	}
	return r.URL, nil
}

// name is what reports call a request that has no name.
func (r *request) name() string {
	switch {
	case r.Name != "":
		return r.Name
	case r.Query != "":
		return strings.Join(strings.Fields(r.Query), " ")
	case r.Message != "" || r.Data != "":
		return r.Path + anyload.Redacted(r.URL)
	}
	method := strings.ToUpper(r.Method)
	if method == "" {
		method = "GET"
	}
	return method + " " + r.Path + anyload.Redacted(r.URL)
}

// auth is the header line that says who asks.
func (d *document) auth() ([]httpload.Field, error) {
	a := &d.file.Auth
	switch {
	case a.Bearer != "" && a.User != "":
		return nil, d.failf("$.auth", "auth is either bearer or user and password")
	case a.Bearer != "":
		return []httpload.Field{{Name: "Authorization", Value: "Bearer " + a.Bearer}}, nil
	case a.User != "":
		return []httpload.Field{{Name: "Authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte(a.User+":"+a.Password))}}, nil
	}
	return nil, nil
}

func sorted(m map[string]string) []httpload.Field {
	var list []httpload.Field
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, httpload.Field{Name: name, Value: m[name]})
	}
	return list
}

// merge lets a request's own headers take the place of shared ones.
func merge(shared, own []httpload.Field) []httpload.Field {
	var list []httpload.Field
	for _, f := range shared {
		if !slices.ContainsFunc(own, func(o httpload.Field) bool { return strings.EqualFold(o.Name, f.Name) }) {
			list = append(list, f)
		}
	}
	return append(list, own...)
}

func (d *document) objectives(s *Scenario) error {
	for i, text := range d.file.Objectives {
		o, err := loadtest.ParseObjective(text)
		if err != nil {
			return d.fail(fmt.Sprintf("$.objectives[%d]", i), err)
		}
		s.Load.Objectives = append(s.Load.Objectives, o)
	}
	return d.check(s.Load.Objectives, &s.Load)
}

// check asks the runner, which knows what objectives may speak of.
func (d *document) check(list []objective.Objective, c *loadtest.Config) error {
	for i := range list {
		one := *c
		one.Objectives = list[i : i+1]
		if err := loadtest.CheckObjectives(&one); err != nil {
			return d.fail(fmt.Sprintf("$.objectives[%d]", i), err)
		}
	}
	return nil
}

// duration is 30s, or milliseconds.
type duration time.Duration

func (v duration) d() time.Duration { return time.Duration(v) }
