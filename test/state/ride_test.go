package state_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

// form is how long a ride is.
type form struct{ most, windows int }

// The long form has outages of more than 60 s. It goes on, up to most rounds,
// as long as the medians are too far apart to be sure.
func formOf() form {
	if need.Soak() {
		return form{most: 3, windows: 31}
	}
	return form{most: 1, windows: 2}
}

// running is a Holdfast whose store fails while requests come.
type running struct {
	*holdfast.Process

	fault    fault
	file     string
	book     book
	unfollow func()
	up, down []sample
}

// ride lets the store fail under load. In the first outage Holdfast is killed
// and started again. In the end it looks for what was promised:
// requests as quick as before, facts complete, orders refused and not carried
// out, an open breaker still open.
func ride(t *testing.T, f fault) {
	t.Helper()
	r := start(t, f)
	r.measure(t) // warm
	if f.diskFull {
		r.openBreaker(t)
		wantKept(t, r.Process)
	}
	form := formOf()
	for round := range form.most {
		r.measureTimes(t, form.windows, &r.up)
		before := r.book.size()
		r.fault.begin(r.Process)
		r.wantStore(t, "down")
		r.measureTimes(t, form.windows, &r.down)
		r.wantRefusals(t)
		crash(t, r.Process)
		if n := r.book.size() - before; n == 0 {
			t.Error("nothing happened during the outage: there was nothing to lose")
		}
		if round == 0 {
			r.killDuringOutage(t)
			r.measure(t) // warm
			r.measureTimes(t, form.windows, &r.down)
		}
		r.fault.end()
		r.wantStore(t, "up")
		if !moved(r.up, r.down, strict) {
			break
		}
	}
	r.unfollow()
	r.wantComplete(t)
	r.wantUntouched(t)
	judge(t, r.up, r.down)
}

