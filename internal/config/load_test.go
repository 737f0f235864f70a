package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/config"
)

const small = `functions: {public: {routes: [{path: /p/}], instances: [{url: "http://a:1"}]}}` + "\n"

func mustLoad(t *testing.T, o config.Options) (*config.Config, *config.Origins) {
	t.Helper()
	c, origins, err := config.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return c, origins
}

func TestLaterLayersWin(t *testing.T) {
	t.Parallel()
	const path = "functions.public.retry.attempts"
	files := map[string]string{
		"a.yaml": small + "defaults: {retry: {attempts: 3}}\n",
		"b.yaml": "functions: {public: {retry: {attempts: 4}}}\n",
	}
	environ := []string{"HOLDFAST_FUNCTIONS__PUBLIC__RETRY__ATTEMPTS=5"}
	overrides := map[string]any{path: 1.0}
	for _, tt := range []struct {
		name   string
		o      config.Options
		want   int
		origin string
	}{
		{"default", config.Options{Files: []string{"c.yaml"}}, 2, "default"},
		{"defaults block", config.Options{Files: []string{"a.yaml"}}, 3, "file a.yaml:2:30"},
		{"second file", config.Options{Files: []string{"a.yaml", "b.yaml"}}, 4, "file b.yaml:1:40"},
		{"environment", config.Options{Files: []string{"a.yaml", "b.yaml"}, Environ: environ}, 5, "environment HOLDFAST_FUNCTIONS__PUBLIC__RETRY__ATTEMPTS"},
		{"override", config.Options{Files: []string{"a.yaml", "b.yaml"}, Environ: environ, Overrides: overrides}, 1, "override"},
	} {
		files["c.yaml"] = small
		tt.o.ReadFile = readMap(files)
		c, origins := mustLoad(t, tt.o)
		if got := c.Functions["public"].Retry.Attempts; got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
		if got := origins.Of(path).String(); got != tt.origin {
			t.Errorf("%s: comes from %s, want %s", tt.name, got, tt.origin)
		}
	}
}

func TestDefaultsLieUnderEveryFunctionKeyByKey(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, `
defaults:
  profile: service
  retry: {attempts: 4, base_delay: 10ms}
  health: {interval: 10s}
  platform: {process: {command: [./serve], env: {A: "1", B: "2"}}}
functions:
  own:    {routes: [{path: /own/}], retry: {attempts: 1}, instances: [{url: "http://a:1"}]}
  all:    {routes: [{path: /all/}], platform: {process: {env: {B: "3"}}}}
  plain:  {profile: function, routes: [{path: /plain/}]}
`)
	if err != nil {
		t.Fatal(err)
	}
	own, all, plain := c.Functions["own"], c.Functions["all"], c.Functions["plain"]
	if own.Retry.Attempts != 1 || own.Retry.BaseDelay.Std() != 10*time.Millisecond || own.Health.Interval.Std() != 10*time.Second {
		t.Errorf("own: %+v", own)
	}
	if own.Platform.Process != nil {
		t.Error("a function with instances of its own got the platform of the defaults too")
	}
	if env := all.Platform.Process.Env; env["A"] != "1" || env["B"] != "3" {
		t.Errorf("all: environment %v", env)
	}
	if own.Scaling.MaxInstances != 10 || plain.Scaling.MaxInstances != 5 || own.Scaling.ScaleUpThreshold.CPUPercent != 80 || plain.Scaling.ScaleUpThreshold.CPUPercent != 70 {
		t.Error("scaling defaults do not follow the profile")
	}
	if all.Platform.Process == plain.Platform.Process {
		t.Error("two functions share one process block")
	}
}

func TestAChoiceReplacesTheChoiceBelow(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, `
defaults:
  fallback: {body: sorry}
  load_balancing: {affinity: {cookie: c, ttl: 2h}}
  instances: [{url: "http://a:1"}]
functions:
  a: {routes: [{path: /a/}], fallback: {function: b}, load_balancing: {affinity: {header: X-User}}}
  b: {routes: [{path: /b/}]}
`)
	if err != nil {
		t.Fatal(err)
	}
	a, b := c.Functions["a"], c.Functions["b"]
	if a.Fallback.Body != "" || a.Fallback.Function != "b" || b.Fallback.Body != "sorry" {
		t.Errorf("fallbacks: %+v, %+v", a.Fallback, b.Fallback)
	}
	if aff := a.LoadBalancing.Affinity; aff.Cookie != "" || aff.Header != "X-User" || aff.TTL.Std() != 2*time.Hour {
		t.Errorf("affinity: %+v", aff)
	}
}

