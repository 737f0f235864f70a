package traces_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/goleak"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/telemetry/traces"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// exporter is a collector as a test wants it.
type exporter struct {
	mu    sync.Mutex
	calls int
	spans []sdktrace.ReadOnlySpan
	err   error
	slow  bool // it answers when there is no time left
	takes time.Duration
	over  bool
}

func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	e.mu.Lock()
	slow, takes := e.slow, e.takes
	e.mu.Unlock()
	if slow {
		<-ctx.Done()
		return ctx.Err()
	}
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls++
	if e.err == nil {
		e.spans = append(e.spans, spans...)
	}
	return e.err
}

func (e *exporter) Shutdown(context.Context) error {
	e.over = true
	return nil
}

// record is of an exchange with one attempt.
func record(t *testing.T, sampled bool, status uint16) *exchange.Record {
	t.Helper()
	fn, err := exchange.NewFunction(exchange.FunctionConfig{Name: "f"})
	if err != nil {
		t.Fatal(err)
	}
	r := &exchange.Record{Facts: exchange.Facts{
		Function: fn, Start: time.Now(), Head: 3 * time.Millisecond, Took: 5 * time.Millisecond, Status: status, N: 1, V: 1,
		Trace: exchange.Trace{ID: [16]byte{1}, Sampled: sampled}, Draw: 42,
	}}
	r.Visits[0].Function = fn
	r.Attempts[0] = exchange.AttemptRecord{Instance: balancer.NewInstance(balancer.Spec{ID: "f-1", Endpoint: "http://[::1]:81"}), Status: status, Head: 2 * time.Millisecond}
	return r
}

// running runs traces until the returned function is called.
func running(t *testing.T, tr *traces.Traces) (end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- tr.Run(ctx) }()
	return func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestExchangesAreSentTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &exporter{}
		tr := traces.New(t.Context(), traces.Config{Exporter: e, Service: "s"})
		end := running(t, tr)
		for range 10 {
			tr.Observe(record(t, true, 200))
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if e.calls != 1 || len(e.spans) != 20 {
			t.Errorf("%d calls with %d spans, want 1 with 20", e.calls, len(e.spans))
		}
		if s := e.spans[1]; s.Parent().SpanID() != [8]byte{} || s.SpanContext().SpanID() != record(t, true, 200).Span() {
			t.Errorf("%s: %v in %v", s.Name(), s.SpanContext(), s.Parent())
		}
		if x := tr.Exemplars("f", time.Now()); len(x) != 1 || x[0].Latency != 3*time.Millisecond || x[0].Trace != [16]byte{1} {
			t.Errorf("exemplars: %+v", x)
		}
		if x := tr.Exemplars("f", time.Now().Add(time.Hour)); len(x) != 0 {
			t.Errorf("an hour later: %+v", x)
		}
		tr.Observe(record(t, true, 200))
		end() // what waits is sent at the end
		if len(e.spans) != 22 || !e.over || tr.Counts().Sent != 11 {
			t.Errorf("%d spans, %+v", len(e.spans), tr.Counts())
		}
	})
}

func TestACollectorThatHangsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &exporter{slow: true}
		tr := traces.New(t.Context(), traces.Config{Exporter: e, Queue: 100})
		end := running(t, tr)
		began := time.Now()
		for range 50 {
			tr.Observe(record(t, true, 200))
		}
		time.Sleep(3 * time.Second)
		synctest.Wait() // the first 50 are under way
		for range 150 {
			tr.Observe(record(t, true, 200))
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("observing took %v", took-3*time.Second)
		}
		if n := tr.Counts(); n.Dropped != 50 || n.Waiting != 100 {
			t.Errorf("%+v, want 50 dropped and 100 waiting", n)
		}
		began = time.Now()
		end()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the end took %v", took)
		}
	})
}

