// Package replace_test replaces a running Holdfast by another one under load:
// nobody outside may notice.
package replace_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"holdfast/test/holdfast"
	"holdfast/test/need"
	"holdfast/test/traffic"
)

// Requests a second over the three functions. Those over TLS shake hands anew
// with each successor, which a busy machine must have time for.
const (
	rate       = 500
	secureRate = 50
)

var functions = []string{"admin", "public", "attempts"}

// writeConfig writes a configuration of demo functions; more are further lines.
func writeConfig(t *testing.T, ledger, more string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "log: {access: off}\nshutdown_timeout: 8s\n%sfunctions:\n", more)
	for _, name := range functions {
		fmt.Fprintf(&b, "  %s:\n    routes: [{path: /api/%s/}]\n    platform: {process: {instances: 2, command: [%q, demo-function, --name, %s, --id, '{id}', --port, '{port}', --ledger, %q]}}\n",
			name, name, holdfast.Binary(t), name, ledger)
	}
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// every fourth request is a POST.
func next(n int) traffic.Request {
	name := functions[n%len(functions)]
	if n%4 == 0 {
		return traffic.Request{Method: http.MethodPost, Path: "/api/" + name + "/ledger"}
	}
	return traffic.Request{Method: http.MethodGet, Path: "/api/" + name + "/hello"}
}

// pidOf asks who answers on the local socket.
func pidOf(p *holdfast.Process) int {
	var v struct {
		PID int `json:"pid"`
	}
	if p.API("/api/v1/status", &v) != nil {
		return 0
	}
	return v.PID
}

func TestThreeReplacementsUnderLoadLoseNothing(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"std", "http1"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			threeReplacements(t, rate, "engine: "+engine+"\n", nil)
		})
	}
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		cert, key, roots := holdfast.Certificate(t)
		threeReplacements(t, secureRate, fmt.Sprintf("tls: {cert: %q, key: %q}\n", cert, key), &tls.Config{RootCAs: roots, ServerName: "localhost"})
	})
}

func threeReplacements(t *testing.T, rate int, more string, secure *tls.Config) {
	ledger := filepath.Join(t.TempDir(), "ledger")
	file := writeConfig(t, ledger, more)
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, 20*time.Second)
	u, err := url.Parse(p.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	gateway, admin := p.Gateway, p.Admin
	stop := make(chan struct{})
	var results []traffic.Result
	var load sync.WaitGroup
	load.Go(func() {
		results = traffic.Load{Rate: rate, Next: next}.Run(&traffic.Client{Address: u.Host, Timeout: 15 * time.Second, TLS: secure}, stop)
	})
	for range 3 {
		<-time.After(time.Second) // of undisturbed load, for the connections to be many and old
		socket := dial(t, gateway+"/api/public/socket", secure)
		before := p
		p = p.Replace(t, "-c", file)
		holdfast.Poll(t, 30*time.Second, "taken over", func() bool { return pidOf(p) == p.PID() })
		if p.Gateway != gateway || p.Admin != admin {
			t.Errorf("the new one listens on %s and %s, the old one did on %s and %s", p.Gateway, p.Admin, gateway, admin)
		}
		echo(t, socket)
		socket.CloseNow()
		if err := before.Wait(15 * time.Second); err != nil {
			t.Fatalf("the old process: %v\n%s", err, before.Log())
		}
	}
	p.Ready(t, 10*time.Second)
	close(stop)
	load.Wait()
	judge(t, results, 3*rate, ledger)
	if err := p.Stop(15 * time.Second); err != nil {
		t.Fatal(err)
	}
	if code := p.Cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the last one ended with code %d", code)
	}
	if left := processesWith(t, ledger); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(p.Data, "*.sock")); len(left) > 0 {
		t.Errorf("sockets are left: %v", left)
	}
}

func dial(t *testing.T, url string, secure *tls.Config) *websocket.Conn {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: secure}}
	socket, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	return socket
}

func echo(t *testing.T, socket *websocket.Conn) {
	t.Helper()
	if err := socket.Write(t.Context(), websocket.MessageText, []byte("still there?")); err != nil {
		t.Fatalf("the WebSocket broke: %v", err)
	}
	if _, message, err := socket.Read(t.Context()); err != nil || string(message) != "still there?" {
		t.Errorf("the WebSocket answered %q, %v", message, err)
	}
}

func judge(t *testing.T, results []traffic.Result, least int, ledger string) {
	t.Helper()
	acknowledged := map[string]bool{}
	var took []time.Duration
	failed := 0
	for _, r := range results {
		took = append(took, r.Took)
		if r.Err != nil || r.Status != http.StatusOK {
			if failed++; failed <= 10 {
				t.Errorf("%s %s at %v failed after %v: %d %q %v", r.Method, r.ID, r.At, r.Took, r.Status, strings.TrimSpace(r.Body), r.Err)
			}
			continue
		}
		if r.Method == http.MethodPost {
			acknowledged[r.ID] = true
		}
	}
	if len(results) < least {
		t.Errorf("only %d requests were sent", len(results))
	}
	twice := traffic.CheckLedger(t, ledger, acknowledged)
	slices.Sort(took)
	t.Attr("requests_failed", fmt.Sprintf("%d_of_%d", failed, len(results)))
	t.Attr("post_processed_twice", strconv.Itoa(twice))
	t.Attr("p99", took[len(took)*99/100].Round(100*time.Microsecond).String())
	t.Logf("%d requests, %d failed, %d POST twice, p99 %v, max %v", len(results), failed, twice, took[len(took)*99/100], took[len(took)-1])
}

