package control_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"holdfast/test/holdfast"
)

// change is one order that changes something, and what the audit log calls it.
type change struct{ operation, path, body, action string }

// refused are orders that processes cannot follow; they are audited all the same.
const refused = "function.rollback"

// unasked needs a history, which nothing has that has just begun.
const unasked = "POST /api/v1/functions/{function}/scaling/simulate"

// Every operation of the API that changes something leaves an entry that says
// who, from where, when and what; of a changed configuration also what it was
// and what it is. An operation that is added without a row here fails.
func TestEveryChangeIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "alerts: {channels: {nobody: {webhook: {url: \"http://127.0.0.1:9\"}}}}\nfunctions:\n"+function(t, "public", 2, "    scaling: {enabled: true, max_instances: 3}\n")))
	p.Ready(t, ready)
	a := login(t, p)
	const one = "/api/v1/functions/{function}"
	changes := []change{
		{"POST " + one + "/stop", "", `{"reason":"why"}`, "function.stop"},
		{"POST " + one + "/start", "", `{"reason":"why"}`, "function.start"},
		{"POST " + one + "/initialize", "", `{"reason":"why"}`, "function.initialize"},
		{"POST " + one + "/scale", "", `{"scale_action":"up","reason":"why"}`, "function.scale"},
		{"POST " + one + "/pause", "", `{"for":"10m","reason":"why"}`, "function.pause"},
		{"POST " + one + "/pin", "", `{"instances":3,"reason":"why"}`, "function.pin"},
		{"POST " + one + "/unpause", "", `{"reason":"why"}`, "function.unpause"},
		{"POST " + one + "/failover", "", `{"instance_id":"public-1","reason":"why"}`, "function.failover"},
		{"POST " + one + "/failback", "", `{"reason":"why"}`, "function.failback"},
		{"POST " + one + "/rollback", "", `{"reason":"why"}`, refused},
		{"POST " + one + "/clear-sessions", "", `{"reason":"why"}`, "function.clear_sessions"},
		{"POST " + one + "/breaker/open", "", `{"reason":"why"}`, "breaker.force_open"},
		{"POST " + one + "/breaker/reset", "", `{"reason":"why"}`, "breaker.reset"},
		{"PUT " + one + "/instances/{instance}/drain", "", `{"reason":"why"}`, "instance.drain"},
		{"DELETE " + one + "/instances/{instance}/drain", "", `{"reason":"why"}`, "instance.undrain"},
		{"PUT " + one + "/instances/{instance}/weight", "", `{"weight":3}`, "instance.weight"},
		{"POST /api/v1/runs", "", `{"kind":"load","function":"public","rate":1,"duration":"1m"}`, "run.start"},
		{"POST /api/v1/runs/{id}/stop", "", "", "run.stop"},
		{"POST /api/v1/alerts/silences", "", `{"rule":"errors","for":"1h","reason":"why"}`, "alert.silence"},
		{"DELETE /api/v1/alerts/silences/{id}", "", "", "alert.unsilence"},
		{"POST /api/v1/alerts/channels/{name}/test", "", "", "alert.test"},
		{"PUT /api/v1/config/values", "", `{"path":"functions.public.retry.attempts","value":3}`, "config.set"},
		{"DELETE /api/v1/config/values", "?path=functions.public.retry.attempts", "", "config.unset"},
		{"PUT /api/v1/log-levels", "", `{"component":"gateway","level":"debug"}`, "log.level"},
		{"POST /api/v1/reload", "", "", "config.reload"},
		{"POST /api/v1/tokens", "", `{"name":"t","role":"viewer"}`, "token.create"},
		{"DELETE /api/v1/tokens/{id}", "", "", "token.revoke"},
		{"PUT " + recovery, "", `{"function_name":"public","recovery_config":{"failure_threshold":2}}`, "function.configure"},
		{"POST " + recovery, "", `{"action":"stop","function_name":"public","reason":"why"}`, "function.stop"},
		{"DELETE " + recovery, "?function=public", "", "function.disable"},
		{"POST /api/v1/session", "", `{"token":"` + a.token + `"}`, "session.login"},
		{"POST /api/v1/config/check", "", `{"path":"log.level","value":"warn"}`, ""}, // changes nothing
		{unasked, "", `{"scaling":{"max_instances":4}}`, ""},                         // changes nothing
		{"DELETE /api/v1/session", "", "", ""},                                       // of a token there is no session to end
	}
	var listed []string
	for _, c := range changes {
		listed = append(listed, c.operation)
	}
	slices.Sort(listed)
	described := changingOperations(t, a)
	if all := slices.Sorted(maps.Keys(described)); !slices.Equal(all, listed) {
		t.Errorf("the API describes\n%v\nhere are\n%v", all, listed)
	}
	id := ""
	for _, c := range changes {
		method, path, _ := strings.Cut(c.operation, " ")
		if with := strings.Contains(c.body, `"reason":"why"`); with != described[c.operation] {
			t.Errorf("%s takes a reason: %v, has one here: %v", c.operation, described[c.operation], with)
		}
		path = strings.NewReplacer("{function}", "public", "{instance}", "public-2", "{id}", id, "{name}", "nobody").Replace(path) + c.path
		res := send(t, method, a.base+path, c.body, "Authorization: Bearer "+a.token, "Content-Type: application/json")
		b, _ := io.ReadAll(res.Body)
		if res.StatusCode/100 != 2 && (c.action != refused && c.operation != unasked || res.StatusCode != http.StatusConflict) {
			t.Errorf("%s: %d %s", c.operation, res.StatusCode, b)
			continue
		}
		if c.action == "token.create" || c.action == "run.start" || c.action == "alert.silence" {
			var made struct {
				ID    string
				Token struct{ ID string }
			}
			if err := json.Unmarshal(b, &made); err != nil || made.Token.ID+made.ID == "" {
				t.Fatalf("%s: %v", b, err)
			}
			id = made.Token.ID + made.ID
		}
		if c.action != "" {
			a.audited(c)
		}
	}
}