func TestLostTracesAreToldOnceAndTheReturnToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &exporter{err: errors.New("refused")}
		var told []error
		tr := traces.New(t.Context(), traces.Config{Exporter: e, Failed: func(err error) { told = append(told, err) }})
		end := running(t, tr)
		send := func() {
			tr.Observe(record(t, true, 200))
			time.Sleep(3 * time.Second)
			synctest.Wait()
		}
		send()
		send()
		e.err = nil
		send()
		time.Sleep(time.Minute)
		send()
		end()
		if n := tr.Counts(); len(told) != 2 || told[0] == nil || told[1] != nil || n.Failed != 2 || n.Sent != 2 {
			t.Errorf("told %v, %+v", told, n)
		}
		if x := tr.Exemplars("f", time.Now()); len(x) != 1 {
			t.Errorf("%d exemplars", len(x))
		}
	})
}

func TestACollectorThatComesAndGoesIsNotToldOfEachTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &exporter{}
		var told []error
		tr := traces.New(t.Context(), traces.Config{Exporter: e, Failed: func(err error) { told = append(told, err) }})
		end := running(t, tr)
		for n := range 600 { // half an hour
			if e.err = nil; n%2 == 0 {
				e.err = errors.New("refused")
			}
			tr.Observe(record(t, true, 200))
			time.Sleep(3 * time.Second)
			synctest.Wait()
		}
		end()
		if n := tr.Counts(); len(told) != 1 || n.Failed != 300 || n.Sent != 300 {
			t.Errorf("told %v, %+v", told, n)
		}
	})
}

func TestHoursWithoutACollectorCostNoMoreThanTheQueue(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]*exporter{"hangs": {slow: true}, "refuses": {err: errors.New("connection refused")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const queue, each, times = 20, 25, 2 * 60 * 60 / 20
				told := 0
				tr := traces.New(t.Context(), traces.Config{Exporter: e, Queue: queue, Failed: func(error) { told++ }})
				end := running(t, tr)
				r := record(t, true, 200)
				for range times {
					for range each {
						tr.Observe(r)
					}
					time.Sleep(20 * time.Second)
					if n := tr.Counts().Waiting; n > queue {
						t.Fatalf("%d wait in a queue of %d", n, queue)
					}
				}
				end()
				n := tr.Counts()
				if told != 1 || n.Sent != 0 || n.Waiting > queue || n.Failed+n.Dropped+uint64(n.Waiting) != each*times {
					t.Errorf("told %d times, %+v of %d", told, n, each*times)
				}
				if !e.over {
					t.Error("the exporter was not shut down")
				}
			})
		})
	}
}

func TestWhatIsUnderWayAtTheEndArrives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &exporter{takes: 3 * time.Second}
		var told []error
		tr := traces.New(t.Context(), traces.Config{Exporter: e, Failed: func(err error) { told = append(told, err) }})
		end := running(t, tr)
		tr.Observe(record(t, true, 200))
		time.Sleep(3 * time.Second) // it is under way for one
		synctest.Wait()
		tr.Observe(record(t, true, 200))
		e.mu.Lock()
		e.takes = 0
		e.mu.Unlock()
		end()
		if n := tr.Counts(); n.Sent != 2 || len(told) != 0 {
			t.Errorf("%+v, told %v", n, told)
		}
	})
}

func TestAPartThatIsRefusedIsNotTheWhole(t *testing.T) {
	t.Parallel()
	const said = "traces export: OTLP partial success: "
	page := "failed to send: 404 Not Found (body: " + strings.Repeat("<br>\n", 10_000) + ")"
	for _, c := range []struct {
		name, answer          string
		sent, failed, refused uint64
		told, warned          string // "": of nothing
	}{
		{"a part", said + "too (large) (1 spans rejected)", 1, 0, 1, "it refused 1 of 2 spans: too (large)", ""},
		{"all", said + "quota (2 spans rejected)", 0, 1, 2, "it refused 2 of 2 spans: quota", ""},
		{"more than all", said + "quota (9223372036854775807 spans rejected)", 0, 1, 2, "it refused 2 of 2 spans: quota", ""},
		{"a warning", said + "use gzip (0 spans rejected)", 1, 0, 0, "", "use gzip"},
		{"what looks like one", "traces export: 400 (" + said + "x (0 spans rejected))", 0, 1, 0, "traces export: 400", ""},
		{"a page", page, 0, 1, 0, page[:500] + " ...", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var told, warned string
				tr := traces.New(t.Context(), traces.Config{
					Exporter: &exporter{err: errors.New(c.answer)},
					Failed:   func(err error) { told += err.Error() },
					Warned:   func(text string) { warned += text },
				})
				end := running(t, tr)
				tr.Observe(record(t, true, 200))
				end()
				if n := tr.Counts(); n.Sent != c.sent || n.Failed != c.failed || n.Refused != c.refused || len(tr.Exemplars("f", time.Now())) != int(c.sent) {
					t.Errorf("%+v", n)
				}
				if !strings.HasPrefix(told, c.told) || (told == "") != (c.told == "") || len(told) > 510 || warned != c.warned {
					t.Errorf("told %q, warned %q", told, warned)
				}
			})
		})
	}
}

