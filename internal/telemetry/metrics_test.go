package telemetry_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/internal/telemetry"
	"holdfast/test/need"
)

// functions is a source without a gateway.
type functions []*exchange.Function

func (f functions) Functions() []*exchange.Function { return f }

func function(t *testing.T, name string, br *breaker.Config, instances ...string) *exchange.Function {
	t.Helper()
	fn, err := exchange.NewFunction(exchange.FunctionConfig{Name: name, Breaker: br})
	if err != nil {
		t.Fatal(err)
	}
	var list []*balancer.Instance
	for _, id := range instances {
		list = append(list, balancer.NewInstance(balancer.Spec{ID: id, Endpoint: "http://127.0.0.1:1"}))
	}
	fn.SetInstances(list, time.Now())
	return fn
}

// exchanged makes an exchange of a function through the real machine: one
// attempt that is answered with status after took.
func exchanged(t *testing.T, fn *exchange.Function, status int, took time.Duration) {
	t.Helper()
	router, err := exchange.NewRouter([]exchange.Route{{Path: "/", Function: fn}})
	if err != nil {
		t.Fatal(err)
	}
	m := exchange.NewMachine(exchange.MachineConfig{Records: 16})
	m.SetRouter(router)
	var x exchange.Exchange
	at := time.Now()
	step := m.Begin(&x, &exchange.Request{ID: "1", Method: "POST", Path: "/"}, nil, at)
	if step.Do != exchange.Attempt {
		t.Fatalf("%v: %v", step.Do, step.Reason)
	}
	at = at.Add(took)
	if step = x.Head(step.Attempt, exchange.Head{Status: status}, at); step.Do != exchange.Relay {
		t.Fatalf("%v: %v", step.Do, step.Reason)
	}
	x.Done(step.Attempt, exchange.Outcome{Bytes: 100}, at)
	x.End(at)
}

func scrape(t *testing.T, h http.Handler) (text string, families map[string]*dto.MetricFamily) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	text = w.Body.String()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return text, families
}

// value finds the one metric of a family with these labels (name, value ...).
func value(t *testing.T, families map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	t.Helper()
	m := metric(families["holdfast_"+name], labels)
	switch {
	case m == nil:
		t.Errorf("there is no %s%v", name, labels)
		return -1
	case m.Counter != nil:
		return m.GetCounter().GetValue()
	default:
		return m.GetGauge().GetValue()
	}
}

func metric(family *dto.MetricFamily, labels []string) *dto.Metric {
	for _, m := range family.GetMetric() {
		has := map[string]string{}
		for _, l := range m.GetLabel() {
			has[l.GetName()] = l.GetValue()
		}
		same := len(has) == len(labels)/2
		for i := 0; i < len(labels); i += 2 {
			same = same && has[labels[i]] == labels[i+1]
		}
		if same {
			return m
		}
	}
	return nil
}

