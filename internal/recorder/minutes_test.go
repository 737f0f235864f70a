package recorder_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/exchange"
	"holdfast/internal/history"
	"holdfast/internal/recorder"
	"holdfast/retry"
)

func TestEachFullMinuteIsSampledOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fn := newFunction(t, "1", "2")
		taken := map[time.Time]history.Point{}
		var signals []string
		m := recorder.NewMinutes(recorder.MinutesConfig{
			Functions: func() []*exchange.Function { return []*exchange.Function{fn} },
			Numbers: func(_, id string) map[string]float64 {
				return map[string]map[string]float64{"1": {"cpu_percent": 30}, "2": {"cpu_percent": 50}}[id]
			},
			Signals: func(string) map[string]float64 {
				return map[string]float64{"queue": 0.25, "debt": -1, "nothing": math.NaN()}
			},
			Append: func(minute time.Time, samples []history.Sample) error {
				for _, s := range samples {
					if s.Function == fn.Name() {
						taken[minute] = s.Point
						continue
					}
					signals = append(signals, fmt.Sprint(s.Function, " ", s.Point.Own))
				}
				return nil
			},
			OnError: func(err error) { t.Error(err) },
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		time.Sleep(time.Second)
		first := time.Now().Truncate(time.Minute)
		for range 30 {
			serve(t, fn, 200)
		}
		for range 10 {
			serve(t, fn, 501) // the request's fault, but a failed answer all the same
		}
		time.Sleep(2 * time.Minute)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if want := fn.Name() + "/queue 0.25"; !slices.Equal(signals, []string{want, want}) {
			t.Errorf("the signals were %q, want %q in both minutes", signals, want)
		}
		busy, quiet := taken[first], taken[first.Add(time.Minute)]
		if len(taken) != 2 || busy.Rate != 40.0/60 || busy.Errors != 10 || busy.SuccessRate != 75 || busy.CPU != 40 || busy.Instances != 2 {
			t.Errorf("%d minutes, the busy one %+v", len(taken), busy)
		}
		if quiet.Rate != 0 || !math.IsNaN(quiet.SuccessRate) || !math.IsNaN(quiet.P99) || !math.IsNaN(quiet.Memory) {
			t.Errorf("the quiet minute: %+v", quiet)
		}
	})
}

// serve takes one exchange through a function.
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
	x.Head(step.Attempt, exchange.Head{Status: status}, now)
	x.Done(step.Attempt, exchange.Outcome{Kind: retry.OK}, now)
	x.End(now)
}
