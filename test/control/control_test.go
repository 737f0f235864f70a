// Package control_test gives orders to the real binary, over its admin listener
// and with a token, and looks for their effect in traffic.
package control_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // a second program that holds the store

	"holdfast/test/holdfast"
)

const ready = 30 * time.Second

// spread makes instances take turns, so that a few requests reach all of them.
const spread = "    load_balancing: {strategy: round-robin}\n"

// serving waits until n instances answer in turn.
func serving(t *testing.T, url string, n int) {
	t.Helper()
	holdfast.Poll(t, ready, fmt.Sprintf("served by %d instances", n), func() bool { return len(who(t, url, 4)) == n })
}

// function is the configuration of a function with demo instances.
func function(t *testing.T, name string, n int, more string) string {
	t.Helper()
	return fmt.Sprintf("  %s:\n    routes: [{path: /api/%s/}]\n    platform: {process: {instances: %d, command: [%q, demo-function, --name, %s, --id, '{id}', --port, '{port}']}}\n%s",
		name, name, n, holdfast.Binary(t), name, more)
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "holdfast.yaml")
	write(t, path, text)
	return path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// api asks the admin listener as a program would.
type api struct {
	t     *testing.T
	base  string
	token string
}

func login(t *testing.T, p *holdfast.Process) api {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(p.Data, "admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	return api{t, p.Admin, strings.TrimSpace(string(b))}
}

// ask sends a body as fetch would, and returns the status and the answer.
func (a api) ask(method, path, body string) (int, map[string]any) {
	a.t.Helper()
	req, err := http.NewRequest(method, a.base+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "text/plain;charset=UTF-8") // what fetch calls a string
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	v := map[string]any{}
	if err := json.Unmarshal(b, &v); err != nil {
		a.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, b)
	}
	if res.Header.Get("Access-Control-Allow-Origin") != "" {
		a.t.Errorf("%s %s: other sites may read the answer", method, path)
	}
	return res.StatusCode, v
}

const recovery = "/api/admin/monitoring/auto-recovery"

// act posts an action that must succeed.
func (a api) act(body string) map[string]any {
	a.t.Helper()
	status, v := a.ask("POST", recovery, body)
	if status != 200 || v["success"] != true {
		a.t.Fatalf("%s: %d %v", body, status, v)
	}
	return v
}

// refused wants an error with a status and a sentence.
func (a api) refused(want int, method, path, body, says string) map[string]any {
	a.t.Helper()
	status, v := a.ask(method, path, body)
	text, _ := v["error"].(string)
	if status != want || v["success"] != false || !strings.Contains(text, says) {
		a.t.Errorf("%s %s %s: %d %v, want %d with %q", method, path, body, status, v, want, says)
	}
	return v
}

// who asks a function n times and counts which instances answered.
func who(t *testing.T, url string, n int) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for range n {
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		var v struct {
			Instance string `json:"instance"`
			ID       string `json:"id"`
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusOK {
			seen[fmt.Sprint(res.StatusCode)]++
			continue
		}
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatalf("%v in %s", err, b)
		}
		seen[v.Instance+v.ID]++
	}
	return seen
}