func TestMetricsShowWhatFunctionsCounted(t *testing.T) {
	t.Parallel()
	now := time.Now()
	fn := function(t, "public", &breaker.Config{FailureThreshold: 2}, "a", "b")
	b := fn.Balancer()
	b.SetHealth(fn.Instance("a"), balancer.HealthUp, "fine", now)
	b.SetHealth(fn.Instance("b"), balancer.HealthDown, "refused", now)
	for range 3 {
		exchanged(t, fn, 200, 7*time.Millisecond)
	}
	exchanged(t, fn, 503, 70*time.Millisecond)
	exchanged(t, fn, 503, 70*time.Millisecond)
	m := telemetry.NewMetrics(telemetry.MetricsConfig{
		Source: functions{fn}, Version: "v1", DroppedLogs: func() uint64 { return 9 },
	})
	_, f := scrape(t, m.Handler())
	for _, c := range []struct {
		want   float64
		name   string
		labels []string
	}{
		{3, "exchanges_total", []string{"class", "2xx"}},
		{2, "exchanges_total", []string{"class", "5xx"}},
		{0, "exchanges_total", []string{"class", "client_gone"}},
		{5, "exchange_reasons_total", []string{"reason", "ok"}},
		{0, "exchange_reasons_total", []string{"reason", "connection_reset_by_instance"}},
		{5, "attempts_total", nil},
		{0, "retries_total", nil},
		{500, "response_body_bytes_total", nil},
		{0, "exchanges_in_flight", nil},
		{0, "exchanges_waiting", nil},
		{1, "breaker_state", nil},
		{1, "breaker_in_state", []string{"state", "open"}},
		{0, "breaker_in_state", []string{"state", "closed"}},
		{2, "breaker_consecutive_failures", nil},
		{1, "instances_available", nil},
		{1, "instances", []string{"status", "active"}},
		{1, "instances", []string{"status", "failed"}},
		{0, "panic", nil},
		{1, "instance_up", []string{"instance", "a"}},
		{0, "instance_up", []string{"instance", "b"}},
		{5, "instance_picks_total", []string{"instance", "a"}},
		{5, "instance_attempts_total", []string{"instance", "a"}},
		{2, "instance_attempt_failures_total", []string{"instance", "a"}},
		{0, "instance_ejected", []string{"instance", "b"}},
	} {
		if got := value(t, f, c.name, append([]string{"function", "public"}, c.labels...)...); got != c.want {
			t.Errorf("%s%v is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
	if got := value(t, f, "access_log_dropped_total"); got != 9 {
		t.Errorf("dropped log entries: %v", got)
	}
	if got := value(t, f, "retry_budget_available", "function", "public"); got < 100 {
		t.Errorf("retry budget: %v", got)
	}
	if got := value(t, f, "instance_latency_ewma_seconds", "function", "public", "instance", "a"); got <= 0 {
		t.Errorf("estimate: %v", got)
	}
	if f["go_goroutines"] == nil || f["process_cpu_seconds_total"] == nil || f["holdfast_build_info"] == nil {
		t.Error("the figures of the process are missing")
	}
}

func TestTheHistogramIsExactAtItsBounds(t *testing.T) {
	t.Parallel()
	fn := function(t, "public", nil, "a")
	fn.Balancer().SetHealth(fn.Instance("a"), balancer.HealthUp, "fine", time.Now())
	m := telemetry.NewMetrics(telemetry.MetricsConfig{Source: functions{fn}})
	_, f := scrape(t, m.Handler())
	var bounds []float64
	for _, b := range metric(f["holdfast_exchange_duration_seconds"], []string{"function", "public"}).GetHistogram().GetBucket() {
		bounds = append(bounds, b.GetUpperBound())
	}
	if n := len(bounds); n != 16 || bounds[0] > 0.0011 || bounds[n-2] < 60 || bounds[n-2] > 61 {
		t.Fatalf("bounds: %v", bounds)
	}
	sum := 0.0
	for _, b := range bounds[:15] { // one just below, one at each bound
		took := time.Duration(b*float64(time.Second) + 0.5)
		exchanged(t, fn, 200, took-1)
		exchanged(t, fn, 200, took)
		sum += (2*took - 1).Seconds()
	}
	_, f = scrape(t, m.Handler())
	h := metric(f["holdfast_exchange_duration_seconds"], []string{"function", "public"}).GetHistogram()
	if h.GetSampleCount() != 30 || h.GetSampleSum() < sum-1e-6 || h.GetSampleSum() > sum+1e-6 {
		t.Errorf("%d durations of %v s, want 30 of %v", h.GetSampleCount(), h.GetSampleSum(), sum)
	}
	for i, b := range h.GetBucket()[:15] {
		if want := uint64(2*i + 1); b.GetCumulativeCount() != want {
			t.Errorf("below %v s: %d, want %d", b.GetUpperBound(), b.GetCumulativeCount(), want)
		}
	}
}

func TestMetricsFollowTheConventions(t *testing.T) {
	t.Parallel()
	fn := function(t, "public", &breaker.Config{}, "a")
	m := telemetry.NewMetrics(telemetry.MetricsConfig{Source: functions{fn}, DroppedLogs: func() uint64 { return 0 }})
	text, _ := scrape(t, m.Handler())
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestTheNumberOfSeriesDependsOnTheConfigurationAlone(t *testing.T) {
	t.Parallel()
	one, two := function(t, "one", &breaker.Config{}, "a"), function(t, "two", nil, "a", "b")
	count := func() int {
		_, f := scrape(t, telemetry.NewMetrics(telemetry.MetricsConfig{Source: functions{one, two}}).Handler())
		n := 0
		for name, family := range f {
			if strings.HasPrefix(name, "holdfast_") {
				n += len(family.GetMetric())
			}
		}
		return n
	}
	before := count()
	one.Balancer().SetHealth(one.Instance("a"), balancer.HealthUp, "fine", time.Now())
	for i := range 200 {
		exchanged(t, one, 200+i, time.Duration(i)*time.Millisecond)
	}
	if after := count(); after != before {
		t.Errorf("%d series before traffic, %d after", before, after)
	}
	if before > 3*50 {
		t.Errorf("%d series for two functions", before)
	}
}

func TestAnInstanceThatIsListedTwiceCostsOnlyItsOwnFigures(t *testing.T) {
	t.Parallel()
	fn := function(t, "public", nil, "a", "a")
	_, f := scrape(t, telemetry.NewMetrics(telemetry.MetricsConfig{Source: functions{fn}}).Handler())
	if got := value(t, f, "instances", "function", "public", "status", "recovering"); got != 2 {
		t.Errorf("%v instances", got)
	}
	if got := value(t, f, "attempts_total", "function", "public"); got != 0 {
		t.Errorf("%v attempts", got)
	}
}

func TestAThousandInstancesAreScrapedFast(t *testing.T) { //nolint:paralleltest // it measures the process
	need.Plain(t)
	var source functions
	ids := make([]string, 10)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
	}
	for i := range 100 {
		source = append(source, function(t, "f"+strconv.Itoa(i), &breaker.Config{}, ids...))
	}
	h := telemetry.NewMetrics(telemetry.MetricsConfig{Source: source}).Handler()
	took, size := time.Hour, int64(0)
	for range 3 { // the quickest: others use the machine too
		start := time.Now()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		took = min(took, time.Since(start))
		n, err := io.Copy(io.Discard, w.Body)
		if err != nil {
			t.Fatal(err)
		}
		size = n
	}
	t.Logf("100 functions x 10 instances: %d KiB in %v", size>>10, took)
	if took > 5*time.Second {
		t.Errorf("a scrape of 1,000 instances took %v", took)
	}
}
