package scaling_test

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

// TestMain also plays the function whose health answer is the content of a file.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "health-of" {
		serveHealth(os.Args[2], os.Args[3])
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil { // most of these tests is waiting
		panic(err)
	}
	os.Exit(m.Run())
}

func serveHealth(file, port string) {
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		text, err := os.ReadFile(file)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(text) // the check sees when it is cut off
	})
	fmt.Fprintln(os.Stderr, http.ListenAndServe("127.0.0.1:"+port, nil))
	os.Exit(1)
}

// backlog is what a function says of itself.
type backlog struct {
	t    *testing.T
	file string
}

func (b *backlog) says(text string) {
	b.t.Helper()
	next := b.file + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Rename(next, b.file); err != nil {
		b.t.Fatal(err)
	}
}

const queueConfiguration = `
log: {access: off}
functions:
  work:
    routes: [{path: /}]
    health: {path: /health, interval: 200ms}
    scaling:
      enabled: true
      max_instances: 4
      signals: {queue: {health_json: jobs.waiting, combine: max}}
      targets: {queue: 10, in_flight: 100}
      down: {hold: 2s, rates: [{percent: 100, per: 1s}]}
    platform: {process: {command: [%q, health-of, %q, '{port}']}}
`

// view is what the API says of a function's scaling.
type view struct {
	Latest struct {
		At                     time.Time
		Current, Result, Ready int
		Proposals              []struct {
			Signal  string
			Missing bool
		}
		Constraints []struct{ Rule string }
	}
	Signals []struct {
		Name  string
		Value *float64
	}
}

// signal is the value of a signal of the configuration; -1 while it is unknown.
func (v *view) signal(name string) float64 {
	for _, s := range v.Signals {
		if s.Name == name && s.Value != nil {
			return *s.Value
		}
	}
	return -1
}

func (v *view) missing(signal string) bool {
	for _, p := range v.Latest.Proposals {
		if p.Signal == signal && p.Missing {
			return true
		}
	}
	return false
}

func (v *view) constrained(rule string) bool {
	for _, c := range v.Latest.Constraints {
		if c.Rule == rule {
			return true
		}
	}
	return false
}

func (v *view) of(p *holdfast.Process) bool {
	*v = view{}
	return p.API("/api/v1/functions/work/scaling", v) == nil
}

func TestInstancesFollowANumberOfTheHealthAnswer(t *testing.T) {
	need.Plain(t)
	t.Parallel()
	b := backlog{t, filepath.Join(t.TempDir(), "health.json")}
	b.says(`{"jobs": {"waiting": 35}}`)
	p := upWith(t, fmt.Sprintf(queueConfiguration, os.Args[0], b.file))
	awaitReady(t, p, 4, 60*time.Second)

	b.says(`{"jobs": {}}`) // nobody knows how many wait, and nothing is in flight
	var v view
	holdfast.Poll(t, 30*time.Second, "a decision without the signal", func() bool { return v.of(p) && v.missing("custom:queue") })
	since := v.Latest.At
	holdfast.Poll(t, 60*time.Second, "the hold to be over", func() bool { return v.of(p) && v.Latest.At.Sub(since) > 4*time.Second })
	if v.Latest.Current != 4 || v.Latest.Result != 4 || !v.constrained("missing") {
		t.Errorf("%+v: want 4 instances, because nobody knows", v.Latest)
	}

	b.says(`{"jobs": {"waiting": 2}}`)
	awaitReady(t, p, 1, 60*time.Second)
	out, err := holdfast.Command(t.Context(), t, "explain", "scaling", "work", "--data-dir", p.Data).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "custom:queue is 2 of 10") {
		t.Errorf("%v\n%s", err, out)
	}
}

// upWith starts Holdfast with a configuration.
func upWith(t *testing.T, text string) *holdfast.Process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, 20*time.Second)
	return p
}

const fetchedConfiguration = `
log: {access: off}
functions:
  work:
    routes: [{path: /}]
    health: {path: /health, interval: 1s}
    scaling:
      enabled: true
      max_instances: 5
      signals:
        depth: {http_json: {url: %[1]q, path: queues.0.length, interval: 200ms, headers: {Authorization: "Bearer hunter2hunter2"}}}
        lag: {prometheus: {url: %[2]q, query: "sum(lag)", interval: 200ms}}
        pressure: {formula: "max(depth, lag ?? 0) / 2 + in_flight"}
      targets: {pressure: 5}
      down: {hold: 0, rates: [{percent: 100, per: 1s}]}
      schedules: {always: {cron: "* * * * *", duration: 1h, min_instances: 2}}
      budget: {per_hour: 1000, price: 0.5}
    platform: {process: {command: [%[3]q, health-of, %[4]q, '{port}']}}
`