func TestAFailoverMovesTrafficAndSurvivesReloadKillAndRestart(t *testing.T) {
	t.Parallel()
	conf := file(t, "functions:\n"+function(t, "admin", 2, spread))
	p := holdfast.Up(t, "-c", conf)
	p.Ready(t, ready)
	a, url := login(t, p), p.Gateway+"/api/admin/hello"
	serving(t, url, 2)
	a.act(`{"action":"initialize","function_name":"admin"}`)
	data := a.act(`{"action":"failover","function_name":"admin","instance_id":"admin-1"}`)["data"].(map[string]any)
	if data["instance"] != "admin-1" || data["instance_count_before"] != 2.0 || data["instance_count_after"] != 1.0 {
		t.Errorf("%v", data)
	}
	off := func(when string) {
		t.Helper()
		if seen := who(t, url, 20); len(seen) != 1 || seen["admin-2"] != 20 {
			t.Errorf("%s: %v", when, seen)
		}
	}
	off("after")
	a.refused(409, "POST", recovery, `{"action":"failover","function_name":"admin","instance_id":"admin-2"}`, "nobody else could take")
	write(t, conf, "functions:\n"+function(t, "admin", 2, spread+"    timeouts: {attempt: 9s}\n"))
	holdfast.Poll(t, ready, "reloaded", func() bool {
		_, v := a.ask("GET", "/api/v1/config/values?path=functions.admin.timeouts.attempt", "")
		return strings.Contains(fmt.Sprint(v), "9s")
	})
	off("after a reload")
	p = restart(t, p, conf)
	a, url = login(t, p), p.Gateway+"/api/admin/hello"
	off("after kill -9 and a restart")
	if status, v := a.ask("POST", "/api/v1/functions/admin/failback", ""); status != 200 {
		t.Fatalf("%d %v", status, v)
	}
	holdfast.Poll(t, ready, "both serve", func() bool { return len(who(t, url, 20)) == 2 })
	_, v := a.ask("GET", "/api/v1/actions?action=failover", "")
	if list := v["actions"].([]any); len(list) != 2 {
		t.Errorf("actions: %v", list)
	}
}

// restart kills Holdfast and starts another with the same data.
func restart(t *testing.T, p *holdfast.Process, conf string) *holdfast.Process {
	t.Helper()
	if err := p.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait(ready) // killed is what it says
	next := p.Again(t, "-c", conf)
	next.Ready(t, ready)
	return next
}

// run runs a command about a running Holdfast and returns what it printed.
func run(t *testing.T, p *holdfast.Process, want int, args ...string) string {
	t.Helper()
	cmd := exec.Command(holdfast.Binary(t), append(args, "--data-dir", p.Data)...)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != want {
		t.Errorf("%v: %v, want exit code %d\n%s", args, err, want, out)
	}
	return string(out)
}

func TestScalingStartsAndStopsProcessesWithinItsLimits(t *testing.T) {
	t.Parallel()
	conf := file(t, "functions:\n"+function(t, "public", 1, spread+"    scaling: {max_instances: 2}\n")+
		"  still:\n    routes: [{path: /api/still/}]\n    instances: [{url: 'http://127.0.0.1:1'}]\n")
	p := holdfast.Up(t, "-c", conf)
	p.Ready(t, ready)
	a, url := login(t, p), p.Gateway+"/api/public/hello"
	a.act(`{"action":"scale","function_name":"public","scale_action":"up"}`)
	if seen := who(t, url, 20); len(seen) != 2 {
		t.Errorf("scaled up: %v", seen)
	}
	a.refused(409, "POST", recovery, `{"action":"scale","function_name":"public","scale_action":"up"}`, "2 instances at most")
	a.refused(409, "POST", recovery, `{"action":"scale","function_name":"still","scale_action":"up"}`, "listed in the configuration")
	a.refused(400, "POST", recovery, `{"action":"scale","function_name":"public"}`, "scale_action")
	p = restart(t, p, conf)
	a, url = login(t, p), p.Gateway+"/api/public/hello"
	serving(t, url, 2) // after a restart
	a.act(`{"action":"scale","function_name":"public","scale_action":"down"}`)
	if seen := who(t, url, 20); len(seen) != 1 {
		t.Errorf("scaled down: %v", seen)
	}
	_, v := a.ask("GET", "/api/v1/actions?function=public", "")
	if text := fmt.Sprint(v); !strings.Contains(text, "scale_up") || !strings.Contains(text, "scale_down") {
		t.Errorf("%v", v)
	}
}

