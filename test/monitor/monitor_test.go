// Package monitor_test looks at the performance monitor of the real binary.
package monitor_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

// TestMain is, when it is started as an instance, a server that computes all
// the time.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "busy" {
		go compute()
		fmt.Println(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.NotFoundHandler()))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func compute() {
	for n := 0; ; n++ {
		runtime.KeepAlive(n)
	}
}

type performance struct {
	Own struct {
		RSS  uint64   `json:"rss_bytes"`
		Lag  *float64 `json:"scheduler_lag_ms"`
		CPU  *float64 `json:"cpu_percent"`
		Open int      `json:"open_files"`
	} `json:"holdfast"`
	Functions []struct {
		Name      string     `json:"function_name"`
		Errors    *float64   `json:"error_percent"`
		Instances []instance `json:"instances"`
	} `json:"functions"`
	Anomalies []anomaly `json:"anomalies"`
}

type instance struct {
	RSS    uint64   `json:"rss_bytes"`
	CPU    *float64 `json:"cpu_percent"`
	Memory *float64 `json:"memory_percent"`
	Lag    *float64 `json:"event_loop_lag_ms"`
}

type anomaly struct {
	Rule     string             `json:"rule"`
	Function string             `json:"function_name"`
	Instance string             `json:"instance_id"`
	Value    float64            `json:"value"`
	Window   float64            `json:"window_seconds"`
	Numbers  map[string]float64 `json:"numbers"`
	Text     string             `json:"text"`
}

func (p *performance) find(rule, function string) *anomaly {
	for i := range p.Anomalies {
		if p.Anomalies[i].Rule == rule && p.Anomalies[i].Function == function {
			return &p.Anomalies[i]
		}
	}
	return nil
}

// measured says whether the processor time of a function's instances is known.
func (p *performance) measured(function string) bool {
	for _, f := range p.Functions {
		if f.Name == function {
			return !slices.ContainsFunc(f.Instances, func(i instance) bool { return i.CPU == nil })
		}
	}
	return false
}

// app answers every second request with 500, and says of itself that its event
// loop lags.
func app(t *testing.T) (endpoint string) {
	t.Helper()
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/health"):
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]any{"status": "ok", "event_loop_lag_ms": 250}) // the checker may leave
		case n.Add(1)%2 == 0:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func configuration(t *testing.T, endpoint string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "holdfast.yaml")
	text := fmt.Sprintf(`
log: {access: "off"}
functions:
  ill:
    routes: [{path: /ill/}]
    instances: [{id: one, url: %q}]
    health: {path: /ill/health, interval: 1s}
    circuit_breaker: {disabled: true}
    retry: {attempts: 0}
  busy:
    routes: [{path: /busy/}]
    platform: {process: {command: [%q, busy], instances: 1}}
    health: {type: tcp}
`, endpoint, os.Args[0])
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestWhatIsOutOfTheOrdinaryIsSeenAndTold(t *testing.T) {
	t.Parallel()
	need.Plain(t)
	hf := holdfast.Up(t, "-c", configuration(t, app(t)))
	hf.Ready(t, 20*time.Second)
	stop := make(chan struct{})
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				if res, err := http.Get(hf.Gateway + "/ill/x"); err == nil {
					_, _ = io.Copy(io.Discard, res.Body) // only its status would matter
					_ = res.Body.Close()
				}
			}
		}
	}()
	defer func() { close(stop); <-asked }()

	var p performance
	holdfast.Poll(t, time.Minute, "errors and lag are found", func() bool {
		p = performance{}
		return hf.API("/api/v1/performance", &p) == nil && p.find("errors", "ill") != nil && p.find("loop_lag", "ill") != nil && p.measured("busy")
	})
	if a := p.find("errors", "ill"); a.Value < 30 || a.Value > 70 || a.Numbers["requests"] < 20 || a.Numbers["failed"] == 0 || a.Window < 5 {
		t.Errorf("errors: %+v", a)
	}
	if a := p.find("loop_lag", "ill"); a.Instance != "one" || a.Value != 250 || a.Numbers["event_loop_lag_ms"] != 250 {
		t.Errorf("lag: %+v", a)
	}
	if p.Own.RSS < 10<<20 || p.Own.Lag == nil || p.Own.CPU == nil || p.Own.Open < 5 {
		t.Errorf("Holdfast itself: %+v", p.Own)
	}
	busyProcessIsMeasured(t, &p)
	everywhereToBeSeen(t, hf)
}

// The process that computes all the time uses a good part of a core, whoever
// else is on the machine.
func busyProcessIsMeasured(t *testing.T, p *performance) {
	t.Helper()
	for _, f := range p.Functions {
		if f.Name != "busy" {
			continue
		}
		if len(f.Instances) != 1 || f.Instances[0].RSS == 0 || f.Instances[0].CPU == nil || *f.Instances[0].CPU < 2 || f.Instances[0].Memory == nil {
			t.Errorf("the busy process: %+v", f)
		}
		return
	}
	t.Error("the busy function is missing")
}

// everywhereToBeSeen looks for the anomaly where people look.
func everywhereToBeSeen(t *testing.T, hf *holdfast.Process) {
	t.Helper()
	var events struct {
		Events []struct {
			Kind, Function, To, Reason string
			Numbers                    map[string]float64
		}
	}
	// The event comes after the finding it tells of.
	holdfast.Poll(t, 30*time.Second, "an event that tells of the errors", func() bool {
		if err := hf.API("/api/v1/events", &events); err != nil {
			t.Fatal(err)
		}
		for _, e := range events.Events {
			if e.Kind == "anomaly" && e.Function == "ill" && e.To == "errors" &&
				e.Numbers["window_s"] >= 5 && e.Numbers["requests"] >= 20 && strings.Contains(e.Reason, "% of the requests failed") {
				return true
			}
		}
		return false
	})
	out, err := exec.CommandContext(t.Context(), holdfast.Binary(t), "status", "--data-dir", hf.Data).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "of the requests failed") || !strings.Contains(string(out), "its event loop lags 250 ms") {
		t.Errorf("status: %v\n%s", err, out)
	}
	res, err := http.Get(hf.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	for _, want := range []string{
		`holdfast_anomalies{function="ill",rule="errors"} 1`, `holdfast_anomalies{function="busy",rule="errors"} 0`,
		`holdfast_instance_event_loop_lag_seconds{function="ill",instance="one"} 0.25`, "holdfast_scheduler_lag_seconds ",
	} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("metrics lack %s (%v)", want, err)
		}
	}
}