// TestFetchedSignalsAndFormulasScale: a queue in a JSON document and a lag in
// Prometheus's words make a pressure; instances follow it while it is known.
func TestFetchedSignalsAndFormulasScale(t *testing.T) {
	need.Plain(t)
	t.Parallel()
	b := backlog{t, filepath.Join(t.TempDir(), "health.json")}
	b.says("{}")
	var depth, lag atomic.Pointer[string]
	says := func(p *atomic.Pointer[string], text string) { p.Store(&text) }
	says(&depth, `{"queues": [{"length": 40}]}`)
	says(&lag, `[]`)
	mux := http.NewServeMux()
	mux.HandleFunc("/depth", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer hunter2hunter2" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, *depth.Load())
	})
	mux.HandleFunc("/prom/api/v1/query", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":%s}}`, *lag.Load())
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	p := upWith(t, fmt.Sprintf(fetchedConfiguration, s.URL+"/depth?key=hunter2hunter2", s.URL+"/prom", os.Args[0], b.file))

	awaitReady(t, p, 4, 60*time.Second) // 40 / 2 / 5
	says(&lag, `[{"metric":{},"value":[1,"50"]}]`)
	awaitReady(t, p, 5, 60*time.Second) // 50 / 2 / 5
	standing(t, p)

	says(&depth, `hunter2hunter2 is no JSON`)
	var v view
	holdfast.Poll(t, 60*time.Second, "a decision without the pressure", func() bool { return v.of(p) && v.missing("custom:pressure") })
	says(&lag, `[{"metric":{},"value":[1,"0"]}]`)
	holdfast.Poll(t, 60*time.Second, "a decision that knows the lag", func() bool { return v.of(p) && v.signal("lag") == 0 })
	if v.Latest.Result != 5 || !v.missing("custom:pressure") {
		t.Errorf("%+v: an instance goes although nobody knows", v.Latest)
	}
	says(&depth, `{"queues": [{"length": 0}]}`)
	awaitReady(t, p, 2, 60*time.Second) // the schedule's minimum
	if strings.Contains(p.Log(), "hunter2") || !strings.Contains(p.Log(), "signal cannot be fetched") {
		t.Errorf("the log shows a secret, or not that a signal is missing:\n%s", p.Log())
	}
}

// standing: API, explain and metrics show mode, schedules, budget and signals.
func standing(t *testing.T, p *holdfast.Process) {
	t.Helper()
	var v struct {
		Mode      struct{ Kind string }
		Schedules []string
		Budget    struct {
			PerHour float64 `json:"per_hour"`
			Used    float64 `json:"used_this_hour"`
		}
		Signals []struct {
			Name, Source string
			Value        *float64
			AgeMS        *int64 `json:"age_ms"`
		}
	}
	if err := p.API("/api/v1/functions/work/scaling", &v); err != nil {
		t.Fatal(err)
	}
	if v.Mode.Kind != "on" || len(v.Schedules) != 1 || v.Schedules[0] != "always" || v.Budget.PerHour != 1000 || v.Budget.Used <= 0 || len(v.Signals) != 3 {
		t.Errorf("%+v", v)
	}
	for i, want := range []struct {
		name, source string
		value        float64
	}{{"depth", "http_json", 40}, {"lag", "prometheus", 50}, {"pressure", "formula", 25}} {
		if s := v.Signals[i]; s.Name != want.name || s.Source != want.source || s.Value == nil || *s.Value != want.value || s.AgeMS == nil {
			t.Errorf("%+v, want %+v", s, want)
		}
	}
	out, err := holdfast.Command(t.Context(), t, "explain", "scaling", "work", "--data-dir", p.Data).CombinedOutput()
	for _, want := range []string{"schedules in force: always", "used this hour", "signal depth is 40, from http_json, ", "signal lag is 50, from prometheus, ", "signal pressure is 25, from formula"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %q is missing in\n%s", err, want, out)
		}
	}
	res, err := http.Get(p.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	for _, want := range []string{
		`holdfast_scaling_mode{function="work",mode="on"} 1`, `holdfast_scaling_budget_left{function="work",period="hour"} 9`,
		`holdfast_scaling_signal{function="work",signal="lag"} 50`, `holdfast_scaling_signal_age_seconds{function="work",signal="depth"}`,
	} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%v: no %s in the metrics", err, want)
		}
	}
}

// TestKeysOfScalingAreSetThroughTheAPIButNotWhereNumbersAreFetched.
func TestKeysOfScalingAreSetThroughTheAPIButNotWhereNumbersAreFetched(t *testing.T) {
	need.Plain(t)
	t.Parallel()
	p, _ := up(t)
	set := func(key, value string) (string, error) {
		out, err := holdfast.Command(t.Context(), t, "config", "set", "functions.work.scaling."+key, value, "--data-dir", p.Data).CombinedOutput()
		return string(out), err
	}
	for key, value := range map[string]string{
		"targets.in_flight": "8", "targets.cpu_percent": `{"value": 70, "kind": "mean"}`, "mode": "advisory", "budget.per_hour": "50",
		"signals.queue.health_json": "jobs.waiting", "schedules.night.duration": "", // a schedule is not complete by one key
	} {
		out, err := set(key, value)
		if (err == nil) != (value != "") {
			t.Errorf("%s: %v\n%s", key, err, out)
		}
	}
	var v struct{ Mode struct{ Kind string } }
	holdfast.Poll(t, 30*time.Second, "the mode that was set", func() bool {
		return p.API("/api/v1/functions/work/scaling", &v) == nil && v.Mode.Kind == "advisory"
	})
	for key, value := range map[string]string{
		"signals.lag.prometheus.url": "http://169.254.169.254", "signals.lag.http_json.headers.a": "b",
		"signals.lag": `{"http_json": {"url": "http://127.0.0.1:1"}}`, "signals": `{"lag": {"http_json": {"url": "http://127.0.0.1:1"}}}`,
	} {
		if out, err := set(key, value); err == nil {
			t.Errorf("%s was set to %s:\n%s", key, value, out)
		}
	}
}