func TestAScaleOrderThatFailsIsLoggedWithItsReason(t *testing.T) {
	t.Parallel()
	// The second process finds the file of the first one and ends.
	flag := filepath.Join(t.TempDir(), "one")
	script := fmt.Sprintf("if mkdir %s 2>/dev/null; then exec %s demo-function --name a --id $1 --port $2; fi; echo no room; exit 3", flag, holdfast.Binary(t))
	conf := file(t, fmt.Sprintf("functions:\n  a:\n    routes: [{path: /api/a/}]\n    platform: {process: {command: [sh, -c, %q, sh, '{id}', '{port}'], ready_timeout: 2s}}\n", script))
	p := holdfast.Up(t, "-c", conf)
	p.Ready(t, ready)
	a := login(t, p)
	data := a.act(`{"action":"scale","function_name":"a","scale_action":"up"}`)["data"].(map[string]any)
	action, _ := data["action"].(map[string]any)
	if action["success"] != false || !strings.Contains(fmt.Sprint(action["error_message"]), "a-2") {
		t.Errorf("%v", data)
	}
	if seen := who(t, p.Gateway+"/api/a/hello", 5); seen["a-1"] != 5 {
		t.Errorf("traffic: %v", seen)
	}
	out := run(t, p, 2, "doctor", "-c", conf)
	if !strings.Contains(out, "scaling of a: the last order, 1 -> 2 instances, failed") || !strings.Contains(out, "troubleshooting.md#scaling-does-not-work") {
		t.Errorf("doctor: %s", out)
	}
}

func TestStopLetsTrafficFlowAndInitializeWatchesAgain(t *testing.T) {
	t.Parallel()
	conf := file(t, "functions:\n"+function(t, "public", 2, "    retry: {attempts: 0}\n    load_balancing: {ejection: {disabled: true}}\n    circuit_breaker: {failure_threshold: 3}\n"))
	p := holdfast.Up(t, "-c", conf)
	p.Ready(t, ready)
	a, url := login(t, p), p.Gateway+"/api/public/hello"
	a.act(`{"action":"stop","function_name":"public"}`)
	who(t, url+"?fail=500", 10)
	if seen := who(t, url, 4); seen["503"] != 0 {
		t.Errorf("the breaker opened although monitoring is stopped: %v", seen)
	}
	a.act(`{"action":"initialize","function_name":"public"}`)
	who(t, url+"?fail=500", 3)
	if seen := who(t, url, 4); seen["503"] != 4 {
		t.Errorf("the breaker did not open: %v", seen)
	}
	a.act(`{"action":"initialize","function_name":"public"}`)
	if seen := who(t, url, 4); seen["503"] != 0 {
		t.Errorf("the breaker is not fresh: %v", seen)
	}
	if status, v := a.ask("DELETE", recovery+"?function=public", ""); status != 200 || !strings.Contains(fmt.Sprint(v), "enabled:false") {
		t.Errorf("disable: %d %v", status, v)
	}
	who(t, url+"?fail=500", 10)
	if seen := who(t, url, 4); seen["503"] != 0 {
		t.Errorf("the breaker opened although the function is disabled: %v", seen)
	}
}

func TestPutIsInForceAtOnceAndSurvivesReloadAndKill(t *testing.T) {
	t.Parallel()
	body := "functions:\n" + function(t, "public", 2, "    retry: {attempts: 0}\n    load_balancing: {ejection: {disabled: true}}\n%s")
	conf := file(t, fmt.Sprintf(body, ""))
	p := holdfast.Up(t, "-c", conf)
	p.Ready(t, ready)
	a := login(t, p)
	put := `{"function_name":"public","recovery_config":{"failure_threshold":2,"recovery_timeout":3600000,"fallback":{"body":"rest"}},"scaling_config":{"max_instances":4}}`
	if status, v := a.ask("PUT", recovery, put); status != 200 || v["success"] != true {
		t.Fatalf("%d %v", status, v)
	}
	opens := func(when string) {
		t.Helper()
		url := p.Gateway + "/api/public/hello"
		who(t, url+"?fail=500", 2)
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if b, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusServiceUnavailable || string(b) != "rest" {
			t.Errorf("%s: two failures did not open the breaker: %d %s", when, res.StatusCode, b)
		}
		a.act(`{"action":"initialize","function_name":"public"}`)
	}
	opens("at once")
	write(t, conf, fmt.Sprintf(body, "    timeouts: {attempt: 8s}\n    circuit_breaker: {failure_threshold: 50}\n"))
	holdfast.Poll(t, ready, "reloaded", func() bool {
		_, v := a.ask("GET", "/api/v1/config/values?path=functions.public.timeouts.attempt", "")
		return strings.Contains(fmt.Sprint(v), "8s")
	})
	opens("after a reload")
	p = restart(t, p, conf)
	a = login(t, p)
	opens("after kill -9")
	v := a.refused(400, "PUT", recovery, `{"function_name":"public","recovery_config":{"failure_threshold":-1},"load_balancing_config":{"strategy":"best"}}`, "load_balancing_config.strategy")
	if v["field"] != "load_balancing_config.strategy" || len(v["problems"].([]any)) != 2 || !strings.Contains(fmt.Sprint(v), "recovery_config.failure_threshold") {
		t.Errorf("problems: %v", v)
	}
	a.refused(403, "PUT", recovery, `{"function_name":"public","recovery_config":{"health":{"command":["sh"]}}}`, "recovery_config.health.command")
	a.refused(400, "PUT", recovery, `{"function_name":"public","recovery_config":{"platform":{"process":{"command":["sh"]}}}}`, "is not a known key")
	a.refused(400, "PUT", recovery, `{"function_name":"public","recovery_config":{"operator":{"stopped":null}}}`, "is not a known key")
	opens("after refusals")
}

