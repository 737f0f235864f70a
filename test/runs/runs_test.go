// Package runs_test starts load tests and drills over the API of the real
// binary, follows them, and kills what carries them out.
package runs_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

// patience is for a machine with a load of 20.
const patience = 90 * time.Second

type moment struct {
	Seq    uint64    `json:"seq"`
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"`
	Text   string    `json:"text"`
	Second *struct {
		OK      float64 `json:"ok_rate"`
		P99     float64 `json:"p99_ms"`
		Gateway *struct {
			Exchanges float64 `json:"exchange_rate"`
		} `json:"gateway"`
	} `json:"figures"`
}

type run struct {
	ID       string          `json:"id"`
	State    string          `json:"state"`
	Reason   string          `json:"reason"`
	PID      int             `json:"pid"`
	Limits   string          `json:"limits"`
	By       string          `json:"by"`
	Faults   []string        `json:"faults"`
	Timeline []moment        `json:"timeline"`
	Result   json.RawMessage `json:"result"`
}

// caller asks the admin listener with a token.
type caller struct {
	t     *testing.T
	p     *holdfast.Process
	token string
}

func as(t *testing.T, p *holdfast.Process) *caller {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(p.Data, "admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	return &caller{t, p, strings.TrimSpace(string(b))}
}

// do asks and returns status and body.
func (c *caller) do(method, path, body string) (int, []byte) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.p.Admin+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res.StatusCode, b
}

// start starts a run that has to be taken.
func (c *caller) start(spec string) run {
	c.t.Helper()
	status, body := c.do(http.MethodPost, "/api/v1/runs", spec)
	var r run
	if err := json.Unmarshal(body, &r); err != nil || status != http.StatusOK || r.State != "queued" {
		c.t.Fatalf("start %s: %d %s", spec, status, body)
	}
	return r
}

func (c *caller) get(id string) run {
	c.t.Helper()
	status, body := c.do(http.MethodGet, "/api/v1/runs/"+id, "")
	var r run
	if err := json.Unmarshal(body, &r); err != nil || status != http.StatusOK {
		c.t.Fatalf("get %s: %d %s", id, status, body)
	}
	return r
}

// until waits until a run is as wanted.
func (c *caller) until(id, what string, ok func(run) bool) run {
	c.t.Helper()
	var r run
	defer func() {
		if c.t.Failed() {
			c.t.Logf("%+v", r)
		}
	}()
	holdfast.Poll(c.t, patience, what, func() bool {
		r = c.get(id)
		return ok(r)
	})
	return r
}

func over(r run) bool { return r.State != "queued" && r.State != "running" }

// event is one of a stream.
type event struct{ id, kind, data string }

// follow reads a stream from behind an event to its end.
func (c *caller) follow(id, last string) []event {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.p.Admin+"/api/v1/runs/"+id+"/events", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	if kind := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || kind != "text/event-stream" {
		c.t.Fatalf("follow %s: %d %s", id, res.StatusCode, kind)
	}
	var list []event
	var e event
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			e.data = value
		case "":
			if e.kind != "" {
				list = append(list, e)
			}
			e = event{}
		}
	}
	return list
}

