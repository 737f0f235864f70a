// Package drill_test carries the drills that are built in out on the real
// binary: they pass on the demo, and fail where healing is configured away.
package drill_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/drill"
	"holdfast/fault/sysfault"
	"holdfast/test/holdfast"
	"holdfast/test/need"
	"holdfast/test/postgres"
)

// Most of a drill is waiting, so more run side by side than there are
// processors.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// needs skips where drills cannot be done.
func needs(t *testing.T) {
	t.Helper()
	need.Plain(t)
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("faults need root on Linux")
	}
}

// carryOut runs the command and returns its results and its exit code.
func carryOut(t *testing.T, p *holdfast.Process, args ...string) ([]drill.Result, int) {
	t.Helper()
	all := append([]string{"drill", "--data-dir", p.Data, "--gateway", p.Gateway, "-o", "json"}, args...)
	cmd := holdfast.Command(t.Context(), t, all...)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	err := cmd.Run()
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Drills []drill.Result `json:"drills"`
	}
	if err := json.Unmarshal(out.Bytes(), &document); err != nil {
		t.Fatalf("read the report: %v\n%s\n%s", err, out.String(), log.String())
	}
	return document.Drills, code
}

// valid is carryOut, again where the generator of this machine could not keep up: such a drill shows nothing.
func valid(t *testing.T, p *holdfast.Process, args ...string) (results []drill.Result, code int) {
	t.Helper()
	for range 3 {
		if results, code = carryOut(t, p, args...); code != 4 {
			break
		}
		t.Logf("the load was not offered: %+v", results[0].Generator)
	}
	return results, code
}

// trusted is valid, again where something was missed under a load that is in doubt itself: that may be the machine's doing.
func trusted(t *testing.T, p *holdfast.Process, args ...string) (results []drill.Result, code int) {
	t.Helper()
	for range 3 {
		results, code = valid(t, p, args...)
		if code == 0 || len(results) != 1 || results[0].Generator.Verdict == "OK" {
			break
		}
		t.Logf("not passed, and the load is in doubt: %+v; %s", results[0].Generator, numbers(&results[0]))
	}
	return results, code
}

// numbers is a result in a line.
func numbers(r *drill.Result) string {
	if r.Skipped != "" {
		return r.Experiment + ": SKIPPED, " + r.Skipped
	}
	names := []string{}
	for name, v := range r.Figures {
		names = append(names, name+" "+drill.Format(name, v))
	}
	slices.Sort(names)
	points := "no"
	if r.Score != nil {
		points = fmt.Sprintf("%.0f", r.Score.Total)
	}
	return fmt.Sprintf("%-14s passed %-5t %3s points; load %s; %d of %d failed; %s",
		r.Experiment, r.Passed, points, r.Generator.Verdict, r.Requests.Failed, r.Requests.Planned, strings.Join(names, ", "))
}

// The experiments are spread over the demo's functions, so that they do not
// meet each other's faults.
func TestEveryDrillPassesOnTheDemo(t *testing.T) {
	needs(t)
	t.Parallel()
	ledger := filepath.Join(t.TempDir(), "ledger")
	p := holdfast.Up(t, "--demo", "--demo-ledger", ledger)
	p.Ready(t, 20*time.Second)
	parts := map[string][]string{
		"admin":    {"breaker", "balance", "hang", "bad-network"},
		"attempts": {"scale", "slow-instance", "flapping", "store-lost", "cut-answers"},
		"public":   {"failover", "bad-deploy", "overload", "bad-answers"},
	}
	told := 1 // database-lost has a test of its own
	for function, names := range parts {
		told += len(names)
		t.Run(function, func(t *testing.T) {
			t.Parallel()
			passes(t, p, function, ledger, names...)
			if orders := ordered(t, p, function); len(orders) != 0 {
				t.Errorf("these orders are left in force: %v", orders)
			}
		})
	}
	if told != len(drill.Names()) {
		t.Errorf("%d drills are tested, there are %d", told, len(drill.Names()))
	}
}

func passes(t *testing.T, p *holdfast.Process, function, ledger string, names ...string) {
	t.Helper()
	for _, name := range names {
		results, code := trusted(t, p, "--function", function, "--ledger", ledger, name)
		if len(results) != 1 || code != 0 {
			t.Errorf("%s: %d drills were carried out, exit code %d", name, len(results), code)
		}
		for i := range results {
			check(t, &results[i])
		}
	}
}

// ordered is what somebody ordered about a function and still holds.
func ordered(t *testing.T, p *holdfast.Process, function string) []string {
	t.Helper()
	var v struct {
		Orders []string `json:"orders"`
	}
	if err := p.API("/api/v1/functions/"+function, &v); err != nil {
		t.Fatal(err)
	}
	return v.Orders
}

