package dashboard_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

const configuration = `
log: {access: off}
defaults: {health: {interval: 1s}}
alerts:
  channels:
    ops: {webhook: {url: %[2]q}}
    broken: {webhook: {url: "http://127.0.0.1:1/nobody"}}
functions:
  alarm:
    routes: [{path: /api/alarm/}]
    platform: {process: {instances: 1, command: [%[1]q, demo-function, --name, alarm, --port, '{port}']}}
  shop:
    routes: [{path: /api/shop/}]
    platform: {process: {instances: 2, command: [%[1]q, demo-function, --name, shop, --port, '{port}']}}
  work:
    routes: [{path: /api/work/}]
    health: {path: /api/work/health}
    scaling: {enabled: true, min_instances: 1, max_instances: 4, cooldown_period: 1s}
    platform: {process: {command: [%[1]q, demo-function, --name, work, --port, '{port}']}}
  bench:
    routes: [{path: /api/bench/}]
    platform: {process: {instances: 2, command: [%[1]q, demo-function, --name, bench, --port, '{port}']}}
`

// TestThePageInARealBrowser runs web/e2e in Chromium against a Holdfast with
// real instances. Pictures are kept in web/e2e/screenshots.
func TestThePageInARealBrowser(t *testing.T) {
	need.Plain(t)
	browser := need.Command(t, "chromium")
	buildPage(t)
	m := provider(t)
	p := up(t, fmt.Sprintf(throughProvider, m.Issuer(), m.ClientID, m.ClientSecret))
	tests := vitest(t, []string{"CHROMIUM=" + browser, "HOLDFAST_E2E=" + settings(t, p, m.Addr())}, "--config", "vitest.e2e.config.ts")
	if tests < 4 {
		t.Errorf("only %d tests ran", tests)
	}
}

// TestTheLogicOfThePage runs the tests beside the sources.
func TestTheLogicOfThePage(t *testing.T) {
	need.Plain(t)
	buildPage(t)
	if vitest(t, nil) == 0 {
		t.Error("no test ran")
	}
}

// TestThePageHasNoTypeErrorsAndNoWarnings is svelte-check, which also knows the
// types of the API.
func TestThePageHasNoTypeErrorsAndNoWarnings(t *testing.T) {
	need.Plain(t)
	buildPage(t)
	if out, err := in(t, "../../web", nil, "npm", "run", "--silent", "check"); err != nil {
		t.Errorf("npm run check: %v\n%s", err, out)
	}
}

// buildPage builds the page where that was not done since its last change, and
// with it what the tests are run by.
func buildPage(t *testing.T) {
	t.Helper()
	need.Command(t, "npm")
	if out, err := in(t, "../..", nil, "scripts/web.sh"); err != nil {
		t.Fatalf("build the page: %v\n%s", err, out)
	}
	if _, err := os.Stat("../../internal/dashboard/dist/page/index.html"); err != nil {
		need.Missing(t, "the page cannot be built here: it needs Node 20.19 or newer")
	}
}

// up starts Holdfast with the configuration, and what comes behind it.
func up(t *testing.T, more string) *holdfast.Process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	text := fmt.Appendf(nil, configuration, holdfast.Binary(t), receiver(t))
	if err := os.WriteFile(file, append(text, more...), 0o600); err != nil {
		t.Fatal(err)
	}
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, time.Minute)
	return p
}

// receiver takes notifications about alerts.
func receiver(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(s.Close)
	return s.URL
}

// settings are what web/e2e/browser.ts reads. Provider is where people sign in;
// empty: nowhere but here.
func settings(t *testing.T, p *holdfast.Process, provider string) string {
	t.Helper()
	tokens := map[string]string{}
	for _, role := range []string{"viewer", "operator", "admin"} {
		out, err := holdfast.Command(t.Context(), t, "token", "create", "e2e-"+role, "--role", role, "-o", "json", "--data-dir", p.Data).Output()
		var made struct {
			Secret string `json:"secret"`
		}
		if err != nil || json.Unmarshal(out, &made) != nil || made.Secret == "" {
			t.Fatalf("make a token: %v\n%s", err, out)
		}
		tokens[role] = made.Secret
	}
	text, err := json.Marshal(map[string]any{"admin": p.Admin, "gateway": p.Gateway, "provider": provider, "tokens": tokens})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// vitest runs tests of the page, each as a subtest, and returns how many.
func vitest(t *testing.T, env []string, args ...string) (tests int) {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.json")
	args = append([]string{"vitest", "run", "--reporter=json", "--outputFile=" + report}, args...)
	out, failed := in(t, "../../web", env, "npx", args...)
	var r struct {
		TestResults []struct {
			Name, Message    string
			AssertionResults []struct {
				FullName        string
				Status          string
				FailureMessages []string
			}
		}
	}
	text, err := os.ReadFile(report)
	if err != nil || json.Unmarshal(text, &r) != nil {
		t.Fatalf("vitest: %v, %v\n%s", failed, err, out)
	}
	for _, file := range r.TestResults {
		if len(file.AssertionResults) == 0 && file.Message != "" {
			t.Errorf("%s: %s", file.Name, file.Message)
		}
		for _, a := range file.AssertionResults {
			tests++
			t.Run(strings.TrimSuffix(filepath.Base(file.Name), ".test.ts")+"/"+a.FullName, func(t *testing.T) {
				if a.Status != "passed" {
					t.Errorf("%s: %s", a.Status, strings.Join(a.FailureMessages, "\n"))
				}
			})
		}
	}
	if failed != nil && !t.Failed() {
		t.Errorf("vitest: %v\n%s", failed, out)
	}
	return tests
}

// in runs a command of the page's tools and returns what it printed.
func in(t *testing.T, dir string, env []string, name string, args ...string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	return string(out), err
}