func TestALoadIsStartedFollowedAndKept(t *testing.T) {
	need.Plain(t)
	t.Parallel()
	p := holdfast.Up(t, "--demo")
	p.Ready(t, patience)
	c := as(t, p)
	r := c.start(`{"kind":"load","function":"public","rate":40,"duration":"3s","objectives":["errors<50%"]}`)
	list := c.follow(r.ID, "")
	if n := len(list); n < 5 || list[n-1].kind != "end" {
		t.Fatalf("the stream: %+v", list)
	}
	figures, asked := 0, 0.0
	for i, e := range list[:len(list)-1] {
		var m moment
		if err := json.Unmarshal([]byte(e.data), &m); err != nil || e.id != strconv.Itoa(i+1) || m.Kind != e.kind || m.Seq != uint64(i+1) {
			t.Fatalf("event %d: %+v: %v", i, e, err)
		}
		if m.Second != nil {
			if m.Second.Gateway == nil {
				t.Fatalf("a second without the gateway's figures: %s", e.data)
			}
			figures++
			asked += m.Second.Gateway.Exchanges
		}
	}
	if figures < 2 || asked < 20 {
		t.Errorf("%d seconds, the gateway counted about %v exchanges", figures, asked)
	}
	done := c.get(r.ID)
	if done.State != "passed" || done.By != "bootstrap" || !strings.Contains(done.Limits, "512 MiB") || len(done.Timeline) != len(list)-1 {
		t.Errorf("the run: %+v", done)
	}
	var report struct {
		Total struct {
			Planned int `json:"planned"`
		} `json:"total"`
	}
	if err := json.Unmarshal(done.Result, &report); err != nil || report.Total.Planned != 120 {
		t.Errorf("the report: %d planned: %v", report.Total.Planned, err)
	}
	if rest := c.follow(r.ID, list[2].id); len(rest) != len(list)-3 || rest[0].id != list[3].id {
		t.Errorf("from behind the third event on there are %d of %d: %+v", len(rest), len(list), rest)
	}
	for format, want := range map[string]string{"html": "<!doctype html>", "csv": "at_seconds", "junit": "<?xml", "json": `"schema"`} {
		if status, body := c.do(http.MethodGet, "/api/v1/runs/"+r.ID+"/report?format="+format, ""); status != http.StatusOK || !bytes.Contains(bytes.ToLower(body[:min(len(body), 400)]), []byte(want)) {
			t.Errorf("the report as %s: %d %.100s", format, status, body)
		}
	}
	if _, body := c.do(http.MethodGet, "/metrics", ""); !bytes.Contains(body, []byte(`holdfast_runs_total{kind="load",outcome="passed"} 1`)) {
		t.Error("the run is not in the metrics")
	}
	c.restarted(r.ID, len(list)-1)
}

// restarted says that a run is there after a restart, with its moments.
func (c *caller) restarted(id string, moments int) {
	c.t.Helper()
	if err := c.p.Stop(patience); err != nil {
		c.t.Fatal(err)
	}
	c.p = c.p.Again(c.t, "--demo")
	c.p.Ready(c.t, patience)
	var list struct {
		Runs []run `json:"runs"`
	}
	holdfast.Poll(c.t, patience, "listed", func() bool { return c.p.API("/api/v1/runs", &list) == nil && len(list.Runs) == 1 })
	r := c.get(id)
	if r.State != "passed" || len(r.Timeline) != moments || len(r.Result) == 0 {
		c.t.Errorf("after a restart: %s, %d of %d moments, %d bytes of report", r.State, len(r.Timeline), moments, len(r.Result))
	}
	if list := c.follow(id, ""); len(list) != moments+1 {
		c.t.Errorf("after a restart the stream has %d events, want %d", len(list), moments+1)
	}
}

func TestOneRunAtATimeIsTakenAndStopped(t *testing.T) {
	need.Plain(t)
	t.Parallel()
	p := holdfast.Up(t, "--demo")
	p.Ready(t, patience)
	c := as(t, p)
	r := c.start(`{"kind":"load","function":"public","rate":10,"duration":"5m"}`)
	if status, body := c.do(http.MethodPost, "/api/v1/runs", `{"kind":"load","rate":10}`); status != http.StatusConflict || !bytes.Contains(body, []byte(r.ID)) {
		t.Errorf("a second run: %d %s", status, body)
	}
	c.until(r.ID, "running for a second", func(r run) bool {
		return slices.ContainsFunc(r.Timeline, func(m moment) bool { return m.Second != nil })
	})
	if status, body := c.do(http.MethodPost, "/api/v1/runs/"+r.ID+"/stop", ""); status != http.StatusOK {
		t.Errorf("stop: %d %s", status, body)
	}
	if r = c.until(r.ID, "over", over); r.State != "cancelled" || len(r.Result) == 0 {
		t.Errorf("stopped: %s (%s), %d bytes of report", r.State, r.Reason, len(r.Result))
	}
	if status, body := c.do(http.MethodPost, "/api/v1/runs/"+r.ID+"/stop", ""); status != http.StatusConflict {
		t.Errorf("stop again: %d %s", status, body)
	}
	var audit struct {
		Entries []struct {
			Action string `json:"action"`
		} `json:"entries"`
	}
	if err := p.API("/api/v1/audit", &audit); err != nil {
		t.Fatal(err)
	}
	for _, action := range []string{"run.start", "run.stop"} {
		if !slices.ContainsFunc(audit.Entries, func(e struct {
			Action string `json:"action"`
		},
		) bool {
			return e.Action == action
		}) {
			t.Errorf("%s is not in the audit log", action)
		}
	}
	refused(t, c)
}

