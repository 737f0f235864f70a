package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"holdfast/loadtest"
	"holdfast/loadtest/anyload"
	"holdfast/loadtest/grpcload"
	"holdfast/loadtest/httpload"
	"holdfast/loadtest/scenario"
	"holdfast/loadtest/schedule"
	"holdfast/loadtest/source"
)

// targetFlags say what is asked for and how, in holdfast load and stress.
type targetFlags struct {
	method, body, bodyFile  string
	headers, checks         []string
	noKeepAlive, cookies    bool
	insecure, polite, own   bool
	connRequests            string
	connAge, timeout        time.Duration
	maxInFlight             int
	seed                    uint64
	feed, scenario          string
	accessLog, har, openAPI string
	protocols               protocolFlags
	replay                  bool
	speed                   float64
	given                   func(name string) bool
}

func (f *targetFlags) add(c *cobra.Command, g *global) {
	fs := c.Flags()
	fs.StringVarP(&f.method, "method", "X", "GET", "method of the request")
	fs.StringArrayVarP(&f.headers, "header", "H", nil, "'NAME: VALUE' of each request; may be given more than once")
	fs.StringVar(&f.body, "body", "", "body of the request; {{seq}}, {{user}}, {{rand}} and columns of --feed are filled in")
	fs.StringVar(&f.bodyFile, "body-file", "", "file with the body")
	fs.StringArrayVar(&f.checks, "check", nil, "what an answer has to be like, see above; may be given more than once")
	fs.BoolVar(&f.noKeepAlive, "no-keepalive", false, "a new connection for each request")
	fs.StringVar(&f.connRequests, "conn-requests", "", "requests per connection: 100, or 50-150 (drawn for each)")
	fs.DurationVar(&f.connAge, "conn-age", 0, "how old a connection gets")
	fs.BoolVar(&f.cookies, "cookies", false, "each user keeps the cookies it gets")
	fs.BoolVar(&f.insecure, "insecure", false, "take any certificate")
	fs.StringVar(&g.caFile, "ca-file", "", "certificates to trust besides the system's (and for --url)")
	fs.DurationVar(&f.timeout, "timeout", 10*time.Second, "for a whole answer")
	fs.IntVar(&f.maxInFlight, "max-in-flight", 0, "requests under way at most with a rate (default 4 times -n, at least 1000)")
	fs.Uint64Var(&f.seed, "seed", 0, "of everything that is drawn, to repeat a run")
	fs.BoolVar(&f.polite, "polite", false, "honour Retry-After")
	fs.StringVar(&f.feed, "feed", "", "CSV file whose rows fill in {{COLUMN}}, in turn")
	fs.StringVarP(&f.scenario, "file", "f", "", "scenario (YAML); flags go over what it says")
	fs.StringVar(&f.accessLog, "access-log", "", "send what this access log has, as often")
	fs.BoolVar(&f.replay, "replay", false, "send them when the log says that they came, and not at a rate")
	fs.Float64Var(&f.speed, "speed", 1, "how many times as fast as it was, with --replay")
	fs.StringVar(&f.har, "har", "", "send what a browser recorded")
	fs.StringVar(&f.openAPI, "openapi", "", "send the GETs of an OpenAPI document")
	f.protocols.add(c)
	fs.BoolVar(&f.own, "i-own-this", false, "allow more than 50/s on a target that is not on this machine or a private network")
	f.given = fs.Changed
}

// target is what a load is put on.
type target struct {
	name       string // for people
	load       loadtest.Config
	to         anyload.Config
	client     *anyload.Client
	guard      guard
	run        string // id, sent with each request
	scenario   bool
	notes      []string
	mostFactor float64 // how far the rate may be raised; 0: at will
}

// target reads what the flags name.
func (f *targetFlags) target(g *global, url string) (*target, error) {
	t := &target{run: runID()}
	url, err := completeURL(url)
	if err != nil {
		return nil, err
	}
	if err := f.requests(t, url); err != nil {
		return nil, err
	}
	if t.name = url; url == "" {
		t.name = t.to.Requests[0].URL
		if len(t.to.Requests) > 1 {
			t.name = f.scenario + f.har
		}
	}
	t.name = anyload.Redacted(t.name)
	if err := f.transport(g, t); err != nil {
		return nil, err
	}
	if err := f.protocols.transport(t); err != nil {
		return nil, err
	}
	f.limits(t)
	identify(t)
	return t, t.guarded()
}

// requests finds what is sent: exactly one of the flags or the URL says it.
func (f *targetFlags) requests(t *target, url string) error {
	sources := 0
	for _, file := range []string{f.scenario, f.accessLog, f.har, f.openAPI} {
		if file != "" {
			sources++
		}
	}
	switch {
	case f.replay && f.accessLog == "":
		return errors.New("--replay is of an access log: name it with --access-log")
	case f.given("speed") && !f.replay:
		return errors.New("--speed belongs to --replay")
	case sources > 1:
		return errors.New("give only one of --file, --access-log, --har and --openapi")
	case sources > 0 && (f.given("method") || f.body != "" || f.bodyFile != "" || len(f.checks) > 0 || f.protocols.single()):
		return errors.New("--method, --body, --check and what else says what is sent are for a single URL: a file says it for each of its requests")
	case f.scenario != "" && url != "":
		return fmt.Errorf("the scenario %s names its target: leave %s out", f.scenario, url)
	case f.scenario != "":
		return f.fromScenario(t)
	case f.accessLog != "" || f.har != "" || f.openAPI != "":
		return f.fromSource(t, url)
	case url == "":
		return errors.New("give the URL to load, such as http://127.0.0.1:8080/, or a scenario with -f")
	}
	return f.single(t, url)
}

