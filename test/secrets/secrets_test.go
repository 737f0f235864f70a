// Package secrets_test puts distinctive values into every place where the real
// binary takes a secret, and looks for them in everything it lets out.
package secrets_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/postgres"
)

const ready = 30 * time.Second

// given are the canaries of a run, by the place they are put into.
type given struct {
	list   []canary
	marker string // no secret: it must be found, or nothing was looked at
}

func (g *given) put(name string, home ...string) string {
	return g.known(name, word(), home...)
}

func (g *given) known(name, value string, home ...string) string {
	g.list = append(g.list, canary{name, value, home})
	return value
}

func TestNoSecretShowsAnywhere(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]func(t *testing.T, g *given) string{
		"with SQLite": func(*testing.T, *given) string { return "sqlite" },
		"with PostgreSQL": func(t *testing.T, g *given) string {
			s, password := postgres.Start(t), g.put("the store's password", ownEnviron)
			statements := "CREATE ROLE secretive LOGIN PASSWORD '" + password + "'; CREATE DATABASE secrets OWNER secretive"
			for statement := range strings.SplitSeq(statements, "; ") {
				if err := s.Exec(t.Context(), "postgres", statement); err != nil {
					t.Fatal(err)
				}
			}
			return fmt.Sprintf("postgres://secretive:%s@127.0.0.1:%d/secrets", password, s.Port)
		},
		"with a store that does not answer": func(_ *testing.T, g *given) string {
			return "postgres://holdfast:" + g.put("the store's password", ownEnviron) + "@127.0.0.1:1/holdfast?connect_timeout=1"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &given{marker: word()}
			r := start(t, g, store(t, g))
			r.traffic()
			r.strangers()
			if !strings.Contains(name, "not answer") {
				r.people()
			}
			r.look()
			for _, l := range leaks(g.list, r.seen) {
				t.Error(l)
			}
			r.wasLookedAt(name)
		})
	}
}

