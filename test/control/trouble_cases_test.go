package control_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
	"holdfast/test/holdfast"
)

// eventually runs a command until it says all that is wanted, whatever its exit
// code.
func eventually(t *testing.T, p *holdfast.Process, args []string, wanted ...string) {
	t.Helper()
	out := ""
	for range 100 {
		cmd := holdfast.Command(t.Context(), t, append(args, "--data-dir", p.Data)...)
		cmd.Dir = t.TempDir()
		b, _ := cmd.CombinedOutput() // the exit code tells of other findings too
		out = string(b)
		missing := false
		for _, w := range wanted {
			missing = missing || !strings.Contains(out, w)
		}
		if !missing {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Errorf("%v does not say %q:\n%s", args, wanted, out)
}

func TestTroubleEachReasonOfAFailedCheckIsTold(t *testing.T) {
	t.Parallel()
	missing := instance(t, http.NotFound)
	slow := instance(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
	})
	named := instance(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "shop.example" {
			w.WriteHeader(http.StatusMisdirectedRequest)
		}
	})
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	text := "functions:\n  public:\n    routes: [{path: /}]\n    health: {path: /up, interval: 400ms, suspect_interval: 400ms, timeout: 300ms%s}\n    instances:\n"
	for id, url := range map[string]string{"missing": missing, "slow": slow, "named": named, "gone": gone.URL} {
		text += fmt.Sprintf("      - {id: %s, url: %q}\n", id, url)
	}
	conf := file(t, fmt.Sprintf(text, ""))
	p := holdfast.Up(t, "-c", conf)
	fails := func(id string) string { return "problem instance public/" + id + ": its health check fails: " }
	eventually(t, p, []string{"doctor"}, fails("missing"), fails("slow"), fails("named"), fails("gone"),
		"404", "421", "refused", "no answer within 300ms", "problem function public: none of its 4 instances takes traffic", "docs/troubleshooting.md#health-checks-fail")
	for id, why := range map[string]string{"missing": "404", "slow": "no answer within", "named": "421", "gone": "refused"} {
		eventually(t, p, []string{"explain", "instance", "public/" + id}, "checks: down", why, "<- keeps traffic away")
	}
	// What the page says helps: the name it wants.
	write(t, conf, fmt.Sprintf(text, ", host: shop.example"))
	eventually(t, p, []string{"explain", "instance", "public/named"}, "checks: up")
}

func TestTroubleAProcessThatCrashesAgainAndAgain(t *testing.T) {
	t.Parallel()
	conf := file(t, "functions:\n"+function(t, "public", 1, "")+
		"  loop:\n    routes: [{path: /loop/}]\n    platform: {process: {command: [sh, -c, 'echo no database; exit 3']}}\n")
	p := holdfast.Up(t, "-c", conf)
	eventually(t, p, []string{"doctor"}, "problem instance loop/loop-1: fails again and again: ", "no database", "docs/troubleshooting.md#health-checks-fail")
	eventually(t, p, []string{"explain", "instance", "loop/loop-1"}, "platform: crash_loop", "no database", "<- keeps traffic away")
}

