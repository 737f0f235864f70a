// Package drill_test carries the drills that are built in out on the real
// binary: they pass on the demo, and fail where healing is configured away.
package drill_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
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
	return fmt.Sprintf("%-14s passed %-5t %3.0f points; %d of %d failed; %s", r.Experiment, r.Passed, r.Score.Total, r.Requests.Failed, r.Requests.Planned, strings.Join(names, ", "))
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
		"admin":    {"breaker", "balance", "hang"},
		"attempts": {"scale", "slow-instance", "flapping", "store-lost"},
		"public":   {"failover", "bad-deploy", "overload"},
	}
	told := 0
	for function, names := range parts {
		told += len(names)
		t.Run(function, func(t *testing.T) {
			t.Parallel()
			results, code := carryOut(t, p, append([]string{"--function", function, "--ledger", ledger}, names...)...)
			if len(results) != len(names) || code != 0 {
				t.Errorf("%d of %d drills were carried out, exit code %d", len(results), len(names), code)
			}
			for i := range results {
				check(t, &results[i])
			}
		})
	}
	if told != len(drill.Names()) {
		t.Errorf("%d drills are tested, there are %d", told, len(drill.Names()))
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
	const healthy = "health: {path: /api/public/health}\n    "
	for _, test := range []struct {
		name, without, drill, missed string
	}{
		{"no breaker", healthy + "circuit_breaker: {disabled: true}", "breaker", "open<2s"},
		{"POST is tried again", healthy + "retry: {non_idempotent: true}\n    timeouts: {attempt: 500ms}\n    load_balancing: {strategy: round-robin}", "hang", "duplicates<=0"},
		{"no health checks", "health: {path: /api/public/health, interval: 24h, suspect_interval: 24h}", "breaker", "close<12s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ledger := filepath.Join(t.TempDir(), "ledger")
			p := broken(t, ledger, test.without)
			results, code := carryOut(t, p, "--ledger", ledger, test.drill)
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
		Draining bool   `json:"draining"`
		Process  struct {
			PID int `json:"pid"`
		} `json:"process"`
	} `json:"instances"`
}

// stopped says whether a process is frozen.
func stopped(t *testing.T, pid int) bool {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
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
	text := "name: both\ninstances: 2\nbaseline: 1s\nfault: 30s\nrecovery: 1s\nload: {rate: 10}\ninject:\n" +
		"  - {do: freeze, whom: one}\n  - {do: drain, whom: another}\nexpect: [\"availability>=0%\"]\n"
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
	holdfast.Poll(t, 20*time.Second, "frozen and drained", func() bool {
		frozen, drained := look()
		return frozen && drained
	})
	killed := time.Now()
	if err := syscall.Kill(cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	holdfast.Poll(t, 2*time.Second, "thawed", func() bool {
		frozen, _ := look()
		return !frozen
	})
	t.Logf("thawed %v after kill -9", time.Since(killed).Round(time.Millisecond))
	holdfast.Poll(t, 5*time.Second, "in rotation again", func() bool {
		_, drained := look()
		return !drained
	})
	t.Logf("in rotation again %v after kill -9", time.Since(killed).Round(time.Millisecond))
}