// file is a configuration with a secret in every key that can take one.
func (r *run) file() string {
	g, dir := r.given, r.t.TempDir()
	secret := filepath.Join(dir, "dsn.secret")
	if err := os.WriteFile(secret, []byte(g.put("a secret file", "environ of public-1")+"\n"), 0o600); err != nil {
		r.t.Fatal(err)
	}
	argument := g.put("an argument of a command", "cmdline of guarded-1")
	text := fmt.Sprintf(`admin: {tls: {auto: true}, allow_instances: [127.0.0.0/8],
  oidc: {issuer: 'http://127.0.0.1:1', client_id: holdfast, client_secret: %s, roles: {viewer: [staff]}}}
alerts: # that nobody takes: what is tried goes into the log
  channels:
    chat: {severity: info, slack: 'http://127.0.0.1:1/services/%s'}
    oncall: {severity: info, pagerduty: {routing_key: %s, url: 'http://127.0.0.1:1/v2/enqueue'}}
    mail: {severity: info, email: {server: '127.0.0.1:1', user: u, password: %s, from: a@example.com, to: [b@example.com]}}
    am: {severity: info, alertmanager: {url: 'http://127.0.0.1:1', headers: {Authorization: "Bearer %s"}}}
    hook: {severity: info, webhook: {url: 'http://127.0.0.1:1/?key=%s', secret: %s, heartbeats: true}}
    alive: {heartbeat: 'http://127.0.0.1:1/%s'}
log: {level: debug, access: all}
functions:
  public:
    routes: [{path: /api/public/}]
    health: {path: /api/public/health, interval: 1s, headers: {Authorization: "Bearer %s", X-Api-Key: %s}}
    platform: {process: {command: [%q, demo-function, --name, public, --id, '{id}', --port, '{port}'],
      env: {API_TOKEN: %s, MY_PASSWORD: "${CANARY_PASSWORD}", UPSTREAM: "${file:%s}"}}}
  guarded:
    routes: [{path: /api/guarded/}]
    platform: {process: {command: [sh, -c, 'exec %s demo-function --name guarded --id $1 --port $2 # $3', sh, '{id}', '{port}', "--password=%s"]}}
  still:
    routes: [{path: /api/still/}]
    health: {disabled: true}
    instances: [{id: x, url: 'http://127.0.0.1:1'}]
`, g.put("the provider's secret"), g.put("Slack's address"), g.put("PagerDuty's key"), g.put("the mail server's password"),
		g.put("a header to Alertmanager"), g.put("a webhook's address"), g.put("a webhook's secret"), g.put("a heartbeat's address"),
		g.put("an Authorization header of checks"), g.put("a key header of checks"), holdfast.Binary(r.t), g.put("a variable of instances", "environ of public-1"),
		secret, holdfast.Binary(r.t), argument)
	path := filepath.Join(dir, "holdfast.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// traffic is what clients of the gateway send.
func (r *run) traffic() {
	g := r.given
	header := http.Header{}
	header.Set("Authorization", "Bearer "+g.put("a client's token"))
	header.Set("Cookie", "session="+g.put("a client's cookie")+"; hf_session="+g.put("a forged affinity cookie"))
	header.Set("X-Api-Key", g.put("a client's key"))
	body := `{"password":"` + g.put("a client's body") + `"}`
	query := "?access_token=" + g.put("a client's query") + "&fail=500"
	for _, path := range []string{"/api/public/" + g.marker, "/api/guarded/hello", "/api/still/hello", "/nowhere"} {
		for range 6 { // the breaker opens, too
			r.send(http.MethodPost, r.gateway+path+query, body, header)
		}
	}
	basic := http.Header{}
	basic.Set("Authorization", "Basic "+basicOf("somebody", g.put("a client's password")))
	r.send(http.MethodGet, r.gateway+"/api/public/hello", "", basic)
}

// strangers are those who have no token, or a wrong one.
func (r *run) strangers() {
	g := r.given
	form := "hf_0123456789ab_" + g.known("a wrong token", (word() + word())[1:33]+word()[1:33])
	free, pass := g.put("a token of another form"), g.put("a wrong password")
	for _, h := range []http.Header{
		{"Authorization": {"Bearer " + form}},
		{"Authorization": {"Bearer " + free}},
		{"Authorization": {"Basic " + basicOf("admin", pass)}},
		{"Cookie": {"holdfast=hfs_" + g.known("a forged session", (word() + word())[1:33]+word()[1:33])}},
	} {
		r.ask(http.MethodGet, "/api/v1/status?token="+form+"&password="+pass, "", h)
		r.ask(http.MethodPost, recovery, `{"action":"failover","password":"`+pass+`"}`, h)
	}
	json := http.Header{"Content-Type": {"application/json"}}
	for _, body := range []string{`{"token":"` + form + `"}`, `{"token":"` + free + `"}`, `{"token":"` + form, `{"` + free + `":1}`} {
		r.ask(http.MethodPost, "/api/v1/session", body, json)
	}
}

// people are those who may give orders, with secrets in right and wrong places.
func (r *run) people() {
	g := r.given
	as := r.admin()
	r.ask(http.MethodPost, "/api/v1/functions/public/clear-sessions", `{"reason":"`+g.marker+`"}`, as)
	r.ask(http.MethodPost, recovery, `{"action":"stop","function_name":"still","reason":"`+g.marker+`"}`, as)
	kept := []string{"file state.db", "file orders.json"} // what is set must be kept
	set := func(path, value string) {
		r.ask(http.MethodPut, "/api/v1/config/values", fmt.Sprintf(`{"path":%q,"value":%s}`, path, value), as)
	}
	set("functions.still.health.headers", `{"Authorization":"Bearer `+g.put("a header set through the API", kept...)+`","X-Token":"`+g.put("a key set through the API", kept...)+`"}`)
	set("functions.still.fallback.headers", `{"Set-Cookie":"a=`+g.put("a cookie set through the API", kept...)+`"}`)
	r.ask(http.MethodPut, recovery, `{"function_name":"still","recovery_config":{"health":{"headers":{"Proxy-Authorization":"`+g.put("a document's header", kept...)+`"}}}}`, as)
	env := g.put("a variable that is refused")
	set("functions.public.platform.process.env", `{"API_TOKEN":"`+env+`"}`)
	set("functions.public.platform", `{"process":{"env":{"API_TOKEN":"`+env+`"}}}`)
	set("store", `"postgres://u:`+g.put("a store that is refused")+`@db/x"`)
	set("functions.still.instances", `[{"id":"x","url":"http://u:`+g.put("an instance's password")+`@203.0.113.9/"}]`)
	set("functions.still.health.headers", `{"Authorization":["`+g.put("a header of the wrong type")+`"]}`)
	set("functions.still.health.nonsense", `{"password":"`+g.put("a key that does not exist")+`"}`)
	r.ask(http.MethodPut, recovery, `{"function_name":"public","recovery_config":{"password":"`+g.put("an unknown key")+`"}}`, as)
	r.ask(http.MethodPut, recovery, `{"function_name":"public","recovery_config":"`+g.put("half a body"), as)
	r.ask(http.MethodPost, "/api/v1/tokens", `{"name":"x","role":"viewer","secret":"`+g.put("an unknown key of a token")+`"}`, as)
	r.tokens(as)
}

// tokens makes one, logs in with it, and revokes it.
func (r *run) tokens(as http.Header) {
	g := r.given
	var made struct{ Secret, ID string }
	r.into(&made, r.silent(http.MethodPost, "/api/v1/tokens", `{"name":"ci","role":"operator"}`, as))
	g.known("a token", half(r.t, made.Secret))
	res := r.raw(http.MethodPost, "/api/v1/session", `{"token":"`+made.Secret+`"}`, http.Header{"Content-Type": {"application/json"}})
	if len(res.Cookies()) != 1 {
		r.t.Fatalf("log in: %d %v", res.StatusCode, res.Header)
	}
	cookie := res.Cookies()[0]
	g.known("a session", strings.TrimPrefix(cookie.Value, "hfs_"))
	r.ask(http.MethodGet, "/api/v1/session", "", http.Header{"Cookie": {cookie.Name + "=" + cookie.Value}})
	r.ask(http.MethodPost, recovery, `{"action":"initialize","function_name":"guarded"}`, http.Header{"Authorization": {"Bearer " + made.Secret}})
	r.ask(http.MethodPost, recovery, `{"action":"initialize","function_name":"`+made.Secret+`"}`, as)
	r.ask(http.MethodDelete, "/api/v1/tokens/"+made.Secret, "", as)
	tokenID := strings.Split(made.Secret, "_")[1]
	r.ask(http.MethodDelete, "/api/v1/tokens/"+tokenID, "", as)
	r.ask(http.MethodGet, "/api/v1/status", "", http.Header{"Authorization": {"Bearer " + made.Secret}})
}

// wasLookedAt fails when what is no secret was not found where it belongs: the
// search would have missed secrets there, too.
func (r *run) wasLookedAt(name string) {
	where := []string{"log", "GET /api/v1/requests", "holdfast requests", "GET /api/v1/explain/request/", "dump of goroutines", "file "}
	if name == "with SQLite" {
		where = append(where, "GET /api/v1/audit", "file state.db")
	}
	probe := []canary{{name: "marker", value: r.given.marker}}
	for _, part := range where {
		var there []surface
		for _, s := range r.seen {
			if strings.HasPrefix(s.name, part) {
				there = append(there, s)
			}
		}
		switch {
		case len(there) == 0:
			r.t.Errorf("%s was not looked at", part)
		case part != "dump of goroutines" && part != "file " && len(leaks(probe, there)) == 0:
			r.t.Errorf("%s does not hold what is no secret", part)
		}
	}
	if len(r.seen) < 90 || !slices.ContainsFunc(r.seen, func(s surface) bool {
		return strings.HasPrefix(s.name, "environ of public-1") && strings.Contains(s.text, "API_TOKEN=")
	}) {
		r.t.Errorf("%d surfaces only", len(r.seen))
	}
}

// Configurations that do not load are quoted to the user, with their secrets
// left out.
func TestARefusedConfigurationShowsNoSecret(t *testing.T) {
	t.Parallel()
	g := &given{}
	dir := t.TempDir()
	secret := filepath.Join(dir, "s")
	for name, text := range map[string]string{
		"store":         "store: 'postgres://u:" + g.put("store") + "@[bad/db'\n",
		"no scheme":     "store: 'u:" + g.put("no scheme") + "@db.example.com/x'\n",
		"half a scheme": "store: '//u:" + g.put("half a scheme") + "@db.example.com/x'\n",
		"keywords":      "store: 'host=db user=u password=" + g.put("keywords") + "'\n",
		"remote store":  "store: 'postgres://u:" + g.put("remote store") + "@db.example.com/x?sslmode=disable'\n",
		"unknown key":   "functions: {a: {routes: [{path: /}], instances: [{url: 'http://127.0.0.1:1', token: " + g.put("unknown key") + "}]}}\n",
		"wrong type":    "functions: {a: {routes: [{path: /}], health: {headers: {Authorization: [" + g.put("wrong type") + "]}}, instances: [{url: 'http://127.0.0.1:1'}]}}\n",
		"instance":      "functions: {a: {routes: [{path: /}], instances: [{url: 'http://u:" + g.put("instance") + "@127.0.0.1:99999'}]}}\n",
		"file in port":  "listen: '127.0.0.1:${file:s}'\nfunctions: {a: {routes: [{path: /}], instances: [{url: 'http://127.0.0.1:1'}]}}\n",
		"file in count": "functions: {a: {routes: [{path: /}], retry: {attempts: '${file:s}'}, instances: [{url: 'http://127.0.0.1:1'}]}}\n",
		"env list":      "functions: {a: {routes: [{path: /}], platform: {process: {command: [/nonexistent/x], env: [API_TOKEN=" + g.put("env list") + "]}}}}\n",
		"no such file":  "functions: {a: {routes: [{path: /}], platform: {process: {command: [/nonexistent/x, --password, " + g.put("argument") + "], env: {API_TOKEN: " + g.put("env") + "}}}}}\n",
		"key":           "admin: {tls: {cert: s, key: s}}\nfunctions: {a: {routes: [{path: /}], instances: [{url: 'http://127.0.0.1:1'}]}}\n",
		"broken YAML":   "store: \"postgres://u:" + g.put("broken YAML") + "@x\nfunctions: {\n",
	} {
		if err := os.WriteFile(secret, []byte(g.put("secret file of "+name)), 0o600); err != nil {
			t.Fatal(err)
		}
		conf := filepath.Join(dir, "holdfast.yaml")
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		data, err := os.MkdirTemp("", "hf-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(data) })
		for _, args := range [][]string{
			{"check", "-c", conf},
			{"check", "-c", conf, "-o", "json"},
			{"doctor", "-c", conf, "--data-dir", data},
			{"setup", "-c", conf, "--data-dir", data},
			{"up", "-c", conf, "--data-dir", data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"},
		} {
			out, code := command(t, 5*time.Second, syscall.SIGINT, args...)
			if len(out) < 20 || code == 0 && args[0] != "up" && name != "no such file" && name != "key" && name != "remote store" {
				t.Errorf("%s: %v: %d %q is no refusal", name, args, code, out)
			}
			for _, l := range leaks(g.list, []surface{{fmt.Sprintf("%s: holdfast %s", name, args[0]), out}}) {
				t.Error(l)
			}
		}
	}
}
