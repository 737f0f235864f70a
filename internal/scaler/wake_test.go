package scaler_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/autoscale"
	"holdfast/exchange"
	"holdfast/internal/scaler"
)

// zeroed is a function of which no instance runs, a scaler that looks after it,
// and what lets requests in.
func zeroed(t *testing.T, p autoscale.Policy, do func(m *machine, ask func() exchange.Step)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, s := &machine{state: autoscale.Starting}, (*scaler.Scaler)(nil)
		fn, err := exchange.NewFunction(exchange.FunctionConfig{
			Name: "f", Policy: exchange.Policy{ColdStart: 10 * time.Second}, Wanted: func() { s.Wake("f") },
		})
		if err != nil {
			t.Fatal(err)
		}
		s = scaler.New(scaler.Config{
			Targets:  func() []scaler.Target { return []scaler.Target{{Function: fn, Policy: p}} },
			Platform: m, Measured: func(string) scaler.Measured { return scaler.Measured{} },
		})
		router, err := exchange.NewRouter([]exchange.Route{{Function: fn}})
		if err != nil {
			t.Fatal(err)
		}
		gate := exchange.NewMachine(exchange.MachineConfig{Records: 10})
		gate.SetRouter(router)
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		pass(time.Minute)
		do(m, func() exchange.Step {
			var x exchange.Exchange
			return gate.Begin(&x, &exchange.Request{Path: "/"}, nil, time.Now())
		})
		stop()
		wg.Wait()
	})
}

func TestARequestWithoutInstanceWakesTheScalerAtOnce(t *testing.T) {
	t.Parallel()
	p := policy()
	p.Min = 0
	zeroed(t, p, func(m *machine, ask func() exchange.Step) {
		if n := m.instances(); n != 0 {
			t.Fatalf("%d instances before anybody asked", n)
		}
		pass(time.Millisecond) // somewhere between two ticks
		for range 100 {
			if step := ask(); step.Do != exchange.Wait {
				t.Fatalf("a request gets %s (%s)", step.Do, step.Reason)
			}
		}
		synctest.Wait() // and no time passes
		if n := m.instances(); n != 1 {
			t.Errorf("%d instances for 100 requests at once, want 1", n)
		}
		pass(time.Minute)
		if n := m.instances(); n != 1 {
			t.Errorf("%d instances of what does not start, want 1", n)
		}
	})
}

func TestWhereScalingRestsAWakeUpDoesNothing(t *testing.T) {
	t.Parallel()
	p := policy()
	p.Min, p.Mode = 0, autoscale.Mode{Kind: autoscale.Advisory}
	zeroed(t, p, func(m *machine, ask func() exchange.Step) {
		if step := ask(); step.Do != exchange.Wait {
			t.Fatalf("a request gets %s (%s)", step.Do, step.Reason)
		}
		pass(time.Minute)
		if n := m.instances(); n != 0 {
			t.Errorf("%d instances, and scaling only advises", n)
		}
	})
}
