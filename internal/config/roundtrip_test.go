package config_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"holdfast/internal/config"
)

const everything = `
listen: :8080
platform: process
store: postgres://u@h/db
trusted_proxies: [10.0.0.0/8, "::1"]
shutdown_timeout: 90s
log: {level: debug, format: json, access: all, components: {prober: warn, "off": error}}
limits: {header_bytes: 2000, header_timeout: 0}
admin:
  oidc: {issuer: "https://accounts.example.com/realms/a", client_id: holdfast, client_secret: s, redirect_url: "https://h.example/api/v1/session/oidc/callback", scopes: [email, groups], claim: realm_access.roles, roles: {viewer: ["*"], admin: [platform]}, domains: [example.com]}
alerts:
  link: https://holdfast.example.com
  repeat: 1h
  rules:
    breaker_open: {severity: warning, for: 30s, next: "https://wiki/x", labels: {team: web}}
    certificate: {days: 30}
    memory: {enabled: false}
    slow: {expr: "p99_ms > 800 and requests_per_second > 5", until: p99_ms < 500, for: 2m, keep: 1m, functions: [service], summary: slow}
    slo: {objective: 99.9, latency: 300ms}
  maintenance:
    night: {cron: 0 3 * * sun, zone: Europe/Berlin, duration: 2h, reason: backups}
    move: {from: "2026-12-01T06:00:00Z", until: "2026-12-01T08:00:00Z", functions: [service]}
  channels:
    chat: {slack: "https://hooks.slack.com/services/T/B/$${x}"}
    oncall: {severity: critical, functions: [service], pagerduty: {routing_key: "0123"}}
    mail: {email: {server: "mail.example.com:587", user: u, password: "p w", from: "Holdfast <h@example.com>", to: [a@example.com, "B <b@example.com>"]}}
    am: {alertmanager: "http://am:9093", severity: info}
    hook: {webhook: {url: "https://x.example/y", format: alertmanager, secret: whsec_MDEyMzQ1Njc4OQ==, headers: {Authorization: Bearer x}, heartbeats: true}}
    alive: {heartbeat: {url: "https://hc.example/id", method: POST}}
functions:
  service:
    profile: service
    enabled: false
    routes:
      - {host: "*.example.com", path: /a/, exact: true, methods: [GET, POST], headers: {X-A: "*", X-B: "yes"}, strip_prefix: true}
    health: {type: grpc, service: "a.B", port: 50051}
    circuit_breaker: {failure_threshold: 0, window: {duration: 10s, slow_call_rate_percent: 12.5}}
    load_balancing: {strategy: consistent-hash, hash_on: {cookie: c}, affinity: {client_ip: true}, slow_start: {window: 30s}}
    retry: {attempts: 0, statuses: []}
    fallback: {function: default}
    platform: {process: {command: ["a b", "", "--x=é\u2028\"\\\t"], env: {PORT: "{port}", EMPTY: "", "odd key": "${X:-y}"}, ports: 9000-9010, output: "~"}}
  default:
    routes: [{path: /}]
    health: {type: http, path: /live, json: ["status == ok"]}
    fallback: {body: "one\ntwo $${literal} # not a comment", headers: {Retry-After: "5"}}
    instances: [{url: "http://[::1]:9000", weight: 3, priority: 1, zone: a, region: b, max_in_flight: 10}]
`

func TestMarshalledConfigurationLoadsToTheSame(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"{}", small, everything, before, after} {
		c, _, err := load(t, text)
		if err != nil {
			t.Fatal(err)
		}
		marshalled := string(config.Marshal(c, false))
		again, _, err := load(t, marshalled)
		if err != nil {
			t.Fatalf("%v\nin\n%s", err, marshalled)
		}
		if !reflect.DeepEqual(c, again) {
			t.Errorf("changed: %v\n%s", config.Diff(c, again), marshalled)
		}
	}
}