func TestInstancesSetThroughTheAPIPassTheGuard(t *testing.T) {
	t.Parallel()
	conf := file(t, "admin: {allow_instances: [127.0.0.0/8]}\nfunctions:\n"+function(t, "public", 1, "")+
		"  still:\n    routes: [{path: /api/still/}]\n    health: {path: /}\n    instances: [{id: x, url: 'http://127.0.0.1:1'}]\n")
	p := holdfast.Up(t, "-c", conf)
	a := login(t, p)
	set := func(url string) string {
		return fmt.Sprintf(`{"path":"functions.still.instances","value":[{"id":"x","url":%q}]}`, url)
	}
	for _, url := range []string{"http://169.254.169.254", "http://10.0.0.1", "http://0.0.0.0:80", "http://[fd00::1]"} {
		a.refused(403, "PUT", "/api/v1/config/values", set(url), "functions.still.instances[0].url")
	}
	if status, v := a.ask("PUT", "/api/v1/config/values", set(p.Gateway)); status != 200 {
		t.Fatalf("%d %v", status, v)
	}
	_, v := a.ask("GET", "/api/v1/instances?function=still", "")
	if text := fmt.Sprint(v); !strings.Contains(text, p.Gateway) {
		t.Errorf("%s", text)
	}
}

func TestRolesHold(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+function(t, "public", 2, spread)))
	p.Ready(t, ready)
	a := login(t, p)
	serving(t, p.Gateway+"/api/public/hello", 2)
	as := func(role string) api {
		status, v := a.ask("POST", "/api/v1/tokens", fmt.Sprintf(`{"name":"t","role":%q}`, role))
		if status != 200 {
			t.Fatalf("%d %v", status, v)
		}
		return api{t, a.base, v["secret"].(string)}
	}
	viewer, operator, nobody := as("viewer"), as("operator"), api{t, a.base, ""}
	const failover, put = `{"action":"failover","function_name":"public"}`, `{"function_name":"public","recovery_config":{"failure_threshold":2}}`
	viewer.refused(403, "POST", recovery, failover, "needs the role operator")
	nobody.refused(401, "POST", recovery, failover, "needs a token")
	nobody.refused(401, "GET", recovery, "", "needs a token")
	operator.refused(403, "PUT", recovery, put, "needs the role admin")
	operator.refused(403, "GET", "/api/v1/tokens", "", "needs the role admin")
	if seen := who(t, p.Gateway+"/api/public/hello", 20); len(seen) != 2 {
		t.Errorf("somebody was allowed: %v", seen)
	}
	if status, v := viewer.ask("GET", recovery+"?action=instances&function=public", ""); status != 200 || len(v["data"].([]any)) != 2 {
		t.Errorf("viewer reads: %d %v", status, v)
	}
	if status, _ := viewer.ask("GET", recovery+"?action=circuit-breakers", ""); status != 200 {
		t.Errorf("viewer reads breakers: %d", status)
	}
	operator.act(failover)
	for range 40 { // more than anybody types
		if status, _ := (api{t, a.base, "hf_000000000000_" + strings.Repeat("0", 64)}).ask("GET", recovery, ""); status == 429 {
			return
		}
	}
	t.Error("wrong tokens are not slowed down")
}

