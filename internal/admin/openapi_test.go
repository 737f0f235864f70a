package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"holdfast/internal/admin"
	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
)

var update = flag.Bool("update", false, "write docs/openapi.json anew")

const committed = "../../docs/openapi.json"

func TestTheCommittedDocumentDescribesThisAPI(t *testing.T) {
	t.Parallel()
	s := open(t)
	if *update {
		if err := os.WriteFile(committed, s.admin.OpenAPI(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, s.admin.OpenAPI()) {
		t.Error("docs/openapi.json is out of date: go test ./internal/admin -run Committed -update")
	}
	if res := s.do(s.client, http.MethodGet, s.tcp+"/api/openapi.json", "", nil); res.status != 200 || !bytes.Equal(res.body, bytes.TrimSpace(text)) {
		t.Errorf("what is served is another document: %d", res.status)
	}
}

func TestEveryRouteIsDescribedAndEveryDescriptionServed(t *testing.T) {
	t.Parallel()
	s := open(t)
	served := map[string]bool{}
	for _, p := range s.admin.Patterns() {
		served[strings.Replace(p, "{$}", "", 1)] = true
	}
	described := map[string]bool{}
	for path, item := range s.admin.API().OpenAPI().Paths {
		for method, o := range operations(item) {
			described[method+" "+path] = true
			if o.Summary == "" || o.OperationID == "" || len(o.Responses) < 2 {
				t.Errorf("%s %s is hardly described", method, path)
			}
		}
	}
	if !reflect.DeepEqual(served, described) {
		t.Errorf("served\n%v\ndescribed\n%v", served, described)
	}
}

func operations(p *huma.PathItem) map[string]*huma.Operation {
	all := map[string]*huma.Operation{"GET": p.Get, "POST": p.Post, "PUT": p.Put, "DELETE": p.Delete}
	for method, o := range all {
		if o == nil {
			delete(all, method)
		}
	}
	return all
}

// kept is a store in a directory of its own.
func kept(t *testing.T) store.Store {
	t.Helper()
	s, err := sqlite.Open(sqlite.Config{Path: filepath.Join(t.TempDir(), "state.db"), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRealAnswersAreAsDescribed(t *testing.T) {
	t.Parallel()
	db := kept(t)
	by := store.Actor{Name: "tester", Role: store.Admin, Source: "local"}
	action := store.ScalingAction{ID: store.NewID(), Function: "public", Action: "failover", Before: 2, After: 1, Success: true, CreatedAt: now()}
	if err := db.AppendFacts(t.Context(), []store.Fact{action}); err != nil {
		t.Fatal(err)
	}
	if err := db.SetOverride(t.Context(), "log.level", json.RawMessage(`"debug"`), by); err != nil {
		t.Fatal(err)
	}
	s := open(t, func(c *admin.Config) {
		c.Store = db
		c.StoreHealth = func() store.Health { return store.Health{} }
		c.Values = func(string) []admin.ConfigValue {
			return []admin.ConfigValue{{Path: "a", Value: "b", Origin: "default"}}
		}
		c.History = past{}
	})
	s.serve()
	id, _ := s.request("/public/x")
	fill := strings.NewReplacer("{function}", "public", "{instance}", "public-1", "{id}", id)
	looked := 0
	for path, item := range s.admin.API().OpenAPI().Paths {
		if item.Get == nil || !strings.HasPrefix(path, "/api/") || path == "/api/openapi.json" {
			continue
		}
		res := s.do(s.socket, http.MethodGet, "http://holdfast"+fill.Replace(path), "", nil)
		if item.Get.OperationID == "tokens" { // there is no token store here
			continue
		}
		conforms(t, s.admin.API(), item.Get, res)
		looked++
	}
	if looked < 18 {
		t.Errorf("only %d answers were looked at", looked)
	}
	for _, refused := range []string{"/api/v1/explain/breaker/nothing", "/api/v1/requests?n=x", "/api/v1/requests?m=1", "/api/v1/actions?before=1"} {
		path, _, _ := strings.Cut(strings.Replace(refused, "nothing", "{function}", 1), "?")
		res := s.do(s.socket, http.MethodGet, "http://holdfast"+refused, "", nil)
		if res.status < 400 {
			t.Errorf("%s: %d", refused, res.status)
		}
		conforms(t, s.admin.API(), s.admin.API().OpenAPI().Paths[path].Get, res)
	}
}

// conforms compares an answer with its description.
func conforms(t *testing.T, api huma.API, o *huma.Operation, res answer) {
	t.Helper()
	described := o.Responses[statusOf(res.status)]
	if described == nil {
		t.Errorf("%s: %d is not described: %s", o.OperationID, res.status, res.body)
		return
	}
	kind, _, _ := strings.Cut(res.header.Get("Content-Type"), ";")
	media := described.Content[kind]
	if media == nil {
		t.Errorf("%s: %d: Content-Type %q is not described", o.OperationID, res.status, kind)
		return
	}
	if kind != "application/json" {
		return
	}
	validate(t, api, o.OperationID, media.Schema, res.body)
}

func statusOf(code int) string { b, _ := json.Marshal(code); return string(b) }

func validate(t *testing.T, api huma.API, what string, schema *huma.Schema, body []byte) {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Errorf("%s: %v in %s", what, err, body)
		return
	}
	result := huma.ValidateResult{}
	huma.Validate(api.OpenAPI().Components.Schemas, schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, v, &result)
	for _, err := range result.Errors {
		t.Errorf("%s: %v in %.300s", what, err, body)
	}
}

func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	s := open(t)
	registry, seen := s.admin.API().OpenAPI().Components.Schemas, 0
	for name, schema := range registry.Map() {
		for field, p := range schema.Properties {
			for _, example := range p.Examples {
				seen++
				result := huma.ValidateResult{}
				huma.Validate(registry, p, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, example, &result)
				for _, err := range result.Errors {
					t.Errorf("%s.%s: example %v: %v", name, field, example, err)
				}
			}
		}
	}
	if seen < 5 {
		t.Errorf("only %d examples", seen)
	}
}

// past is a history of one point.
type past struct{}

func (past) Range(_ context.Context, _ string, from, _ time.Time, _ time.Duration) ([]admin.HistoryPoint, error) {
	return []admin.HistoryPoint{{At: from, RequestsPerSecond: 3}}, nil
}