func (f *targetFlags) fromScenario(t *target) error {
	s, err := scenario.Read(f.scenario)
	if err != nil {
		return err
	}
	t.load, t.to, t.scenario = s.Load, s.Target, true
	return nil
}

func (f *targetFlags) fromSource(t *target, url string) error {
	path, read := f.accessLog, source.Log
	switch {
	case f.har != "":
		path, read = f.har, source.HAR
	case f.openAPI != "":
		path, read = f.openAPI, source.OpenAPI
	}
	if url == "" && f.har == "" {
		return fmt.Errorf("%s says what to ask for and not where: give the URL it goes to", path)
	}
	if url != "" {
		if kind, err := anyload.KindOf(url); err != nil || kind != anyload.HTTP {
			return fmt.Errorf("what %s has is for HTTP: give a URL with http or https", path)
		}
	}
	data, err := readFile(path)
	if err != nil {
		return err
	}
	if f.replay {
		return f.fromRecording(t, data, url)
	}
	found, err := read(bytes.NewReader(data), url)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	t.take(found)
	return nil
}

func (t *target) take(found *source.Requests) {
	for _, r := range found.HTTP {
		t.to.Requests = append(t.to.Requests, anyload.Request{Request: r})
	}
	t.load.Endpoints, t.notes = found.Endpoints, found.Skipped
}

// fromRecording makes a load of a log that has its times.
func (f *targetFlags) fromRecording(t *target, data []byte, url string) error {
	found, err := source.Replay(bytes.NewReader(data), url, f.speed)
	if err != nil {
		return fmt.Errorf("%s: %w", f.accessLog, err)
	}
	t.take(&found.Requests)
	t.load.Open, t.load.Order = true, found.Order
	t.load.Stages = []schedule.Stage{{Name: "replay", Shape: schedule.Listed, Times: found.Times, Duration: found.Length}}
	return nil
}

// readFile reads a file that a flag names, and says in a sentence why not.
func readFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no file %s", path)
	case errors.Is(err, syscall.EISDIR):
		return nil, fmt.Errorf("%s is a directory, not a file", path)
	}
	return data, err
}

func (f *targetFlags) single(t *target, url string) error {
	r := anyload.Request{Request: httpload.Request{URL: url, Body: f.body}}
	kind, err := anyload.KindOf(url)
	if err != nil {
		return err
	}
	if kind == anyload.HTTP || f.given("method") {
		r.Method = f.method
	}
	if f.bodyFile != "" {
		if f.body != "" {
			return errors.New("give either --body or --body-file")
		}
		data, err := readFile(f.bodyFile)
		if err != nil {
			return err
		}
		r.Body, r.Verbatim = string(data), kind == anyload.GRPC // in bytes nothing is filled in
	}
	if err := f.protocols.request(&r, kind); err != nil {
		return err
	}
	for _, text := range f.checks {
		k, err := parseCheck(text)
		if err != nil {
			return fmt.Errorf("--check %q: %w", text, err)
		}
		r.Checks = append(r.Checks, k)
	}
	t.to.Requests = []anyload.Request{r}
	return nil
}

