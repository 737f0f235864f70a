package telemetry_test

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/internal/event"
	"holdfast/internal/telemetry"
)

func TestThePageIsUpToDate(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != telemetry.Page() {
		t.Error("docs/metrics.md is out of date: go generate ./internal/telemetry")
	}
}

// everything is a source of all metrics there are.
func everything(t *testing.T) telemetry.MetricsConfig {
	t.Helper()
	fn, err := exchange.NewFunction(exchange.FunctionConfig{Name: "public", Breaker: &breaker.Config{}, Policy: exchange.Policy{ColdStart: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	fn.SetInstances([]*balancer.Instance{balancer.NewInstance(balancer.Spec{ID: "a", Endpoint: "http://127.0.0.1:1"})}, time.Now())
	fn.Balancer().SetHealth(fn.Instance("a"), balancer.HealthUp, "fine", time.Now())
	happened, one := &telemetry.Happened{}, 1.0
	happened.Event(event.Event{Kind: event.Breaker, Function: "public", To: "open"})
	happened.Event(event.Event{Kind: event.InstanceEjected, Function: "public"})
	happened.Event(event.Event{Kind: event.Config, To: "refused", At: time.Unix(1_800_000_000, 500_000_000)})
	happened.Decided("public", 1, 3)
	happened.Decided("public", 3, 3)
	return telemetry.MetricsConfig{
		Source: functions{fn}, Version: "v1", DroppedLogs: func() uint64 { return 1 }, Happened: happened,
		Performance: func() telemetry.Performance {
			return telemetry.Performance{
				SchedulerLag: 0.001, Anomalies: map[telemetry.Anomalous]int{{Function: "public", Rule: "memory"}: 1},
				Instances: []telemetry.InstanceUse{{Function: "public", Instance: "a", CPU: 0.5, Memory: 0.5, RSS: 1, LoopLag: 0.1}},
			}
		},
		Scaling: func() []telemetry.Scaling {
			return []telemetry.Scaling{{
				Function: "public", Mode: "on", Left: map[string]float64{"hour": 1}, Signals: map[string]telemetry.ScalingSignal{"queue": {Value: &one, Age: &one}},
			}}
		},
		Runs: func() telemetry.Runs {
			return telemetry.Runs{Ended: map[telemetry.RunEnd]int{{Kind: "drill", Outcome: "passed"}: 1}, Under: map[string]int{"load": 1}}
		},
		Alerts: func() telemetry.Alerts {
			return telemetry.Alerts{Firing: map[string]int{"critical": 2}, Channels: []telemetry.AlertChannel{{Name: "ops", Sent: 9, Waiting: 1, OldestAge: 30}}}
		},
		Store:        func() telemetry.Store { return telemetry.Store{Up: true, Queued: 2, Dropped: 3} },
		Traces:       func() telemetry.TraceCounts { return telemetry.TraceCounts{Sent: 4, Dropped: 5, Failed: 6, Refused: 7} },
		Checks:       func(string, string) (made, failed uint64, known bool) { return 7, 2, true },
		Restarts:     func(string, string) (n uint64, known bool) { return 8, true },
		Ready:        func() bool { return true },
		Certificates: func() map[string]time.Time { return map[string]time.Time{"gateway": time.Unix(1_900_000_000, 0)} },
		Exemplars: func(_ string, now time.Time) []telemetry.Exemplar {
			return []telemetry.Exemplar{{Trace: [16]byte{1, 2}, Latency: 3 * time.Millisecond, At: now}, {Trace: [16]byte{3}, Latency: 2 * time.Minute, At: now}}
		},
	}
}

func TestWhatIsServedIsDescribedAndTheOtherWayRound(t *testing.T) {
	t.Parallel()
	_, served := scrape(t, telemetry.NewMetrics(everything(t)).Handler())
	described := map[string]bool{}
	for _, g := range telemetry.Catalog() {
		for _, m := range g.Metrics {
			described[m.Name] = true
			family := served[m.Name]
			if family == nil {
				t.Errorf("%s is described and not served", m.Name)
				continue
			}
			var labels []string
			for _, l := range family.GetMetric()[0].GetLabel() {
				labels = append(labels, l.GetName())
			}
			slices.Sort(labels)
			if kind := strings.ToLower(family.GetType().String()); kind != m.Type || !slices.Equal(labels, slices.Sorted(slices.Values(m.Labels))) || m.Help != family.GetHelp() {
				t.Errorf("%s is described as %s %v, and is %s %v", m.Name, m.Type, m.Labels, kind, labels)
			}
		}
	}
	for name := range served {
		if !described[name] {
			t.Errorf("%s is served and not described", name)
		}
	}
}

func TestFiguresOfOthersAreShown(t *testing.T) {
	t.Parallel()
	_, f := scrape(t, telemetry.NewMetrics(everything(t)).Handler())
	for _, c := range []struct {
		want   float64
		name   string
		labels []string
	}{
		{1, "breaker_transitions_total", []string{"function", "public", "to", "open"}},
		{0, "breaker_transitions_total", []string{"function", "public", "to", "closed"}},
		{1, "ejections_total", []string{"function", "public"}},
		{1, "events_total", []string{"kind", "breaker"}},
		{0, "config_last_reload_successful", nil},
		{1_800_000_000.5, "config_last_reload_timestamp_seconds", nil},
		{1, "scaling_decisions_total", []string{"function", "public", "result", "up"}},
		{1, "scaling_decisions_total", []string{"function", "public", "result", "hold"}},
		{1, "store_up", nil},
		{3, "store_dropped_facts_total", nil},
		{2, "alerts_firing", []string{"severity", "critical"}},
		{9, "alert_notifications_sent_total", []string{"channel", "ops"}},
		{30, "alert_notifications_oldest_age_seconds", []string{"channel", "ops"}},
		{4, "traces_sent_total", nil},
		{6, "traces_lost_total", []string{"reason", "not_taken"}},
		{7, "trace_spans_refused_total", nil},
		{7, "instance_checks_total", []string{"function", "public", "instance", "a"}},
		{8, "instance_restarts_total", []string{"function", "public", "instance", "a"}},
		{1, "ready", nil},
		{1_900_000_000, "certificate_expiry_timestamp_seconds", []string{"listener", "gateway"}},
	} {
		if got := value(t, f, c.name, c.labels...); got != c.want {
			t.Errorf("%s%v is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
}

func TestExemplarsAreForThoseWhoReadOpenMetrics(t *testing.T) {
	t.Parallel()
	c := everything(t)
	fn := c.Source.Functions()[0]
	exchanged(t, fn, 200, 3*time.Millisecond)
	exchanged(t, fn, 200, 2*time.Minute)
	h := telemetry.NewMetrics(c).Handler()
	get := func(accept string) (string, string) {
		w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		r.Header.Set("Accept", accept)
		h.ServeHTTP(w, r)
		return w.Header().Get("Content-Type"), w.Body.String()
	}
	kind, text := get("application/openmetrics-text; version=1.0.0")
	if !strings.HasPrefix(kind, "application/openmetrics-text") || !strings.HasSuffix(text, "# EOF\n") {
		t.Errorf("%s, ends with %q", kind, text[len(text)-20:])
	}
	for _, want := range []string{`# {trace_id="` + hex.EncodeToString([]byte{1, 2}), `le="+Inf"} 2 # {trace_id="03`} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s", want)
		}
	}
	if kind, text := get("text/plain"); !strings.HasPrefix(kind, "text/plain") || strings.Contains(text, "trace_id") {
		t.Errorf("%s with exemplars", kind)
	}
}