// processesWith lists the processes with text among their arguments.
func processesWith(t *testing.T, text string) (found []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && strings.Contains(string(b), text) {
			found = append(found, strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
	return found
}

func TestAReplacementThatFailsLeavesTheOldOneServing(t *testing.T) {
	t.Parallel()
	ledger := filepath.Join(t.TempDir(), "ledger")
	p := holdfast.Up(t, "-c", writeConfig(t, ledger, ""))
	p.Ready(t, 20*time.Second)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"broken configuration": {[]string{"-c", writeConfig(t, ledger, "lissten: x\n")}, "did you mean listen"},
		"command that ends at once": {
			[]string{"--replace-timeout", "2s", "--", "false"}, "no instance is available of default",
		},
		"admin address taken": {[]string{"--admin-listen", strings.TrimPrefix(p.Gateway, "http://"), "--to", ":1"}, "is taken by another program"},
	} {
		args := append([]string{"up", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data-dir", p.Data, "--replace"}, c.args...)
		out, err := holdfast.Command(t.Context(), t, args...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: it ended with %v and said\n%s\nwant %q", name, err, out, c.want)
		}
		p.Ready(t, time.Second)
		if got := pidOf(p); got != p.PID() {
			t.Errorf("%s: process %d answers on the local socket, not %d", name, got, p.PID())
		}
	}
	// And after all of it, the next one still can.
	q := p.Replace(t, "-c", writeConfig(t, ledger, ""))
	if err := p.Wait(30 * time.Second); err != nil {
		t.Fatalf("the old process: %v", err)
	}
	q.Ready(t, 5*time.Second)
}

func TestReplaceStartsWhereNobodyRuns(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "--replace", "-n", "1", "--", holdfast.Binary(t), "demo-function", "--name", "web", "--id", "{id}", "--port", "{port}")
	p.Ready(t, 20*time.Second)
}

func TestUpgradeStartsTheSuccessorItself(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-n", "1", "--", holdfast.Binary(t), "demo-function", "--name", "web", "--id", "{id}", "--port", "{port}")
	p.Ready(t, 20*time.Second)
	out, err := holdfast.Command(t.Context(), t, "upgrade", "--data-dir", p.Data).CombinedOutput()
	if err != nil {
		t.Fatalf("upgrade: %v\n%s", err, out)
	}
	var pid int
	if _, err := fmt.Sscanf(string(out), "process %d has taken over", &pid); err != nil || pid == p.PID() {
		t.Fatalf("it said %q", out)
	}
	next, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = next.Kill() })
	holdfast.Poll(t, 30*time.Second, "answering", func() bool { return pidOf(p) == pid })
	p.Ready(t, 5*time.Second)
	holdfast.Poll(t, 30*time.Second, "gone: the old one", func() bool { return exec.Command("kill", "-0", strconv.Itoa(p.PID())).Run() != nil || zombie(p.PID()) })
	out, err = holdfast.Command(t.Context(), t, "healthcheck", "--ready", "--data-dir", p.Data).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "ready" {
		t.Errorf("healthcheck: %v %q", err, out)
	}
	if err := next.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(20 * time.Second); err != nil {
		t.Errorf("the old process: %v", err)
	}
	out, err = holdfast.Command(t.Context(), t, "upgrade", "--data-dir", p.Data).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no Holdfast is running") {
		t.Errorf("upgrade of nobody: %v %q", err, out)
	}
}

func zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(b), ") Z ")
}

func TestTheLoadIsNotKindToFailures(t *testing.T) {
	t.Parallel()
	need.Plain(t)
	// The judge is only as good as its eyes: a plain restart must show.
	p := holdfast.Up(t, "-n", "1", "--", holdfast.Binary(t), "demo-function", "--name", "web", "--id", "{id}", "--port", "{port}")
	p.Ready(t, 20*time.Second)
	stop, done := make(chan struct{}), make(chan []traffic.Result, 1)
	u, err := url.Parse(p.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		l := traffic.Load{Rate: rate, Next: func(int) traffic.Request {
			return traffic.Request{Method: http.MethodGet, Path: "/api/web/hello"}
		}}
		done <- l.Run(&traffic.Client{Address: u.Host, Timeout: 5 * time.Second}, stop)
	}()
	if err := p.Stop(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	close(stop)
	bad := 0
	for _, r := range <-done {
		if r.Err != nil || r.Status != http.StatusOK {
			bad++
		}
	}
	if bad == 0 {
		t.Error("a stop under load failed no request that this load could see")
	}
}