// transport is how connections are used.
func (f *targetFlags) transport(g *global, t *target) error {
	h := &t.to.Transport
	h.NoKeepAlive, h.Cookies = h.NoKeepAlive || f.noKeepAlive, h.Cookies || f.cookies
	if f.connAge > 0 {
		h.ConnAge = f.connAge
	}
	if f.connRequests != "" {
		least, most, _ := strings.Cut(f.connRequests, "-")
		if most == "" {
			most = least
		}
		a, errA := strconv.Atoi(least)
		b, errB := strconv.Atoi(most)
		if errA != nil || errB != nil || a < 1 || b < a {
			return fmt.Errorf("--conn-requests %q: want a number such as 100, or a range such as 50-150", f.connRequests)
		}
		h.ConnRequests = httpload.Range{Min: a, Max: b}
	}
	if f.feed != "" {
		data, err := readFile(f.feed)
		if err != nil {
			return err
		}
		if h.Feed, err = httpload.ReadFeed(bytes.NewReader(data)); err != nil {
			return fmt.Errorf("%s: %w", f.feed, err)
		}
	}
	for _, text := range f.headers {
		name, value, ok := strings.Cut(text, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return fmt.Errorf("-H %q: want 'NAME: VALUE'", text)
		}
		for i := range t.to.Requests {
			setHeader(&t.to.Requests[i].Request, strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return f.trust(g, h)
}

// trust reads the certificates to trust.
func (f *targetFlags) trust(g *global, h *httpload.Config) error {
	if !f.insecure && g.caFile == "" {
		return nil
	}
	h.TLS = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: f.insecure} //nolint:gosec // it was asked for by name
	if g.caFile == "" {
		return nil
	}
	data, err := readFile(g.caFile)
	if err != nil {
		return err
	}
	if h.TLS.RootCAs, err = x509.SystemCertPool(); err != nil {
		h.TLS.RootCAs = x509.NewCertPool()
	}
	if !h.TLS.RootCAs.AppendCertsFromPEM(data) {
		return fmt.Errorf("%s holds no certificate (PEM)", g.caFile)
	}
	return nil
}

// limits are those of requests.
func (f *targetFlags) limits(t *target) {
	l := &t.load
	if f.given("timeout") || !t.scenario {
		l.Timeout = f.timeout
	}
	if f.maxInFlight != 0 {
		l.MaxInFlight = f.maxInFlight
	}
	if f.given("seed") {
		l.Seed = f.seed
	}
	l.Polite = l.Polite || f.polite
}

// setHeader lets a flag take the place of what a file says.
func setHeader(r *httpload.Request, name, value string) {
	r.Header = slices.DeleteFunc(slices.Clone(r.Header), func(h httpload.Field) bool { return strings.EqualFold(h.Name, name) })
	r.Header = append(r.Header, httpload.Field{Name: name, Value: value})
}

// runHeader tells the target's operators which run a request belongs to.
const runHeader = "X-Load-Run"

// identify puts the id of the run into all requests that have headers.
func identify(t *target) {
	for i := range t.to.Requests {
		if r := &t.to.Requests[i]; r.Kind() != anyload.Query {
			setHeader(&r.Request, runHeader, t.run)
		}
	}
}

func runID() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// completeURL lets people leave out what is clear: :8080, host/path.
func completeURL(text string) (string, error) {
	switch {
	case text == "":
		return "", nil
	case strings.Contains(text, "://"):
		_, err := anyload.KindOf(clean(text))
		return strings.Replace(text, "://:", "://127.0.0.1:", 1), err
	case strings.HasPrefix(text, ":"):
		return "http://127.0.0.1" + text, nil
	}
	return "http://" + text, nil
}

// parseCheck reads PART [NAME] [equals|contains|matches TEXT].
func parseCheck(text string) (httpload.Check, error) {
	var k httpload.Check
	part, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	rest = strings.TrimSpace(rest)
	switch part {
	case "status":
		if k.Status = rest; rest == "" {
			return k, errors.New(`want the good ones behind status, such as "status 2xx"`)
		}
		return k, nil
	case "header":
		k.Header, rest, _ = strings.Cut(rest, " ")
	case "json":
		k.JSON, rest, _ = strings.Cut(rest, " ")
	case "rows":
		if k.Rows = rest; rest == "" {
			return k, errors.New(`want how many behind rows, such as "rows 1" or "rows 1-10"`)
		}
		return k, nil
	case "column":
		k.Column, rest, _ = strings.Cut(rest, " ")
	case "body":
	default:
		return k, errors.New("begin with status, header NAME, json $.PATH, body, rows or column NAME")
	}
	if part != "body" && k.Header == "" && k.JSON == "" && k.Column == "" {
		return k, fmt.Errorf("name what to look at behind %s", part)
	}
	how, want, _ := strings.Cut(strings.TrimSpace(rest), " ")
	switch how {
	case "equals":
		k.Equals = want
	case "contains":
		k.Contains = want
	case "matches":
		k.Matches = want
	case "":
		if part == "body" {
			return k, errors.New("say equals, contains or matches behind body, and what")
		}
		return k, nil
	default:
		return k, fmt.Errorf("want equals, contains or matches, not %q", how)
	}
	if want == "" {
		return k, fmt.Errorf("say what it %s", how)
	}
	return k, nil
}

// notes tells what is worth knowing before a run.
func notes(c *cobra.Command, list []string) {
	for _, line := range list {
		_, _ = io.WriteString(c.ErrOrStderr(), clean(line)+"\n") // nobody is left to tell
	}
}

// prepare looks before the first request whether the load is allowed and
// somebody is there to take it. Peak 0: the rate is unbounded.
func (t *target) prepare(ctx context.Context, own bool, peak float64) error {
	places, err := placesOf(&t.to)
	if err != nil {
		return err
	}
	t.guard.private.Store(!own)
	for i := range places {
		if err := places[i].lookUp(ctx); err != nil {
			return err
		}
		if !own && !places[i].private() {
			if peak == 0 || peak > publicRate {
				return places[i].tooMuch(peak)
			}
			t.mostFactor = publicRate / peak
			t.guard.private.Store(false) // all of them together get no more than anybody may be sent
		}
		if err := places[i].reach(ctx, t.to.Transport.TLS); err != nil {
			return err
		}
	}
	err = t.client.Ready(ctx)
	if unfit, ok := errors.AsType[grpcload.UnfitError](err); ok {
		return unfit
	}
	if err != nil {
		return withCode(exitUnreachable, fmt.Errorf("the target does not take this load: %s", clean(err.Error())))
	}
	return nil
}