// refused tries what may not be.
func refused(t *testing.T, c *caller) {
	t.Helper()
	for spec, want := range map[string]string{
		`{"kind":"soak"}`: "kind",
		`{"kind":"load","function":"nobody","rate":1}`:             "nobody",
		`{"kind":"load","rate":1,"objectives":["p99<soon"]}`:       "objectives[0]",
		`{"kind":"load","rate":1,"duration":"99h"}`:                "duration",
		`{"kind":"load","rate":1,"scenario":"rate: 5"}`:            "rate",
		`{"kind":"load","scenario":"rate: 5\nfeed: {file: x}"}`:    "scenario",
		`{"kind":"load","rate":1,"experiment":"hang"}`:             "experiment",
		`{"kind":"load","rate":1,"url":"http://169.254.169.254/"}`: "url",
		`{"kind":"drill"}`:                                  "experiment",
		`{"kind":"drill","experiment":"nothing"}`:           "experiment",
		`{"kind":"drill","experiment":"name: x\nfault: 1"}`: "experiment",
		`{"kind":"stress","suite":"spike"}`:                 "rate",
		`{"kind":"stress","step":"1ms"}`:                    "step",
		`{"kind":"load","rait":1}`:                          "rait",
	} {
		status, body := c.do(http.MethodPost, "/api/v1/runs", spec)
		if (status != http.StatusBadRequest && status != http.StatusNotFound) || !bytes.Contains(body, []byte(want)) {
			t.Errorf("%s: %d %s", spec, status, body)
		}
	}
	for _, path := range []string{"/api/v1/runs/nobody", "/api/v1/runs/../lock", "/api/v1/runs/nobody/events", "/api/v1/runs/nobody/report"} {
		if status, body := c.do(http.MethodGet, path, ""); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for _, role := range []string{"viewer", "operator"} {
		status, body := c.do(http.MethodPost, "/api/v1/tokens", fmt.Sprintf(`{"name":"a-%s","role":%q}`, role, role))
		var made struct {
			Secret string `json:"secret"`
		}
		if err := json.Unmarshal(body, &made); err != nil || status != http.StatusOK {
			t.Fatalf("make a token: %d %s", status, body)
		}
		other := &caller{t, c.p, made.Secret}
		if status, body := other.do(http.MethodGet, "/api/v1/runs", ""); status != http.StatusOK {
			t.Errorf("a %s reads: %d %s", role, status, body)
		}
		spec := `{"kind":"load","rate":1,"duration":"1s"}`
		if role == "operator" {
			spec = `{"kind":"drill","experiment":"hang"}`
		}
		if status, body := other.do(http.MethodPost, "/api/v1/runs", spec); status != http.StatusForbidden {
			t.Errorf("a %s starts %s: %d %s", role, spec, status, body)
		}
	}
}

// broken is a drill that freezes one instance and drains the other.
const broken = `{"kind":"drill","function":"public","experiment":"name: broken\ninstances: 2\nbaseline: 1s\nfault: 60s\nrecovery: 1s\nload: {rate: 10}\n` +
	`inject:\n  - {do: freeze, whom: one}\n  - {do: drain, whom: another}\nexpect: [\"availability>=0%\"]\n"}`

func needsFaults(t *testing.T) {
	t.Helper()
	need.Plain(t)
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("faults need root on Linux")
	}
	t.Parallel()
}