func TestWithoutTheStoreOrdersAreRefusedAndTrafficFlows(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+function(t, "public", 2, spread)))
	p.Ready(t, ready)
	a, url := login(t, p), p.Gateway+"/api/public/hello"
	serving(t, url, 2)
	free := lock(t, filepath.Join(p.Data, "state.db"))
	a.refused(503, "POST", recovery, `{"action":"failover","function_name":"public"}`, "")
	a.refused(503, "PUT", recovery, `{"function_name":"public","recovery_config":{"failure_threshold":2}}`, "")
	a.refused(503, "PUT", "/api/v1/config/values", `{"path":"log.level","value":"debug"}`, "")
	if seen := who(t, url, 20); len(seen) != 2 {
		t.Errorf("traffic: %v", seen)
	}
	_, v := a.ask("GET", "/api/v1/config/values?path=functions.public.circuit_breaker.failure_threshold", "")
	if !strings.Contains(fmt.Sprint(v), "value:5") {
		t.Errorf("changed all the same: %v", v)
	}
	holdfast.Poll(t, ready, "told", func() bool {
		_, v := a.ask("GET", "/api/v1/health", "")
		return strings.Contains(fmt.Sprint(v["store"]), "state:down")
	})
	if out := run(t, p, 2, "doctor"); !strings.Contains(out, "problem store: down since") || !strings.Contains(out, "troubleshooting.md#the-store-is-down") {
		t.Errorf("doctor: %s", out)
	}
	free()
	holdfast.Poll(t, ready, "orders are taken again", func() bool {
		status, _ := a.ask("POST", recovery, `{"action":"failover","function_name":"public"}`)
		return status == 200 || status == 409
	})
	if seen := who(t, url, 20); len(seen) != 1 {
		t.Errorf("after: %v", seen)
	}
}

// lock holds the write lock of the database as another program would.
func lock(t *testing.T, path string) (free func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=exclusive")
	if err != nil {
		t.Fatal(err)
	}
	var tx *sql.Tx
	holdfast.Poll(t, ready, "locked", func() bool { tx, err = db.Begin(); return err == nil })
	return func() {
		_ = tx.Rollback()
		_ = db.Close()
	}
}

func TestAStreamThatBreaksOffLosesNothing(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+function(t, "public", 2, "")))
	p.Ready(t, ready)
	a := login(t, p)
	seen, last := []int{}, ""
	orders := 0
	for len(seen) < 60 {
		for range 3 {
			orders++
			a.ask("POST", "/api/v1/functions/public/instances/public-1/drain", "")
			a.ask("PUT", "/api/v1/functions/public/instances/public-1/weight", fmt.Sprintf(`{"weight":%d}`, 1+orders%9))
		}
		n := a.follow(&last, &seen, 5)
		if n == 0 {
			t.Fatal("the stream says nothing")
		}
	}
	for i, seq := range seen {
		if seq != i+1 {
			t.Fatalf("event %d has number %d: %v", i, seq, seen)
		}
	}
}