// start starts three functions: a takes the load; b has an instance that comes
// and goes, so that something happens all the time; c has a breaker to open.
func start(t *testing.T, f fault) *running {
	t.Helper()
	restless := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if time.Now().UnixMilli()/200%2 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	well := serve(t, func(http.ResponseWriter, *http.Request) {})
	failing := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	r := &running{fault: f, file: filepath.Join(t.TempDir(), "holdfast.yaml")}
	text := fmt.Sprintf(`store: %q
log: {access: off}
functions:
  a:
    routes: [{path: /api/a/}]
    platform: {process: {instances: 3, command: [%q, demo-function, --name, a, --id, '{id}', --port, '{port}']}}
  b:
    routes: [{path: /api/b/}]
    health: {path: /, interval: 50ms, suspect_interval: 50ms, rise: 1, fall: 1}
    instances: [{id: restless, url: %q}, {id: well, url: %q}]
  c:
    routes: [{path: /api/c/}]
    health: {path: /health}
    retry: {attempts: 0}
    circuit_breaker: {failure_threshold: 3, recovery_timeout: 1h}
    fallback: {status: 418, body: rest}
    instances: [{id: x, url: %q}]
`, f.address, holdfast.Binary(t), restless, well, failing)
	must(t, os.WriteFile(r.file, []byte(text), 0o600))
	if f.data == "" {
		r.Process = holdfast.Up(t, "-c", r.file)
	} else {
		r.Process = holdfast.UpIn(t, f.data, "-c", r.file)
	}
	r.Ready(t, 20*time.Second)
	r.wantStore(t, "up")
	r.unfollow = r.book.follow(t, r.Process)
	return r
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// wantStore waits until Holdfast says how its store is; up means that nothing
// waits for it any more either.
func (r *running) wantStore(t *testing.T, state string) {
	t.Helper()
	holdfast.Poll(t, 40*time.Second, "said that the store is "+state, func() bool {
		h := r.storeHealth(t)
		return h.State == state && (state == "down" || h.Queued == 0 && h.Spooled < 10 && h.States < 10)
	})
}

type health struct {
	State        string            `json:"state"`
	Queued       int               `json:"queued"`
	Spooled      int               `json:"spooled"`
	States       int               `json:"states"`
	OnlyInMemory int               `json:"only_in_memory"`
	SpoolReason  string            `json:"spool_reason"`
	Dropped      map[string]uint64 `json:"dropped"`
	Rejected     uint64            `json:"rejected"`
}

func (r *running) storeHealth(t *testing.T) health {
	t.Helper()
	var v struct {
		Store health `json:"store"`
	}
	must(t, r.API("/api/v1/health", &v))
	return v.Store
}

// killDuringOutage kills Holdfast and starts it again while the store is away.
func (r *running) killDuringOutage(t *testing.T) {
	t.Helper()
	if !r.fault.diskFull {
		r.openBreaker(t)
		holdfast.Poll(t, 20*time.Second, "kept on the disk that the breaker is open", func() bool {
			files, err := filepath.Glob(filepath.Join(r.Data, "spool*", "states.json"))
			must(t, err)
			return slices.ContainsFunc(files, func(file string) bool {
				b, _ := os.ReadFile(file) // may be gone again
				return strings.Contains(string(b), `"state":"open"`)
			})
		})
	}
	r.unfollow()
	r.wantSpooled(t)
	h := r.storeHealth(t)
	if h.Spooled == 0 || h.OnlyInMemory > 0 || (h.SpoolReason != "") != r.fault.diskFull {
		t.Errorf("before the kill: %+v, want facts on the disk, none in memory only, and whether that is full", h)
	}
	for _, says := range r.fault.says {
		if !strings.Contains(r.Log(), says) {
			t.Errorf("the log does not say %q", says)
		}
	}
	r.wantDoctor(t)
	must(t, r.Cmd.Process.Kill())
	r.Process = r.Again(t, "-c", r.file)
	r.Ready(t, 20*time.Second)
	r.wantOpen(t, "after kill -9 and a restart without the store")
	r.unfollow = r.book.follow(t, r.Process)
	r.wantStore(t, "down")
}

// wantSpooled waits until the last event in the book is in the spool, which is
// that of the first process.
func (r *running) wantSpooled(t *testing.T) {
	t.Helper()
	last := fmt.Appendf(nil, `"seq":%d}`, r.book.last)
	holdfast.Poll(t, 30*time.Second, "in the spool: the last event", func() bool {
		files, err := filepath.Glob(filepath.Join(r.Data, "spool*", "event-*.seg"))
		must(t, err)
		return slices.ContainsFunc(files, func(file string) bool {
			b, _ := os.ReadFile(file) // may be gone again
			return bytes.Contains(b, last)
		})
	})
}

// wantDoctor wants doctor to find what is wrong: exit code 2, and says so.
func (r *running) wantDoctor(t *testing.T) {
	t.Helper()
	cmd := holdfast.Command(t.Context(), t, "doctor", "--data-dir", r.Data)
	cmd.Dir = t.TempDir()
	out, _ := cmd.CombinedOutput() // the exit code tells
	full := strings.Contains(string(out), "the disk takes no records")
	if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "down since") || full != r.fault.diskFull {
		t.Errorf("doctor says, with exit code %d:\n%s", cmd.ProcessState.ExitCode(), out)
	}
}

// openBreaker opens the breaker of c, for longer than this test takes.
func (r *running) openBreaker(t *testing.T) {
	t.Helper()
	for range 3 {
		status(t, r.Gateway+"/api/c/x")
	}
	r.wantOpen(t, "after three failures")
}

func (r *running) wantOpen(t *testing.T, when string) {
	t.Helper()
	if got := status(t, r.Gateway+"/api/c/x"); got != http.StatusTeapot {
		t.Errorf("%s: the breaker lets a request through: %d", when, got)
	}
}