// database is an empty one that is reached over TCP, as the demo needs it.
func database(t *testing.T) string {
	t.Helper()
	s := postgres.Start(t)
	for _, statement := range []string{"CREATE ROLE drill LOGIN PASSWORD 'drill'", "CREATE DATABASE drill OWNER drill"} {
		if err := s.Exec(t.Context(), "postgres", statement); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("postgres://drill:drill@127.0.0.1:%d/drill", s.Port)
}

func TestTheDemoOutlivesItsDatabase(t *testing.T) {
	needs(t)
	t.Parallel()
	url := database(t)
	p := holdfast.Up(t, "--demo", "--demo-ledger", url)
	p.Ready(t, 20*time.Second)
	results, code := trusted(t, p, "--function", "public", "--ledger", url, "database-lost")
	if len(results) != 1 || code != 0 {
		t.Fatalf("%d drills were carried out, exit code %d: %+v", len(results), code, results)
	}
	r := &results[0]
	check(t, r)
	if r.Skipped != "" {
		return
	}
	if r.Requests.Failed == 0 || r.Requests.Acknowledged == 0 {
		t.Errorf("%d requests failed and %d POSTs were acknowledged, so that nothing was shown", r.Requests.Failed, r.Requests.Acknowledged)
	}
	results, code = carryOut(t, p, "--function", "public", "--ledger", filepath.Join(t.TempDir(), "file"), "database-lost")
	if len(results) != 1 || code != 0 || !strings.Contains(results[0].Skipped, "--demo-ledger postgres://") {
		t.Errorf("without a database it gives %d, %+v", code, results)
	}
}

func check(t *testing.T, r *drill.Result) {
	t.Helper()
	t.Log(numbers(r))
	t.Attr("drill_"+r.Experiment, numbers(r))
	if r.Skipped != "" {
		if !strings.Contains(r.Skipped, sysfault.ErrUnsupported.Error()) {
			t.Errorf("%s: it was skipped, though only what the machine cannot do may be", r.Experiment)
		}
		return
	}
	for _, list := range [][]drill.Outcome{r.Steady, r.Expect} {
		for _, o := range list {
			if !o.Met && !o.Skipped {
				t.Errorf("%s: %s is missed", r.Experiment, o.Text)
			}
		}
	}
	if r.Requests.Planned == 0 || r.Score.Total <= 0 {
		t.Errorf("%s: %d requests, %v points", r.Experiment, r.Requests.Planned, r.Score.Total)
	}
	if x := r.Residue; x == nil || len(x.Left) != 0 {
		t.Errorf("%s: left behind is %+v", r.Experiment, x)
	}
	if r.Experiment == "failover" && r.Requests.Acknowledged == 0 {
		t.Error("failover: not one POST was acknowledged, so duplicates mean nothing")
	}
}

// broken is a function with a ledger and one thing that heals configured away.
func broken(t *testing.T, ledger, without string) *holdfast.Process {
	t.Helper()
	text := fmt.Sprintf(`log: {access: off}
functions:
  public:
    routes: [{path: /api/public/}]
    %s
    platform: {process: {instances: 2, command: [%q, demo-function, --name, public, --id, '{id}', --port, '{port}', --ledger, %q]}}
`, without, holdfast.Binary(t), ledger)
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, 20*time.Second)
	return p
}

func TestABrokenConfigurationFailsTheRightDrill(t *testing.T) {
	needs(t)
	t.Parallel()
	// Round robin sends the frozen instance its share, until it is ejected; p2c may happen to have sent it nothing.
	const (
		healthy = "health: {path: /api/public/health}\n    "
		evenly  = "\n    load_balancing: {strategy: round-robin}"
	)
	for _, test := range []struct {
		name, without, drill, missed string
	}{
		{"no retries", healthy + "retry: {attempts: 0}" + evenly, "bad-answers", "gets>=100%"},
		{"POST is tried again when its answer is lost", healthy + "retry: {non_idempotent: true}" + evenly, "bad-answers", "duplicates<=0"},
		{"one refusal opens the breaker", healthy + "circuit_breaker: {failure_threshold: 1}", "database-lost", "gets>=100%"},
		{"no breaker", healthy + "circuit_breaker: {disabled: true}", "breaker", "open<2s"},
		{"POST is tried again", healthy + "retry: {non_idempotent: true}\n    timeouts: {attempt: 500ms}" + evenly, "hang", "duplicates<=0"},
		{"no health checks", "health: {path: /api/public/health, interval: 24h, suspect_interval: 24h}", "breaker", "close<12s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ledger := filepath.Join(t.TempDir(), "ledger")
			if test.drill == "database-lost" {
				ledger = database(t)
			}
			p := broken(t, ledger, test.without)
			results, code := valid(t, p, "--ledger", ledger, test.drill)
			if code != 2 || len(results) != 1 {
				t.Fatalf("exit code %d, want 2; %d results", code, len(results))
			}
			r := &results[0]
			t.Log(numbers(r))
			i := slices.IndexFunc(r.Expect, func(o drill.Outcome) bool { return o.Text == test.missed })
			if i < 0 || r.Expect[i].Met || r.Expect[i].Skipped {
				t.Errorf("%s is not missed: %+v", test.missed, r.Expect)
			}
			if test.missed == "duplicates<=0" && (r.Score.Total != 0 || r.Score.Zero == "") {
				t.Errorf("it has %v points in spite of requests that were processed twice", r.Score.Total)
			}
		})
	}
}

