package config_test

import (
	"slices"
	"strings"
	"testing"

	"holdfast/internal/config"
)

const before = `
log: {level: info, components: {a: debug}}
store: postgres://u:old@h/db
trusted_proxies: [10.0.0.0/8]
functions:
  gone: {routes: [{path: /gone/}], instances: [{url: "http://a:1"}]}
  public:
    routes: [{path: /p/}]
    health: {headers: {Authorization: Bearer old, X-Plain: a}}
    instances: [{id: a, url: "http://a:1"}, {id: b, url: "http://b:1"}, {id: c, url: "http://c:1"}]
    timeouts: {exchange: 1m}
`

const after = `
log: {level: warn, components: {b: debug}}
store: postgres://u:new@h/db
trusted_proxies: [10.0.0.0/8, 192.168.0.0/16]
functions:
  public:
    routes: [{path: /p/}, {path: /q/}]
    health: {headers: {Authorization: Bearer new, X-Plain: b}}
    instances: [{id: c, url: "http://c:2"}, {id: a, url: "http://a:1", weight: 5}, {id: d, url: "http://d:1"}]
    timeouts: {exchange: 60s}
  new: {routes: [{path: /new/}], instances: [{url: "http://a:1"}]}
`

func TestDiffNamesEachChangeAndMasksSecrets(t *testing.T) {
	t.Parallel()
	old, _, err := load(t, before)
	if err != nil {
		t.Fatal(err)
	}
	now, _, err := load(t, after)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range config.Diff(old, now) {
		if c.Path == "functions.new" || c.Path == "functions.gone" {
			got = append(got, c.String()[:len(c.Path)+9])
			continue
		}
		got = append(got, c.String())
	}
	want := []string{
		`store: "postgres://u:***@h/db" -> "postgres://u:***@h/db"`,
		`trusted_proxies: [10.0.0.0/8] -> [10.0.0.0/8, 192.168.0.0/16]`,
		`log.level: info -> warn`,
		`log.components.b: added debug`,
		`log.components.a: removed debug`,
		`functions.new: added {`,
		`functions.public.routes: [{path: "/p/"}] -> [{path: "/p/"}, {path: "/q/"}]`,
		`functions.public.health.headers.Authorization: "***" -> "***"`,
		`functions.public.health.headers.X-Plain: a -> b`,
		`functions.public.instances[c].url: "http://c:1" -> "http://c:2"`,
		`functions.public.instances[a].weight: 1 -> 5`,
		`functions.public.instances[d]: added {id: d, url: "http://d:1", weight: 1}`,
		`functions.public.instances[b]: removed {id: b, url: "http://b:1", weight: 1}`,
		`functions.gone: removed`,
	}
	for i := range got {
		got[i] = strings.TrimSpace(got[i])
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if changes := config.Diff(now, now); changes != nil {
		t.Errorf("differs from itself: %v", changes)
	}
	if changes := config.Diff(nil, now); len(changes) < 5 {
		t.Errorf("against nothing: %v", changes)
	}
}

func TestSecretsAreMaskedOnlyWhereAsked(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, `
store: postgres://u:hunter2@h/db?password=hunter2
functions:
  a:
    routes: [{path: /a/, headers: {X-Api-Key: hunter2, X-Version: "2"}}]
    fallback: {headers: {Set-Cookie: hunter2}}
    platform:
      process:
        command: [serve, --token, hunter2, --api-key=hunter2, --verbose, plain, "redis://:hunter2@h"]
        env: {DB_PASSWORD: hunter2, DATABASE_URL: "postgres://u:hunter2@h/db", MODE: fast}
`)
	if err != nil {
		t.Fatal(err)
	}
	open, hidden := string(config.Marshal(c, false)), string(config.Marshal(c, true))
	if n := strings.Count(open, "hunter2"); n != 9 {
		t.Errorf("the open form has %d secrets:\n%s", n, open)
	}
	if strings.Contains(hidden, "hunter2") {
		t.Errorf("the masked form shows secrets:\n%s", hidden)
	}
	for _, keep := range []string{"X-Version: 2", "MODE: fast", "plain", `"--token"`, "postgres://u:***@h/db"} {
		if !strings.Contains(hidden, keep) {
			t.Errorf("the masked form lost %s:\n%s", keep, hidden)
		}
	}
}

func TestTheContentOfSecretFilesIsMaskedInDiffs(t *testing.T) {
	t.Parallel()
	read := func(secret string) *config.Config {
		c, _ := mustLoad(t, config.Options{Files: []string{"f"}, ReadFile: readMap(map[string]string{
			"f": `functions: {a: {routes: [{path: /}], instances: [{url: "http://a:1"}], health: {body: "${file:s}"}}}`, "s": secret,
		})})
		return c
	}
	changes := config.Diff(read("first"), read("second"))
	if len(changes) != 1 || changes[0].String() != `functions.a.health.body: "***" -> "***"` {
		t.Errorf("got %v", changes)
	}
}