// wantRefusals wants every order to be refused with a clear message and in
// time, while requests are served.
func (r *running) wantRefusals(t *testing.T) {
	t.Helper()
	orders := []struct{ method, path, body string }{
		{"PUT", recoveryPath, `{"function_name":"a","recovery_config":{"failure_threshold":9}}`},
		{"POST", recoveryPath, `{"action":"failover","function_name":"a"}`},
		{"POST", recoveryPath, `{"action":"scale","function_name":"a","scale_action":"down"}`},
		{"POST", recoveryPath, `{"action":"stop","function_name":"a"}`},
		{"POST", recoveryPath, `{"action":"clear-sessions","function_name":"a"}`},
		{"DELETE", recoveryPath + "?function=a", ""},
		{"PUT", "/api/v1/config/values", `{"path":"functions.a.timeouts.attempt","value":"7s"}`},
		{"POST", "/api/v1/tokens", `{"name":"t","role":"viewer"}`},
	}
	var wg sync.WaitGroup
	for _, o := range orders {
		wg.Go(func() { r.wantRefused(t, o.method, o.path, o.body) })
	}
	r.measure(t)
	wg.Wait()
}

const recoveryPath = "/api/admin/monitoring/auto-recovery"

func (r *running) wantRefused(t *testing.T, method, path, body string) {
	t.Helper()
	began := time.Now()
	code, retry, answer, err := r.order(method, path, body)
	took := time.Since(began)
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
		return
	}
	if code != http.StatusServiceUnavailable || !strings.Contains(answer, "store unavailable") || retry == "" {
		t.Errorf("%s %s %s: %d, Retry-After %q, %s; want 503 and that the store is unavailable", method, path, body, code, retry, answer)
	}
	if took > 8*time.Second {
		t.Errorf("%s %s was refused after %v", method, path, took)
	}
	if method == "PUT" && path == recoveryPath {
		t.Logf("refused after %v: %s", took.Round(time.Millisecond), strings.TrimSpace(answer))
	}
}

// wantUntouched wants nothing of what was refused to be in force.
func (r *running) wantUntouched(t *testing.T) {
	t.Helper()
	var v struct {
		Functions []struct {
			Name    string   `json:"name"`
			Enabled bool     `json:"enabled"`
			Orders  []string `json:"orders"`
		} `json:"functions"`
	}
	must(t, r.API("/api/v1/functions", &v))
	if len(v.Functions) != 3 {
		t.Errorf("functions %+v, want three", v.Functions)
	}
	for _, f := range v.Functions {
		if !f.Enabled || len(f.Orders) > 0 {
			t.Errorf("a refused order is in force: %+v", f)
		}
	}
}

// wantComplete wants the store to have what happened, each once.
func (r *running) wantComplete(t *testing.T) {
	t.Helper()
	s, err := r.fault.open(r.Process)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	var missing, twice []string
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		if missing, twice = r.book.missing(t, s); len(missing) == 0 || time.Now().After(end) {
			break
		}
	}
	if len(missing) > 0 {
		t.Errorf("of %d events the store misses %d: %q", r.book.size(), len(missing), missing[:min(len(missing), 20)])
	}
	if len(twice) > 0 {
		t.Errorf("stored more than once: %q", twice)
	}
	h := r.storeHealth(t)
	for kind, n := range h.Dropped {
		if n > 0 {
			t.Errorf("%d facts of kind %s are counted as lost", n, kind)
		}
	}
	if h.Rejected > 0 {
		t.Errorf("the store refused %d facts", h.Rejected)
	}
	t.Attr("events", fmt.Sprintf("%d, all stored once", r.book.size()))
}

// crash kills one instance and waits until it is back.
func crash(t *testing.T, p *holdfast.Process) {
	t.Helper()
	type instance struct {
		ID      string `json:"id"`
		Status  string `json:"status"`
		Process struct {
			PID int `json:"pid"`
		} `json:"process"`
	}
	list := func() []instance {
		var answer struct {
			Instances []instance `json:"instances"`
		}
		must(t, p.API("/api/v1/instances?function=a", &answer))
		return answer.Instances
	}
	victim := list()[0]
	must(t, syscall.Kill(victim.Process.PID, syscall.SIGKILL))
	holdfast.Poll(t, 30*time.Second, "back", func() bool {
		i := list()[0]
		return i.ID == victim.ID && i.Process.PID != victim.Process.PID && i.Status == "active"
	})
}