func TestIncludesLieUnderTheFileThatNamesThem(t *testing.T) {
	t.Parallel()
	c, origins := mustLoad(t, config.Options{
		Files: []string{"./etc/holdfast.yaml"},
		ReadFile: readMap(map[string]string{
			"etc/holdfast.yaml": "include: [a.yaml, sub/b.yaml]\nlog: {level: warn}\n" + small,
			"etc/a.yaml":        "log: {level: debug, format: json, access: all}\n",
			"etc/sub/b.yaml":    "include: ../c.yaml\nlog: {access: 'off'}\nstore: ${file:../secret}\n",
			"etc/c.yaml":        "log: {components: {prober: debug}}\n",
			"etc/secret":        "postgres://u:p@h/db\r\n",
		}),
	})
	if c.Log.Level != "warn" || c.Log.Format != "json" || c.Log.Access != "off" || c.Log.Components["prober"] != "debug" {
		t.Errorf("log: %+v", c.Log)
	}
	if c.Store != "postgres://u:p@h/db" {
		t.Errorf("store: %q", c.Store)
	}
	if got := origins.Of("log.access").String(); got != "file etc/sub/b.yaml:2:15" {
		t.Errorf("log.access comes from %s", got)
	}
	want := []string{"etc/holdfast.yaml", "etc/a.yaml", "etc/sub/b.yaml", "etc/secret", "etc/c.yaml"}
	if got := origins.Files(); !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

func TestOriginsKnowTheFilesOfABadConfiguration(t *testing.T) {
	t.Parallel()
	c, origins, err := load(t, "lissten: x\n")
	problems, ok := errors.AsType[config.Problems](err)
	if !ok || len(problems) != 1 || c != nil {
		t.Fatalf("got %v, %v", c, err)
	}
	p := problems[0]
	want := config.Problem{File: "holdfast.yaml", Line: 1, Column: 1, Path: "lissten", Message: "is not a known key", Hint: "did you mean listen?"}
	if p != want {
		t.Errorf("got %+v", p)
	}
	if got := origins.Files(); !slices.Equal(got, []string{"holdfast.yaml"}) {
		t.Errorf("files %v", got)
	}
}

func TestNothingWrittenIsTheDefaults(t *testing.T) {
	t.Parallel()
	c, _ := mustLoad(t, config.Options{})
	if changes := config.Diff(config.Default(), c); len(changes) != 0 {
		t.Errorf("differs from the defaults: %v", changes)
	}
	for _, text := range []string{"# nothing\n", "---\n", "log:\nfunctions:\n", "\xef\xbb\xbflog: {}\r\n", "{}"} {
		if c, _, err := load(t, text); err != nil || len(config.Diff(config.Default(), c)) != 0 {
			t.Errorf("%q: %v", text, err)
		}
	}
	if f := config.NewFunction("service"); f.Scaling.ScaleUpThreshold.ActiveConnections != 100 || f.Profile != "service" || !f.Enabled {
		t.Errorf("service defaults: %+v", f)
	}
}

func TestLineEndsOfWindowsDoNotMovePlaces(t *testing.T) {
	t.Parallel()
	_, _, err := load(t, "listen: :1\r\nlog:\r\n  # ä\r\n  components: {\"ä\": info}\r\n  level: loud\r\n")
	want := "holdfast.yaml:4:16: log.components[\"ä\"]: is not the name of a component; use letters, digits, - and _\n" +
		"holdfast.yaml:5:10: log.level: must be one of debug, info, warn, error, is loud"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestOmittedValuesFollowTheOnesThatWereWritten(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, `
functions:
  a:
    routes: [{path: /a/}]
    instances: [{url: "HTTP://Host.Example:9001/"}, {url: "https://[::1]:2", id: two}]
    circuit_breaker: {recovery_timeout: 20s, window: {calls: 10}}
    timeouts: {exchange: 5s}
    health: {interval: 1s}
    retry: {base_delay: 1s}
    load_balancing: {strategy: consistent-hash, ejection: {base_time: 10m}}
    fallback: {redirect: /sorry}
  http: {routes: [{path: /h/}], instances: [{url: "http://a:1"}], health: {path: "/ok?deep=1"}}
  grpc: {routes: [{path: /g/}], instances: [{url: "http://a:1"}], health: {service: ""}}
  exec: {routes: [{path: /e/, exact: true}], instances: [{url: "http://a:1"}], health: {command: [true]}}
  exact: {routes: [{path: /x, exact: true}], instances: [{url: "http://a:1"}]}
  tcp: {routes: [{path: /t/}], instances: [{url: "http://a:1"}], health: {type: tcp}}
  json: {routes: [{path: /j/}], instances: [{url: "http://a:1"}], health: {json: [status == ok]}}
  body: {routes: [{path: /b/}], instances: [{url: "http://a:1"}], health: {body: fine}}
  status: {routes: [{path: /s/}], instances: [{url: "http://a:1"}], health: {status: 200}}
`)
	if err != nil {
		t.Fatal(err)
	}
	a := c.Functions["a"]
	if in := a.Instances[0]; in.URL != "http://host.example:9001" || in.ID != "host.example:9001" {
		t.Errorf("instance %+v", in)
	}
	if b := a.CircuitBreaker; b.MaxRecoveryTimeout.Std() != 200*time.Second || b.Window.MinimumCalls != 10 {
		t.Errorf("breaker %+v", b)
	}
	if ts := a.Timeouts; ts.Attempt != ts.Exchange || ts.Connect.Std() != 2*time.Second {
		t.Errorf("timeouts %+v", ts)
	}
	if h := a.Health; h.SuspectInterval != h.Interval || h.Timeout != h.Interval || h.Type != "auto" || h.Path != "/a/health" {
		t.Errorf("health %+v", h)
	}
	if r := a.Retry; r.MaxDelay.Std() != time.Second {
		t.Errorf("retry %+v", r)
	}
	if lb := a.LoadBalancing; !lb.HashOn.ClientIP || lb.Ejection.MaxTime.Std() != 10*time.Minute {
		t.Errorf("load balancing %+v", lb)
	}
	if a.Fallback.Status != 307 {
		t.Errorf("fallback %+v", a.Fallback)
	}
	for name, want := range map[string]string{
		"http": "http /ok?deep=1", "grpc": "grpc ", "exec": "exec ", "exact": "auto /health", "tcp": "tcp ",
		"json": "http /j/health", "body": "http /b/health", "status": "http /s/health",
	} {
		if h := c.Functions[name].Health; h.Type+" "+h.Path != want {
			t.Errorf("%s: %s %s, want %s", name, h.Type, h.Path, want)
		}
	}
}

func TestVariablesAreReplacedInFilesOnly(t *testing.T) {
	t.Parallel()
	_, _, missing := load(t, `
functions:
  a:
    enabled: "${ENABLED}"
    routes: [{path: "/${NAME}/"}]
    instances: [{url: "http://${HOST:-localhost}:${PORT}", weight: "${WEIGHT:-3}"}]
    fallback: {body: "costs $5, $${NAME}, $NAME, ${EMPTY}${EMPTY:-none}"}
    health: {headers: {X-A: "${file:token}"}}
`, "ENABLED=false", "NAME=a", "PORT=9001", "EMPTY=", "HOLDFAST_DATA_DIR=${file:token}")
	if missing == nil || !strings.Contains(missing.Error(), "needs the secret file token") {
		t.Fatalf("got %v", missing)
	}
	c, _, err := config.Load(config.Options{
		Files:     []string{"f.yaml"},
		Environ:   []string{"NAME=a", "HOLDFAST_DATA_DIR=${NAME}"},
		Overrides: map[string]any{"functions.a.fallback.content_type": "${NAME}"},
		ReadFile:  readMap(map[string]string{"f.yaml": `functions: {a: {routes: [{path: "/${NAME}/"}], instances: [{url: "http://${HOST:-localhost}:1", weight: "${W:-3}"}], fallback: {body: "costs $5, $${NAME}, $NAME, $$${NAME}"}}}`}),
	})
	if err != nil {
		t.Fatal(err)
	}
	a := c.Functions["a"]
	if a.Routes[0].Path != "/a/" || a.Instances[0].URL != "http://localhost:1" || a.Instances[0].Weight != 3 {
		t.Errorf("got %+v", a)
	}
	if a.Fallback.Body != "costs $5, ${NAME}, $NAME, $${NAME}" {
		t.Errorf("body %q", a.Fallback.Body)
	}
	if c.DataDir != "${NAME}" || a.Fallback.ContentType != "${NAME}" {
		t.Errorf("expanded outside of a file: %q, %q", c.DataDir, a.Fallback.ContentType)
	}
}

func TestAnchorsAndMergeKeysWork(t *testing.T) {
	t.Parallel()
	c, origins, err := load(t, `
functions:
  a: &base
    routes: [{path: /a/}]
    instances: &two [{url: "http://a:1"}, {url: "http://a:2"}]
    retry: {attempts: 1}
  b:
    <<: *base
    routes: [{path: /b/}]
  c: {<<: [*base], routes: [{path: /c/}], instances: *two, retry: {attempts: 5}}
`)
	if err != nil {
		t.Fatal(err)
	}
	b, third := c.Functions["b"], c.Functions["c"]
	if len(b.Instances) != 2 || b.Retry.Attempts != 1 || b.Routes[0].Path != "/b/" || third.Retry.Attempts != 5 || len(third.Instances) != 2 {
		t.Errorf("b %+v c %+v", b, third)
	}
	if at := origins.Of("functions.b.retry.attempts"); at.Line != 6 {
		t.Errorf("b.retry.attempts comes from %s", at)
	}
}

// What a shell's <(command) hands over is a pipe.
func TestAPipeIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(pipe, os.O_RDWR, 0) // both ways: it does not wait for the reader
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString(small); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(50*time.Millisecond, func() { _ = w.Close() })
	defer late.Stop()
	if c, _ := mustLoad(t, config.Options{Files: []string{pipe}}); c.Functions["public"] == nil {
		t.Errorf("got %+v", c)
	}
}