// begin starts the drill and waits until both faults are in force.
func begin(t *testing.T) (*caller, run) {
	t.Helper()
	p := holdfast.Up(t, "--demo")
	p.Ready(t, patience)
	c := as(t, p)
	r := c.start(broken)
	r = c.until(r.ID, "broken", func(r run) bool { return len(r.Faults) == 2 })
	if whole(t, p) {
		t.Fatal("nothing is broken")
	}
	return c, r
}

// whole says that no instance is frozen or drained.
func whole(t *testing.T, p *holdfast.Process) bool {
	t.Helper()
	var v struct {
		Instances []struct {
			Draining bool `json:"draining"`
			Process  struct {
				PID int `json:"pid"`
			} `json:"process"`
		} `json:"instances"`
	}
	if err := p.API("/api/v1/instances?function=public", &v); err != nil || len(v.Instances) != 2 {
		return false
	}
	for _, i := range v.Instances {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", i.Process.PID))
		_, state, _ := strings.Cut(string(b), ") ")
		if err != nil || i.Draining || strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}

func TestADrillWhoseProcessIsKilledIsTakenBack(t *testing.T) {
	needsFaults(t)
	c, r := begin(t)
	if err := syscall.Kill(r.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	holdfast.Poll(t, patience, "taken back", func() bool { return whole(t, c.p) })
	t.Logf("taken back %s after the kill", time.Since(killed).Round(time.Millisecond))
	r = c.until(r.ID, "over", over)
	if r.State != "crashed" || !strings.Contains(r.Reason, "SIGKILL") || len(r.Faults) != 0 {
		t.Errorf("it is %s (%s), with %v in force", r.State, r.Reason, r.Faults)
	}
	begun := slices.IndexFunc(r.Timeline, func(m moment) bool { return m.Kind == "fault" })
	ended := slices.IndexFunc(r.Timeline, func(m moment) bool { return m.Kind == "reverted" })
	if begun < 0 || ended < begun {
		t.Errorf("the timeline: %+v", r.Timeline)
	}
}

func TestADrillThatIsStoppedIsTakenBack(t *testing.T) {
	needsFaults(t)
	c, r := begin(t)
	if status, body := c.do(http.MethodPost, "/api/v1/runs/"+r.ID+"/stop", ""); status != http.StatusOK {
		t.Fatalf("stop: %d %s", status, body)
	}
	if r = c.until(r.ID, "over", over); r.State != "cancelled" || !whole(t, c.p) {
		t.Errorf("it is %s (%s); whole: %v", r.State, r.Reason, whole(t, c.p))
	}
}

func TestADrillOfAHoldfastThatIsKilledIsTakenBackAtItsNextStart(t *testing.T) {
	needsFaults(t)
	c, r := begin(t)
	if err := c.p.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.p.Wait(patience) // it was killed
	holdfast.Poll(t, patience, "without the drill's process", func() bool { return syscall.Kill(r.PID, 0) != nil })
	c.p = c.p.Again(t, "--demo")
	c.p.Ready(t, patience)
	r = c.until(r.ID, "over", over)
	if r.State != "crashed" || !strings.Contains(r.Reason, "Holdfast ended") {
		t.Errorf("it is %s (%s)", r.State, r.Reason)
	}
	holdfast.Poll(t, patience, "taken back", func() bool { return whole(t, c.p) })
}

func TestADrillOfAHoldfastThatIsReplacedIsTakenBack(t *testing.T) {
	needsFaults(t)
	c, r := begin(t)
	c.p = c.p.Replace(t, "--demo", "--replace-timeout", "8s") // half of it is waited for the drained instance
	c.p.Ready(t, patience)
	if r = c.until(r.ID, "over", over); r.State != "cancelled" {
		t.Errorf("it is %s (%s)", r.State, r.Reason)
	}
	holdfast.Poll(t, patience, "taken back", func() bool { return whole(t, c.p) })
}