type instances struct {
	Instances []struct {
		ID       string `json:"id"`
		Endpoint string `json:"endpoint"`
		Draining bool   `json:"draining"`
		Process  struct {
			PID int `json:"pid"`
		} `json:"process"`
	} `json:"instances"`
}

// status is how an instance itself answers, 0 when it does not.
func status(t *testing.T, url string) int {
	t.Helper()
	c := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(url)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// stopped says whether a process is frozen.
func stopped(t *testing.T, pid int) bool {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false // it has ended meanwhile
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(rest, "T")
}

// A drill that is killed takes nothing with it: the instance it froze goes on,
// and the order it gave is taken back.
func TestADrillThatIsKilledIsTakenBack(t *testing.T) {
	needs(t)
	t.Parallel()
	p := broken(t, filepath.Join(t.TempDir(), "ledger"), "health: {path: /api/public/health}")
	file := filepath.Join(t.TempDir(), "both.yaml")
	text := "name: all\ninstances: 2\nbaseline: 1s\nfault: 30s\nrecovery: 1s\nload: {rate: 10}\ninject:\n" +
		"  - {do: freeze, whom: one}\n  - {do: drain, whom: another}\n  - {do: scale, value: 1}\n" +
		"  - {do: http, whom: another, text: status=418}\nexpect: [\"availability>=0%\"]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := holdfast.Command(t.Context(), t, "drill", "--data-dir", p.Data, "--gateway", p.Gateway, file)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log.String())
		}
	})
	var list instances
	url := "" // of the instance that is drained and behind the proxy
	redirected := func() bool {
		for _, i := range list.Instances {
			if i.Draining {
				url = i.Endpoint + "/api/public/x"
			}
		}
		return status(t, url) == http.StatusTeapot
	}
	look := func() (frozen, drained bool) {
		if err := p.API("/api/v1/instances?function=public", &list); err != nil {
			t.Fatal(err)
		}
		for _, i := range list.Instances {
			frozen = frozen || i.Process.PID > 0 && stopped(t, i.Process.PID)
			drained = drained || i.Draining
		}
		return frozen, drained
	}
	holdfast.Poll(t, 30*time.Second, "frozen, drained, redirected and scaled", func() bool {
		frozen, drained := look()
		return frozen && drained && redirected() && len(list.Instances) == 3
	})
	second := holdfast.Command(t.Context(), t, "drill", "--data-dir", p.Data, "--gateway", p.Gateway, file)
	if out, err := second.CombinedOutput(); err == nil || !strings.Contains(string(out), "another driver holds it") {
		t.Errorf("a second drill beside it: %v: %s", err, out)
	}
	if frozen, drained := look(); !frozen || !drained {
		t.Error("the second drill took back what the first had done")
	}
	killed := time.Now()
	if err := syscall.Kill(cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	holdfast.Poll(t, 30*time.Second, "thawed", func() bool {
		frozen, _ := look()
		return !frozen
	})
	t.Logf("thawed %v after kill -9", time.Since(killed).Round(time.Millisecond))
	holdfast.Poll(t, 30*time.Second, "no longer redirected", func() bool { return status(t, url) == http.StatusOK })
	holdfast.Poll(t, 30*time.Second, "in rotation again", func() bool {
		_, drained := look()
		return !drained
	})
	t.Logf("in rotation again %v after kill -9", time.Since(killed).Round(time.Millisecond))
	holdfast.Poll(t, 40*time.Second, "two instances again", func() bool {
		look()
		return len(list.Instances) == 2 && len(ordered(t, p, "public")) == 0
	})
}