// audited looks at the newest entry.
func (a api) audited(c change) {
	a.t.Helper()
	_, v := a.ask("GET", "/api/v1/audit?limit=1", "")
	entries, _ := v["entries"].([]any)
	if len(entries) != 1 {
		a.t.Fatalf("%s: %v", c.operation, v)
	}
	e, _ := entries[0].(map[string]any)
	by, _ := e["actor"].(map[string]any)
	if e["action"] != c.action || by["name"] != "bootstrap" || by["role"] != "admin" || !strings.HasPrefix(fmt.Sprint(by["source"]), "127.0.0.1") || e["created_at"] == nil {
		a.t.Errorf("%s has the entry %v, want %s", c.operation, e, c.action)
	}
	why := any(nil)
	if strings.Contains(c.body, `"reason":"why"`) {
		why = "why"
	}
	if e["reason"] != why {
		a.t.Errorf("%s has the entry %v, want the reason %v", c.operation, e, why)
	}
	if c.action == "config.set" || c.action == "config.unset" || c.action == "function.configure" || c.action == "log.level" {
		if e["before"] == nil && c.action != "config.set" || e["after"] == nil || fmt.Sprint(e["before"]) == fmt.Sprint(e["after"]) {
			a.t.Errorf("%s: before %v, after %v", c.operation, e["before"], e["after"])
		}
	}
}

// changingOperations are all that OpenAPI describes and that are no question,
// each with whether it takes a reason.
func changingOperations(t *testing.T, a api) map[string]bool {
	t.Helper()
	_, v := a.ask("GET", "/api/openapi.json", "")
	paths, _ := v["paths"].(map[string]any)
	all := map[string]bool{}
	for path, item := range paths {
		operations, _ := item.(map[string]any)
		for method, o := range operations {
			if m := strings.ToUpper(method); m == http.MethodPost || m == http.MethodPut || m == http.MethodDelete || m == http.MethodPatch {
				all[m+" "+path] = takesReason(v, o)
			}
		}
	}
	return all
}

// takesReason looks into the schema of an operation's body, which may stand
// elsewhere in the document.
func takesReason(document map[string]any, operation any) bool {
	in := func(v any, keys ...string) any {
		for _, k := range keys {
			m, _ := v.(map[string]any)
			v = m[k]
		}
		return v
	}
	schema := in(operation, "requestBody", "content", "application/json", "schema")
	if ref, ok := in(schema, "$ref").(string); ok {
		schema = in(document, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	return in(schema, "properties", "reason") != nil
}
