// Package telemetry_test holds what others build on the metrics against the
// metrics of the real binary: the page about them, the rules for Prometheus, the
// dashboard for Grafana.
package telemetry_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"holdfast/internal/telemetry"
	"holdfast/test/holdfast"
	"holdfast/test/need"
)

// TestMain is, when it is started as an instance, a server.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		fmt.Println(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(answer)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// answer says of itself what a health answer may say.
func answer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "ok", "event_loop_lag_ms": 2, "memory_percent": 10, "jobs": 3}) // the client may leave
}

// settings have a function of each kind, so that every metric has a reason to be
// there.
const settings = `
tls: {auto: true}
monitor: {loop_lag: 1ms}
telemetry: {traces: {endpoint: "http://127.0.0.1:9"}}
alerts: {channels: {ops: {webhook: {url: "http://127.0.0.1:9"}}}}
functions:
  listed:
    routes: [{path: /listed}]
    instances: [{url: %q}]
    health: {interval: 1s}
  scaled:
    routes: [{path: /scaled}]
    platform: {process: {command: [%q, serve], instances: 1}}
    health: {interval: 1s}
    scaling:
      enabled: true
      min_instances: 0
      max_instances: 2
      budget: {per_hour: 10}
      signals: {jobs: {health_json: jobs}}
`

// serving starts a Holdfast and returns the names of its metrics once as many as
// are wanted are there, and the text of them.
func serving(t *testing.T, wanted func(names map[string]bool) bool) map[string]bool {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(answer))
	t.Cleanup(srv.Close)
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, settings, srv.URL, os.Args[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	hf := holdfast.Up(t, "-c", file)
	hf.Ready(t, time.Minute)
	var names map[string]bool
	holdfast.Poll(t, 90*time.Second, "all metrics are there", func() bool {
		names = scrape(t, hf.Admin)
		return wanted(names)
	})
	return names
}

func scrape(t *testing.T, admin string) map[string]bool {
	t.Helper()
	res, err := http.Get(admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for name := range families {
		names[name] = true
	}
	return names
}

// unforced are metrics that nothing here gives a reason to be there; the test of
// internal/telemetry holds them against their description.
var unforced = []string{"holdfast_runs_total"}

func TestThePageTheRulesAndTheDashboardSpeakOfMetricsThereAre(t *testing.T) {
	t.Parallel()
	described := map[string]bool{}
	for _, g := range telemetry.Catalog() {
		for _, m := range g.Metrics {
			described[m.Name] = true
		}
	}
	names := serving(t, func(names map[string]bool) bool {
		for name := range described {
			if !names[name] && !slices.Contains(unforced, name) {
				return false
			}
		}
		return true
	})
	for name := range names {
		if !described[name] {
			t.Errorf("%s is served and not on docs/metrics.md", name)
		}
	}
	for _, e := range append(ruleExpressions(t), dashboardExpressions(t)...) {
		for _, name := range metricsIn(e) {
			if !names[name] {
				t.Errorf("%s is not served; used in %s", name, e)
			}
		}
	}
}

var (
	metricName = regexp.MustCompile(`\b(?:holdfast|process|go)_[a-z0-9_]+`)
	quoted     = regexp.MustCompile(`"[^"]*"`)
)

// metricsIn returns the metrics of an expression.
func metricsIn(expression string) (list []string) {
	for _, name := range metricName.FindAllString(quoted.ReplaceAllString(expression, `""`), -1) {
		for _, part := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, part)
		}
		list = append(list, name)
	}
	return list
}

const (
	prometheusDir = "../../deploy/prometheus"
	grafanaDir    = "../../deploy/grafana"
)

// ruleExpressions are those of the rules: what promtool has checked is read here by
// its lines.
func ruleExpressions(t *testing.T) (list []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(prometheusDir, "rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	rules := 0
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "- alert:") || strings.Contains(line, "- record:") {
			rules++
		}
		if e, ok := strings.CutPrefix(strings.TrimSpace(line), "expr: "); ok {
			list = append(list, e)
		}
	}
	if len(list) != rules || rules < 20 {
		t.Fatalf("%d rules with %d expressions", rules, len(list))
	}
	return list
}

// dashboardExpressions are those of the dashboard, with the values of its
// variables.
func dashboardExpressions(t *testing.T) (list []string) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Query any }
		}
	}
	text, err := os.ReadFile(filepath.Join(grafanaDir, "holdfast.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	values := strings.NewReplacer("$__rate_interval", "5m", "$function", ".*", "$job", "holdfast")
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			list = append(list, values.Replace(target.Expr))
		}
	}
	for _, v := range dashboard.Templating.List {
		query, _ := v.Query.(map[string]any) // that of the data source is a text
		text, _ := query["query"].(string)
		if inner, ok := strings.CutPrefix(text, "label_values("); ok {
			e, _, _ := strings.Cut(inner, ", ")
			list = append(list, values.Replace(e))
		}
	}
	if len(list) < 30 {
		t.Fatalf("%d expressions", len(list))
	}
	return list
}

func run(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestPrometheusTakesTheRules(t *testing.T) {
	t.Parallel()
	need.Command(t, "promtool")
	for _, args := range [][]string{{"check", "config", "prometheus.yml"}, {"check", "rules", "rules.yml"}, {"test", "rules", "rules_test.yml"}} {
		if out, err := run(t, prometheusDir, "promtool", args...); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func TestPrometheusUnderstandsEachExpressionOfTheDashboard(t *testing.T) {
	t.Parallel()
	need.Command(t, "promtool")
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	for n, e := range dashboardExpressions(t) {
		fmt.Fprintf(&rules, "      - {record: 'dashboard:expression:%d', expr: %q}\n", n, e)
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	check := func(text string) (string, error) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return run(t, ".", "promtool", "check", "rules", file)
	}
	if out, err := check(rules.String()); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := check(rules.String() + "      - {record: 'broken', expr: 'sum by ('}\n"); err == nil {
		t.Errorf("an expression that is none was understood:\n%s", out)
	}
}

func TestGrafanaHasTypesForTheDashboard(t *testing.T) {
	t.Parallel()
	need.Command(t, "node")
	check, err := filepath.Abs(filepath.Join(grafanaDir, "check"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(check, "node_modules", "@grafana", "schema")); err != nil { // scripts/deps.sh has brought it to CI
		if out, err := run(t, check, "npm", "ci", "--no-audit", "--no-fund"); err != nil {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
	}
	if out, err := run(t, check, "node", "check.mjs"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	dashboard, err := os.ReadFile(filepath.Join(grafanaDir, "holdfast.json"))
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.json")
	text := strings.Replace(string(dashboard), `"drawStyle": "line"`, `"drawStyle": "scribble"`, 1)
	if err := os.WriteFile(broken, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, check, "node", "check.mjs", broken); err == nil || !strings.Contains(out, "scribble") {
		t.Errorf("a style that does not exist passed: %v\n%s", err, out)
	}
}