func TestOfTroubleOnlySoMuchIsSentASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := traces.New(t.Context(), traces.Config{Exporter: &exporter{}})
		for range 20 {
			tr.Observe(record(t, false, 503))
		}
		if n := tr.Counts().Waiting; n != 0 {
			t.Errorf("%d with none wanted", n)
		}
		tr.SetTroubled(5)
		time.Sleep(time.Second)
		for range 3 {
			for range 20 {
				tr.Observe(record(t, false, 503))
				tr.Observe(record(t, false, 200))
			}
			time.Sleep(time.Second)
		}
		if n := tr.Counts().Waiting; n != 15 {
			t.Errorf("%d in three seconds, want 5 each", n)
		}
		scanner := record(t, false, 404)
		scanner.Function, scanner.V, scanner.N, scanner.Reason, scanner.Local = nil, 0, 0, exchange.ReasonNoRoute, true
		time.Sleep(time.Second)
		before := tr.Counts().Waiting
		if tr.Observe(scanner); tr.Counts().Waiting != before {
			t.Error("what no route matched was taken")
		}
	})
}

func TestWhatIsNotSentCostsNoAllocation(t *testing.T) { //nolint:paralleltest // it counts what all allocate
	tr := traces.New(t.Context(), traces.Config{Exporter: &exporter{}})
	r := record(t, false, 200)
	if n := testing.AllocsPerRun(1000, func() { tr.Observe(r) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTheEnvironmentSaysWhereTracesGo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		endpoint string
		env      map[string]string
		wanted   bool
		protocol string
	}{
		{"nothing", "", nil, false, "http/protobuf"},
		{"configured", "http://localhost:4318", nil, true, "http/protobuf"},
		{"for all signals", "", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, true, "grpc"},
		{"for traces", "", map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/x"}, true, "http/protobuf"},
		{"none", "", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_TRACES_EXPORTER": "none"}, false, "http/protobuf"},
		{"disabled", "http://localhost:4318", map[string]string{"OTEL_SDK_DISABLED": "TRUE"}, false, "http/protobuf"},
	} {
		to := traces.Collector{Endpoint: c.endpoint}
		if wanted := to.From(func(name string) string { return c.env[name] }); wanted != c.wanted || to.Protocol != c.protocol {
			t.Errorf("%s: %v by %s", c.name, wanted, to.Protocol)
		}
	}
	bad := traces.Collector{Protocol: "http/json"}
	if _, err := bad.Open(t.Context()); err == nil {
		t.Error("http/json was opened")
	}
}

func BenchmarkObserve(b *testing.B) {
	for name, sampled := range map[string]bool{"sampled": true, "not": false} {
		b.Run(name, func(b *testing.B) {
			tr := traces.New(b.Context(), traces.Config{Exporter: &exporter{}})
			r := &exchange.Record{Facts: exchange.Facts{Trace: exchange.Trace{ID: [16]byte{1}, Sampled: sampled}}}
			b.ReportAllocs()
			for b.Loop() {
				tr.Observe(r) // once the queue is full, it is copied and dropped
			}
		})
	}
}