// A file cut short must not pass for one without functions: a reload in that
// moment would stop all of them.
func TestAnEmptyFileIsRefused(t *testing.T) {
	t.Parallel()
	for text, refused := range map[string]bool{"": true, " \n\t\r\n": true, "# nothing yet\n": false} {
		_, _, err := load(t, text)
		if refused != (err != nil && strings.HasPrefix(err.Error(), "holdfast.yaml: is empty; ")) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestFilesAreReadFromDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("token", "s3cret\n")
	main := write("holdfast.yaml", "include: [more.json]\nfunctions: {public: {health: {headers: {X-T: '${file:token}'}}}}\n")
	write("more.json", `{"functions": {"public": {"routes": [{"path": "/p/"}], "instances": [{"url": "http://a:1"}]}}}`)
	c, origins := mustLoad(t, config.Options{Files: []string{main}})
	if c.Functions["public"].Health.Headers["X-T"] != "s3cret" || len(origins.Files()) != 3 {
		t.Errorf("got %+v from %v", c.Functions["public"].Health, origins.Files())
	}
	if text := string(config.Marshal(c, true)); strings.Contains(text, "s3cret") {
		t.Errorf("shows the content of a secret file:\n%s", text)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		dir:                        ": is a directory; name the files in it",
		filepath.Join(dir, "none"): "no such file",
		pipe:                       "it is a pipe that nobody writes to",
		write("secret", "listen: ${file:pipe}\n"): "needs the secret file pipe, which cannot be read: it is a pipe",
	} {
		if _, _, err := config.Load(config.Options{Files: []string{name}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	write("large", strings.Repeat("#", 1<<20+1))
	if _, _, err := config.Load(config.Options{Files: []string{filepath.Join(dir, "large")}}); err == nil || !strings.Contains(err.Error(), "is larger than 1MiB; split it") {
		t.Errorf("large file: %v", err)
	}
}
