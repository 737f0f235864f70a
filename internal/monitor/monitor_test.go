package monitor_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/monitor"
	"holdfast/retry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newFunction(t *testing.T) *exchange.Function {
	t.Helper()
	fn, err := exchange.NewFunction(exchange.FunctionConfig{Name: "f"})
	if err != nil {
		t.Fatal(err)
	}
	i := balancer.NewInstance(balancer.Spec{ID: "1", Endpoint: "http://127.0.0.1:1"})
	fn.SetInstances([]*balancer.Instance{i}, time.Now())
	fn.Balancer().SetHealth(i, balancer.HealthUp, "", time.Now())
	return fn
}

// serve takes an exchange through a function.
func serve(t *testing.T, fn *exchange.Function, status int) {
	t.Helper()
	router, err := exchange.NewRouter([]exchange.Route{{Path: "/", Function: fn}})
	if err != nil {
		t.Fatal(err)
	}
	machine := exchange.NewMachine(exchange.MachineConfig{Records: 16})
	machine.SetRouter(router)
	var x exchange.Exchange
	now := time.Now()
	step := machine.Begin(&x, &exchange.Request{ID: "1", Method: "GET", Path: "/"}, nil, now)
	if step.Do != exchange.Attempt {
		t.Fatalf("the exchange begins with %v: %v", step.Do, step.Reason)
	}
	x.Head(step.Attempt, exchange.Head{Status: status}, now.Add(5*time.Millisecond))
	x.Done(step.Attempt, exchange.Outcome{Kind: retry.OK}, now)
	x.End(now)
}

// told keeps what it is told; read it when the bubble is quiet.
type told struct {
	mu   sync.Mutex
	kept []monitor.Anomaly
}

func (l *told) tell(a monitor.Anomaly) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, a)
}

func (l *told) all() []monitor.Anomaly {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.kept)
}

func run(t *testing.T, c monitor.Config) (m *monitor.Monitor, stop func()) {
	t.Helper()
	m = monitor.New(c)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	return m, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestFailuresAreToldOfWithTheirNumbersAndOnceOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fn := newFunction(t)
		var l told
		m, stop := run(t, monitor.Config{Functions: func() []*exchange.Function { return []*exchange.Function{fn} }, Tell: l.tell})
		time.Sleep(time.Second)
		for range 30 {
			serve(t, fn, 200)
			serve(t, fn, 501)
		}
		time.Sleep(25 * time.Second)
		s := m.Snapshot()
		if len(s.Anomalies) != 1 || len(l.all()) != 1 {
			t.Fatalf("out of the ordinary: %+v, told of: %+v", s.Anomalies, l.all())
		}
		a := l.all()[0]
		if a.Rule != monitor.Errors || a.Function != "f" || a.Value != 50 || a.Limit != 10 || a.Numbers["requests"] != 60 || a.Numbers["failed"] != 30 ||
			a.Window != 20*time.Second || !strings.HasPrefix(a.Text, "50.0 % of the requests failed (30 of 60 in 20s)") {
			t.Errorf("%+v", a)
		}
		f := s.Functions[0]
		if f.Requests != 60 || f.Rate != 3 || f.P95 < 5 || f.P95 > 6 || len(f.Instances) != 1 || f.Instances[0].Requests != 60 || !math.IsNaN(f.CPU) {
			t.Errorf("%+v", f)
		}
		time.Sleep(3 * time.Minute)
		if s := m.Snapshot(); len(s.Anomalies) != 0 || len(l.all()) != 2 || l.all()[1].Ended.IsZero() || l.all()[1].Worst != 50 {
			t.Errorf("after it: %+v, told of: %+v", s.Anomalies, l.all())
		}
		stop()
	})
}

func TestFewFailuresAreNoAnomaly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fn := newFunction(t)
		var l told
		_, stop := run(t, monitor.Config{Functions: func() []*exchange.Function { return []*exchange.Function{fn} }, Tell: l.tell})
		time.Sleep(time.Second)
		for range 19 {
			serve(t, fn, 501)
		}
		time.Sleep(3 * time.Minute)
		stop()
		if len(l.all()) != 0 {
			t.Errorf("told of %+v", l.all())
		}
	})
}

func TestWhatAnInstanceSaysOfItselfIsJudged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		number string
		value  float64
		rule   monitor.Rule
	}{
		{"memory_percent", 95, monitor.Memory},
		{"memory_percent", 89, ""},
		{"event_loop_lag_ms", 130, monitor.LoopLag},
		{"event_loop_lag_ms", 99, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			fn := newFunction(t)
			var l told
			_, stop := run(t, monitor.Config{
				Functions: func() []*exchange.Function { return []*exchange.Function{fn} }, Tell: l.tell,
				Numbers: func(string, string) map[string]float64 { return map[string]float64{c.number: c.value} },
			})
			time.Sleep(time.Minute + time.Second)
			stop()
			switch {
			case c.rule == "" && len(l.all()) > 0:
				t.Errorf("%s %v: told of %+v", c.number, c.value, l.all())
			case c.rule != "" && (len(l.all()) != 1 || l.all()[0].Rule != c.rule || l.all()[0].Instance != "1" || l.all()[0].Value != c.value):
				t.Errorf("%s %v: told of %+v", c.number, c.value, l.all())
			}
		})
	}
}

func TestOtherLimitsHoldFromTheNextLookOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fn := newFunction(t)
		var l told
		m, stop := run(t, monitor.Config{
			Functions: func() []*exchange.Function { return []*exchange.Function{fn} }, Tell: l.tell,
			Numbers: func(string, string) map[string]float64 { return map[string]float64{"memory_percent": 70} },
		})
		time.Sleep(time.Minute + time.Second)
		if list := l.all(); len(list) > 0 {
			t.Errorf("under the usual limit: %+v", list)
		}
		m.SetLimits(monitor.Limits{MemoryPercent: 60})
		time.Sleep(time.Minute)
		stop()
		if list := l.all(); len(list) != 1 || list[0].Limit != 60 || list[0].Value != 70 {
			t.Errorf("under another: %+v", list)
		}
	})
}

func TestTheAnomaliesOfWhatIsGoneEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var list atomic.Pointer[[]*exchange.Function]
		list.Store(&[]*exchange.Function{newFunction(t)})
		var l told
		m, stop := run(t, monitor.Config{
			Functions: func() []*exchange.Function { return *list.Load() }, Tell: l.tell,
			Numbers: func(string, string) map[string]float64 { return map[string]float64{"memory_percent": 99} },
		})
		time.Sleep(time.Minute + time.Second)
		list.Store(&[]*exchange.Function{})
		time.Sleep(20 * time.Second)
		stop()
		if s := m.Snapshot(); len(s.Anomalies) != 0 || len(l.all()) != 2 || l.all()[1].Ended.IsZero() || l.all()[1].Text != "gone" {
			t.Errorf("%+v, told of %+v", s.Anomalies, l.all())
		}
	})
}