func TestTroubleABreakerWhoseProbesKeepFailing(t *testing.T) {
	t.Parallel()
	conf := file(t, "functions:\n"+function(t, "public", 2, "    retry: {attempts: 0}\n    load_balancing: {ejection: {disabled: true}}\n    circuit_breaker: {failure_threshold: 2, recovery_timeout: 300ms, max_recovery_timeout: 10m, growth: 4}\n"))
	p := holdfast.Up(t, "-c", conf)
	p.Ready(t, ready)
	url := p.Gateway + "/api/public/hello?fail=500"
	holdfast.Poll(t, ready, "it opened three times", func() bool {
		who(t, url, 1)
		return strings.Contains(run(t, p, 0, "explain", "breaker", "public"), "openings since it was last closed: 3")
	})
	opened := time.Now() // the earlier openings ended before
	eventually(t, p, []string{"explain", "breaker", "public"}, "breaker of function public: open", "next attempt: ", "half_open -> open")
	eventually(t, p, []string{"doctor"}, "problem breaker of public: open: requests are refused until its next attempt at", "docs/troubleshooting.md#a-breaker-is-stuck-open")
	db, err := sqlite.Open(sqlite.Config{Path: filepath.Join(p.Data, "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	holdfast.Poll(t, ready, "stored that it opened for the third time", func() bool {
		list, err := db.Breakers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(list, func(b store.Breaker) bool { return b.State == "open" && b.NextAttempt.After(opened) })
	})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	p = restart(t, p, conf)
	eventually(t, p, []string{"explain", "breaker", "public"}, "breaker of function public: open since", "next attempt: ", "next: ")
	run(t, p, 0, "function", "reset-breaker", "public")
	if seen := who(t, p.Gateway+"/api/public/hello", 4); seen["503"] != 0 {
		t.Errorf("after the reset: %v", seen)
	}
}

func TestTroubleWhyOneInstanceGetsTheTraffic(t *testing.T) {
	t.Parallel()
	sick := instance(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/up" {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	slow := instance(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/up" {
			time.Sleep(300 * time.Millisecond)
		}
	})
	well := func() string { return instance(t, func(http.ResponseWriter, *http.Request) {}) }
	text := ""
	for name, other := range map[string]string{
		"out": fmt.Sprintf("{id: b, url: %q}", sick), "late": fmt.Sprintf("{id: b, url: %q}", slow),
		"spare": fmt.Sprintf("{id: b, url: %q, priority: 1}", well()), "far": fmt.Sprintf("{id: b, url: %q, zone: z2}", well()),
	} {
		more, here := "strategy: p2c", ""
		switch name {
		case "far":
			more, here = "strategy: p2c, zone: z1", ", zone: z1"
		case "out": // p2c leaves it alone after its first failure
			more = "strategy: round-robin"
		}
		text += fmt.Sprintf("  %s:\n    routes: [{path: /%s/}]\n    health: {path: /up}\n    circuit_breaker: {disabled: true}\n    load_balancing: {%s}\n    instances: [{id: a, url: %q%s}, %s]\n",
			name, name, more, well(), here, other)
	}
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+text))
	p.Ready(t, ready)
	for _, name := range []string{"out", "late", "spare", "far"} {
		for range 260 {
			res, err := http.Get(p.Gateway + "/" + name + "/x")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
		}
	}
	const page = "docs/troubleshooting.md#load-balancing-issues"
	eventually(t, p, []string{"doctor"}, "warning instance out/b: it is ejected by its own results until", "holdfast requests --failed out", page)
	eventually(t, p, []string{"doctor"}, "warning load of late: a gets", "the others are slower, fail more, or are farther away", page)
	// A spare one is meant to wait.
	if out := run(t, p, 0, "doctor"); strings.Contains(out, "load of spare") || !strings.Contains(out, "load of far: a gets") {
		t.Errorf("%s", out)
	}
	eventually(t, p, []string{"explain", "instance", "out/b"}, "results: ejected", "<- keeps traffic away")
	eventually(t, p, []string{"explain", "instance", "late/b"}, "estimate picks go by")
	eventually(t, p, []string{"explain", "instance", "spare/b"}, "results: fine", "priority 1")
	eventually(t, p, []string{"explain", "instance", "far/b"}, "results: fine", "in z2")
}

func TestTroubleScalingUpAndDownByTurns(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+function(t, "public", 1, "    scaling: {max_instances: 2}\n")))
	p.Ready(t, ready)
	a := login(t, p)
	for range 3 {
		a.act(`{"action":"scale","function_name":"public","scale_action":"up"}`)
		a.act(`{"action":"scale","function_name":"public","scale_action":"down"}`)
	}
	eventually(t, p, []string{"doctor"}, "problem scaling of public: up and down by turns 5 times", "cooldown_period", "docs/troubleshooting.md#thrashing")
}

func TestTroubleNothingHeals(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+function(t, "public", 2, "")))
	p.Ready(t, ready)
	if status, v := login(t, p).ask("DELETE", recovery+"?function=public", ""); status != 200 {
		t.Fatalf("%d %v", status, v)
	}
	eventually(t, p, []string{"doctor"}, "warning function public: it is disabled: recovery and scaling rest", "holdfast function init public", "docs/troubleshooting.md#nothing-heals")
	eventually(t, p, []string{"audit", "public", "-o", "json"}, `"action": "function.disable"`, `"name": "bootstrap"`)
	run(t, p, 0, "function", "init", "public")
	if out := run(t, p, 0, "doctor"); strings.Contains(out, "disabled") {
		t.Errorf("%s", out)
	}
}

func TestTroubleAStartWithoutTheStoreKnowsTheOrders(t *testing.T) {
	t.Parallel()
	conf := file(t, "functions:\n"+function(t, "public", 2, spread))
	p := holdfast.Up(t, "-c", conf)
	p.Ready(t, ready)
	serving(t, p.Gateway+"/api/public/hello", 2)
	login(t, p).act(`{"action":"failover","function_name":"public","instance_id":"public-1"}`)
	if err := p.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait(ready) // killed is what it says
	free := lock(t, filepath.Join(p.Data, "state.db"))
	defer free()
	p = p.Again(t, "-c", conf)
	p.Ready(t, ready)
	if seen := who(t, p.Gateway+"/api/public/hello", 20); seen["public-2"] != 20 {
		t.Errorf("the failover is forgotten: %v", seen)
	}
	eventually(t, p, []string{"doctor"}, "problem store: down since", "docs/troubleshooting.md#the-store-is-down")
	login(t, p).refused(503, "POST", recovery, `{"action":"failover","function_name":"public"}`, "")
}