// follow reads up to n events of the stream and breaks it off.
func (a api) follow(last *string, seen *[]int, n int) int {
	a.t.Helper()
	req, err := http.NewRequest(http.MethodGet, a.base+"/api/v1/events", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Accept", "text/event-stream")
	if *last != "" {
		req.Header.Set("Last-Event-ID", *last)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	got, buffer, chunk := 0, []byte{}, make([]byte, 512)
	for got < n {
		k, err := res.Body.Read(chunk)
		if err != nil {
			a.t.Fatal(err)
		}
		buffer = append(buffer, chunk[:k]...)
		for got < n {
			end := bytes.Index(buffer, []byte("\n\n"))
			if end < 0 {
				break
			}
			block := string(buffer[:end])
			buffer = buffer[end+2:]
			if strings.Contains(block, "event: gap") {
				a.t.Fatalf("a gap: %s", block)
			}
			if id, ok := strings.CutPrefix(block, "id: "); ok {
				*last, _, _ = strings.Cut(id, "\n")
				_, data, _ := strings.Cut(block, "data: ")
				var e struct{ Seq int }
				if err := json.Unmarshal([]byte(data), &e); err != nil {
					a.t.Fatal(err)
				}
				*seen = append(*seen, e.Seq)
				got++
			}
		}
	}
	return got
}

func TestAStreamGoesOnOverAKill(t *testing.T) {
	t.Parallel()
	conf := file(t, "functions:\n"+function(t, "public", 2, ""))
	p := holdfast.Up(t, "-c", conf)
	p.Ready(t, ready)
	a := login(t, p)
	var before, after []int
	last := ""
	a.follow(&last, &before, 3)
	weigh := func(w int) {
		t.Helper()
		if status, v := a.ask("PUT", "/api/v1/functions/public/instances/public-1/weight", fmt.Sprintf(`{"weight":%d}`, w)); status != 200 {
			t.Fatalf("%d %v", status, v)
		}
	}
	for w := range 5 { // happens while nobody listens
		weigh(w + 2)
	}
	_, v := a.ask("GET", "/api/v1/events", "")
	missed := int(v["last"].(float64)) - 3
	// What happened is on its way to the disk for a moment.
	holdfast.Poll(t, ready, "all events are kept", func() bool {
		_, v := a.ask("GET", "/api/v1/health", "")
		return v["store"].(map[string]any)["queued"] == 0.0
	})
	p = restart(t, p, conf)
	a = login(t, p)
	a.follow(&last, &after, missed+2)
	want := []int{}
	for n := range missed {
		want = append(want, n+4)
	}
	want = append(want, 1, 2) // the next process counts anew
	if fmt.Sprint(after) != fmt.Sprint(want) {
		t.Errorf("after the restart: %v, want %v", after, want)
	}
	// Within the new process, from a place it still knows.
	weigh(9)
	var more []int
	a.follow(&last, &more, 1)
	if more[0] != 3 {
		t.Errorf("then: %v", more)
	}
	if block := a.first("zzzz-4"); block != "event: gap\ndata: {}" {
		t.Errorf("after an event that nobody knows: %q", block)
	}
}

// first is the first event a stream begins with behind an id.
func (a api) first(last string) string {
	a.t.Helper()
	req, err := http.NewRequest(http.MethodGet, a.base+"/api/v1/events", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + a.token}, "Accept": {"text/event-stream"}, "Last-Event-Id": {last}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	for text, chunk := "", make([]byte, 512); ; {
		if parts := strings.Split(strings.TrimPrefix(text, "retry: 1000\n\n"), "\n\n"); len(parts) > 1 {
			return parts[0]
		}
		n, err := res.Body.Read(chunk)
		if err != nil {
			a.t.Fatal(err)
		}
		text += string(chunk[:n])
	}
}

func TestClearingSessionsSpreadsClientsAnew(t *testing.T) {
	t.Parallel()
	conf := file(t, "functions:\n"+function(t, "public", 2, "    load_balancing: {affinity: {cookie: hf_session}}\n"))
	p := holdfast.Up(t, "-c", conf)
	p.Ready(t, ready)
	a := login(t, p)
	res, err := http.Get(p.Gateway + "/api/public/hello")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	cookies := res.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("cookies: %v", cookies)
	}
	fresh := func() bool {
		req, _ := http.NewRequest(http.MethodGet, p.Gateway+"/api/public/hello", nil)
		req.AddCookie(cookies[0])
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return len(res.Cookies()) > 0
	}
	if fresh() {
		t.Fatal("a known client got another cookie")
	}
	if v := a.act(`{"action":"clear-sessions","function_name":"public"}`)["data"].(map[string]any); v["sessions_cleared"] != 1.0 {
		t.Errorf("%v", v)
	}
	if !fresh() {
		t.Error("the cookie still counts")
	}
	write(t, conf, "functions:\n"+function(t, "public", 2, "    load_balancing: {affinity: {cookie: hf_session}}\n    timeouts: {attempt: 7s}\n"))
	holdfast.Poll(t, ready, "reloaded", func() bool {
		_, v := a.ask("GET", "/api/v1/config/values?path=functions.public.timeouts.attempt", "")
		return strings.Contains(fmt.Sprint(v), "7s")
	})
	if !fresh() {
		t.Error("after a reload the cookie counts again")
	}
	p = restart(t, p, conf)
	if !fresh() {
		t.Error("after a restart the cookie counts again")
	}
	write(t, conf, "functions:\n"+function(t, "public", 2, "    load_balancing: {affinity: {cookie: hf_session}}\n"))
	a = login(t, p)
	holdfast.Poll(t, ready, "reloaded", func() bool {
		_, v := a.ask("GET", "/api/v1/config/values?path=functions.public.timeouts.attempt", "")
		return !strings.Contains(fmt.Sprint(v), "7s")
	})
	if !fresh() {
		t.Error("after a restart and a reload the cookie counts again")
	}
}

// The file is changed while Holdfast is down, so that one key set through the
// API contradicts it.
func TestAtStartOnlyTheOverrideThatNoLongerFitsIsLeftOut(t *testing.T) {
	t.Parallel()
	body := "functions:\n" + function(t, "public", 1, "    scaling: {max_instances: %d}\n") + function(t, "admin", 1, "")
	conf := file(t, fmt.Sprintf(body, 9))
	p := holdfast.Up(t, "-c", conf)
	p.Ready(t, ready)
	a := login(t, p)
	set := func(path, value string) {
		t.Helper()
		if status, v := a.ask("PUT", "/api/v1/config/values", fmt.Sprintf(`{"path":%q,"value":%s}`, path, value)); status != 200 {
			t.Fatalf("%s: %d %v", path, status, v)
		}
	}
	values := func(path string) string {
		_, v := a.ask("GET", "/api/v1/config/values?path="+path, "")
		return fmt.Sprint(v)
	}
	const unfit = "functions.public.scaling.min_instances"
	set(unfit, "7")
	set("functions.public.scaling.cooldown_period", `"77s"`)
	set("functions.public.retry.attempts", "4")
	set("functions.admin.retry.attempts", "1")
	set("log.level", `"debug"`)
	if err := p.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait(ready)
	write(t, conf, fmt.Sprintf(body, 3)) // min_instances 7 is too many now
	p = p.Again(t, "-c", conf)
	p.Ready(t, ready)
	a = login(t, p)
	for path, want := range map[string]string{
		unfit: "value:1", "functions.public.scaling.max_instances": "value:3", "functions.public.scaling.cooldown_period": "value:1m17s",
		"functions.public.retry.attempts": "value:4", "functions.admin.retry.attempts": "value:1", "log.level": "value:debug",
	} {
		if got := values(path); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if log := p.Log(); strings.Count(log, "an override does not fit") != 1 || !strings.Contains(log, "setting="+unfit) {
		t.Errorf("the log does not tell of it")
	}
	if _, v := a.ask("GET", "/api/v1/events?function=public", ""); !strings.Contains(fmt.Sprint(v), unfit+" is not in force") {
		t.Errorf("no event: %v", v)
	}
	if out := run(t, p, 2, "doctor", "-c", conf); !strings.Contains(out, unfit) || !strings.Contains(out, "holdfast config unset "+unfit) {
		t.Errorf("doctor: %s", out)
	}
	// Orders go on, and the key can be taken back or comes into force with the file.
	set("functions.public.retry.attempts", "3")
	write(t, conf, fmt.Sprintf(body, 8))
	holdfast.Poll(t, ready, "the override is back", func() bool { return strings.Contains(values(unfit), "value:7") })
	if _, v := a.ask("GET", "/api/v1/health", ""); v["unfit_overrides"] != nil {
		t.Errorf("%v", v)
	}
}

func TestMetricsCanAskForAToken(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "admin: {metrics_token: true}\nfunctions:\n"+function(t, "public", 1, "")))
	p.Ready(t, ready)
	for token, want := range map[string]int{"": 401, login(t, p).token: 200} {
		req, _ := http.NewRequest(http.MethodGet, p.Admin+"/metrics", nil)
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("with %.3q: %d, want %d", token, res.StatusCode, want)
		}
	}
}
