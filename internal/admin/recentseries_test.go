package admin

import (
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/event"
	"holdfast/internal/gateway"
	"holdfast/internal/telemetry"
	"holdfast/retry"
)

// quiet is a server whose gateway serves nobody, for tests that move the time
// themselves.
func quiet(t *testing.T) (*Server, *exchange.Function) {
	t.Helper()
	logs := telemetry.NewLogs(discard{}, false, 0, nil)
	g := gateway.New(gateway.Config{Logger: logs.For("gateway"), Access: logs.Lines("access", "exchange", nil), Events: event.NewBus(10), Secret: make([]byte, 32)})
	spec := gateway.Spec{Config: exchange.FunctionConfig{Name: "f", Policy: exchange.Policy{Retry: retry.DefaultPolicy()}}, Routes: []exchange.Route{{Path: "/"}}}
	if err := g.Apply([]gateway.Spec{spec}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := g.SetInstances("f", []balancer.Spec{{ID: "1", Endpoint: "http://127.0.0.1:1"}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	return New(Config{Gateway: g, Events: event.NewBus(10), Logs: logs}), g.Function("f")
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// served counts n exchanges with a status and a latency.
func served(fn *exchange.Function, n uint64, status int, took time.Duration) {
	s := fn.Stats()
	s.Exchanges[status/100].Add(n)
	for range n {
		s.Latency.Add(took)
	}
}

func TestTheLastQuarterOfAnHourIsKeptInPointsOfFiveSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, fn := quiet(t)
		for n := range latelyKept + 20 {
			time.Sleep(latelyStep)
			if n == latelyKept+19 {
				served(fn, 40, http.StatusOK, 3*time.Millisecond)
				served(fn, 10, http.StatusBadGateway, 20*time.Second)
				fn.Stats().Reasons[exchange.ReasonUnreachable].Add(4)
			}
			s.lately.take(s, time.Now())
		}
		v, err := s.latelyOf(t.Context(), &whichLately{Function: "f"})
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Points) != latelyKept || v.StepSeconds != 5 || len(v.LatencyBoundsMS) != heatBounds {
			t.Fatalf("%d points of %v s, %d bounds", len(v.Points), v.StepSeconds, len(v.LatencyBoundsMS))
		}
		for i := 1; i < len(v.Points); i++ {
			if step := v.Points[i].At.Sub(v.Points[i-1].At); step != latelyStep {
				t.Fatalf("point %d comes %s after the one before", i, step)
			}
		}
		calm, last := v.Points[0], v.Points[latelyKept-1]
		if calm.Rate != 0 || calm.P50MS != nil || calm.Latency != nil || calm.Instances.Recovering+calm.Instances.Active != 1 || calm.Desired != nil || calm.CPUPercent != nil {
			t.Errorf("nobody asked: %+v", calm)
		}
		if last.Rate != 10 || last.Classes != (ClassesLive{Success: 8, Server: 1.2, Failed: 0.8}) || last.P50MS == nil || math.Abs(*last.P50MS-3) > 0.4 {
			t.Errorf("40 and 10 requests: %+v, p50 %v", last, last.P50MS)
		}
		counted := uint32(0)
		for i, n := range last.Latency {
			counted += n
			if i < heatBounds && n > 0 && (v.LatencyBoundsMS[i] < 3 || v.LatencyBoundsMS[i] > 6) {
				t.Errorf("%d requests of 3 ms are in the bucket that ends at %v ms", n, v.LatencyBoundsMS[i])
			}
		}
		if counted != 50 || last.Latency[heatBounds] != 10 {
			t.Errorf("buckets %v", last.Latency)
		}
		if v, _ = s.latelyOf(t.Context(), &whichLately{Function: "f", Since: calm.At.Add(890 * time.Second)}); len(v.Points) != 1 {
			t.Errorf("%d points since the last but one", len(v.Points))
		}
	})
}

func TestRatesAreOfTheLastTenToFifteenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, fn := quiet(t)
		time.Sleep(2 * time.Second)
		served(fn, 20, http.StatusOK, time.Millisecond)
		if f := s.look(time.Now(), nil).functions[0]; f.Rate != 10 { // since the start
			t.Errorf("20 in the first 2 s: %v/s", f.Rate)
		}
		for range 4 {
			time.Sleep(latelyStep)
			s.lately.take(s, time.Now())
		}
		served(fn, 30, http.StatusInternalServerError, time.Millisecond)
		time.Sleep(2 * time.Second)
		if f := s.look(time.Now(), nil).functions[0]; f.Rate != 2.5 || f.ErrorRate != 1 { // 30 in 12 s
			t.Errorf("30 in 12 s, all failed: %v/s, %v failed", f.Rate, f.ErrorRate)
		}
	})
}

func TestAFigureHasThreeDigitsThatCount(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]float64{0: 0, 0.012345: 0.0123, 1.2345: 1.23, 123.45: 123, 12345.6: 12346, -0.5: -0.5} {
		if got := figure(v); got != want {
			t.Errorf("%v is shown as %v, want %v", v, got, want)
		}
	}
}