func TestZeroConfigurationRunsStillSeeTheEnvironment(t *testing.T) {
	t.Parallel()
	base, err := config.ForTarget([]string{":3000", "3001", "example.com:80", "https://a.example", "host"})
	if err != nil {
		t.Fatal(err)
	}
	c, origins := mustLoad(t, config.Options{Base: base, Environ: []string{
		"HOLDFAST_DEFAULTS__RETRY__ATTEMPTS=1", "HOLDFAST_FUNCTIONS__DEFAULT__HEALTH__INTERVAL=1s", "HOLDFAST_LISTEN=:1",
	}})
	f := c.Functions["default"]
	var urls []string
	for _, in := range f.Instances {
		urls = append(urls, in.ID+"="+in.URL)
	}
	want := "127.0.0.1:3000=http://127.0.0.1:3000 127.0.0.1:3001=http://127.0.0.1:3001 example.com:80=http://example.com:80 a.example=https://a.example host=http://host"
	if got := strings.Join(urls, " "); got != want {
		t.Errorf("instances %s", got)
	}
	if f.Retry.Attempts != 1 || f.Health.Interval.String() != "1s" || c.Listen != ":1" || f.Health.Type != "auto" || f.Health.Path != "/health" || f.Routes[0].Path != "/" {
		t.Errorf("got %+v", f)
	}
	if origins.Of("functions.default.instances[0].url").Kind != config.OriginDefault {
		t.Error("an address of the command line has another origin than default")
	}
	for bad, want := range map[string]string{
		"":                   "must name a host",
		"ftp://a":            "http://host:port",
		"http://u:hunter2@h": "must not hold a user or password",
		"70000":              "a port from 1 to 65535",
		"http://a/b":         "write http://a",
		"3000/b":             "write http://127.0.0.1:3000",
		"a b:1":              "want a port, host:port or http://host:port",
		"-1":                 "must name a host",
		"a,:3000,3000":       `"3000": 127.0.0.1:3000 is given twice`,
	} {
		_, err := config.ForTarget(strings.Split(bad, ","))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v, want %q", bad, err, want)
		}
	}
	if _, err := config.ForTarget(nil); err == nil {
		t.Error("no address was accepted")
	}
}

func TestACommandBecomesAProcessPlatform(t *testing.T) {
	t.Parallel()
	base, err := config.ForCommand([]string{"node", "server.js", "$${x}"}, 3)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := mustLoad(t, config.Options{Base: base})
	p := c.Functions["default"].Platform.Process
	if strings.Join(p.Command, " ") != "node server.js $${x}" || p.Instances != 3 || p.Env["PORT"] != "{port}" || p.StopTimeout.String() != "10s" {
		t.Errorf("got %+v", p)
	}
	for _, n := range []int{-3, 0, 1001} {
		if _, err := config.ForCommand([]string{"a"}, n); err == nil || !strings.Contains(err.Error(), "between 1 and 1000") {
			t.Errorf("%d instances: %v", n, err)
		}
	}
	for _, argv := range [][]string{nil, {""}} {
		if _, err := config.ForCommand(argv, 1); err == nil {
			t.Errorf("%q was accepted", argv)
		}
	}
}

func TestScalarsReadBackWhatTheyWrite(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"90s": "1m30s", "300000": "5m", "0": "0s", "60m": "1h", "1h30m": "1h30m", "1ms": "1ms", "-5s": "-5s", "10m10s": "10m10s"} {
		d, err := config.ParseDuration(text)
		if err != nil || d.String() != want {
			t.Errorf("%s: %v, %v", text, d, err)
		}
		if again, err := config.ParseDuration(d.String()); err != nil || again != d {
			t.Errorf("%s: %v, %v", d, again, err)
		}
	}
	for text, want := range map[string]string{"65536": "64KiB", "1 MiB": "1MiB", "1000": "1000", "1MB": "1000000", "0": "0", "10B": "10", "3GiB": "3GiB", "2kB": "2000"} {
		b, err := config.ParseBytes(text)
		if err != nil || b.String() != want {
			t.Errorf("%s: %v, %v", text, b, err)
		}
	}
	for text, want := range map[string]config.Ports{"": {}, "80": {From: 80, To: 80}, "9000 - 9100": {From: 9000, To: 9100}} {
		p, err := config.ParsePorts(text)
		if err != nil || p != want {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
	for _, text := range []string{"", "s", "1", "9223372036854775807GiB", "KiB", "1.5KiB"} {
		if b, err := config.ParseBytes(text); (err == nil) != (text == "1") {
			t.Errorf("size %q: %v", text, b)
		}
	}
	for _, text := range []string{"", "s", "1 s", "9223372036854775807", "1d", "1.5"} {
		if d, err := config.ParseDuration(text); err == nil {
			t.Errorf("duration %q: %v", text, d)
		}
	}
	out, err := json.Marshal(map[string]any{"d": config.Duration(5e9), "b": config.Bytes(2048), "p": config.Ports{From: 1, To: 2}})
	if err != nil || string(out) != `{"b":"2KiB","d":"5s","p":"1-2"}` {
		t.Errorf("json %s, %v", out, err)
	}
}
