package scaler_test

import (
	"context"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/autoscale"
	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/internal/scaler"
	"holdfast/retry"
)

// served is a function that serves requests, and a scaler that measures it every
// two seconds.
type served struct {
	t       *testing.T
	machine *machine
	scaler  *scaler.Scaler
	gate    *exchange.Machine
}

func serve(t *testing.T, m *machine, target scaler.Target, c exchange.FunctionConfig, do func(*served)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c.Name = "f"
		fn, err := exchange.NewFunction(c)
		if err != nil {
			t.Fatal(err)
		}
		i := balancer.NewInstance(balancer.Spec{ID: "a", Endpoint: "http://a"})
		fn.SetInstances([]*balancer.Instance{i}, time.Now())
		fn.Balancer().SetLifecycle(i, balancer.Running, "runs", time.Now())
		fn.Balancer().SetHealth(i, balancer.HealthUp, "up", time.Now())
		router, err := exchange.NewRouter([]exchange.Route{{Function: fn}})
		if err != nil {
			t.Fatal(err)
		}
		gate := exchange.NewMachine(exchange.MachineConfig{Records: 100})
		gate.SetRouter(router)
		target.Function = fn
		s := scaler.New(scaler.Config{
			Targets: func() []scaler.Target { return []scaler.Target{target} }, Platform: m,
			Measured: func(string) scaler.Measured { return scaler.Measured{Function: map[autoscale.Signal]float64{}} },
		})
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		do(&served{t, m, s, gate})
		stop()
		wg.Wait()
	})
}

// request is one on its way.
type request struct {
	x    exchange.Exchange
	step exchange.Step
}

func (s *served) ask(want exchange.Do) *request {
	s.t.Helper()
	r := &request{}
	r.step = s.gate.Begin(&r.x, &exchange.Request{Method: "GET", Path: "/"}, nil, time.Now())
	if r.step.Do != want {
		s.t.Fatalf("a request gets %s (%s), want %s", r.step.Do, r.step.Reason, want)
	}
	return r
}

// answer has the instance answer a request.
func (s *served) answer(r *request, status int) {
	s.t.Helper()
	if r.step.Do == exchange.Wait {
		r.step = r.x.Next(time.Now())
	}
	if r.step.Do != exchange.Attempt {
		s.t.Fatalf("%s (%s) and no attempt", r.step.Do, r.step.Reason)
	}
	attempt := r.step.Attempt
	r.x.Head(attempt, exchange.Head{Status: status}, time.Now())
	r.x.Done(attempt, exchange.Outcome{Kind: retry.OK}, time.Now())
	r.x.End(time.Now())
}

func (s *served) signals() *autoscale.Signals {
	s.t.Helper()
	v, ok := s.scaler.View("f")
	if !ok {
		s.t.Fatal("nothing was decided")
	}
	return &v.Latest.Inputs.Signals
}

func (s *served) expect(when string, got, want map[autoscale.Signal]float64) {
	s.t.Helper()
	for name, v := range want {
		if x, ok := got[name]; !ok || math.Abs(x-v) > 1e-3 {
			s.t.Errorf("%s: %s is %v (known: %v), want %v", when, name, x, ok, v)
		}
	}
}

// What is offered is everything that came: served, queued and refused. Decisions
// come at 0, 2, 4 s and so on, and look back 10 s, those about bursts 6 s.
func TestWhatIsOfferedIsWhatWasServedQueuedAndRefused(t *testing.T) {
	t.Parallel()
	m := &machine{desired: 2, state: autoscale.Ready}
	c := exchange.FunctionConfig{Policy: exchange.Policy{MaxInFlight: 2, QueueSize: 1, QueueTimeout: time.Minute}}
	serve(t, m, scaler.Target{Policy: autoscale.Policy{Min: 2, Max: 2}}, c, func(s *served) {
		pass(3 * time.Second)
		first, second, third := s.ask(exchange.Attempt), s.ask(exchange.Attempt), s.ask(exchange.Wait)
		s.ask(exchange.Answer).x.End(time.Now()) // the queue is full
		pass(3500 * time.Millisecond)            // 6.5 s
		s.expect("at 6 s", s.signals().Values, map[autoscale.Signal]float64{
			autoscale.OfferedRate: 4.0 / 6, autoscale.ServedRate: 0, autoscale.InFlight: 2 * 3.0 / 6, autoscale.QueueLength: 3.0 / 6,
			autoscale.QueueAgeMS: 3000, autoscale.IdleSeconds: 0, autoscale.ActiveConnections: 3.0 / 6, // of each of two
		})
		pass(500 * time.Millisecond) // 7 s
		s.answer(first, 200)
		third.step = third.x.Next(time.Now())
		pass(time.Second + 500*time.Millisecond) // 8.5 s
		s.expect("at 8 s", s.signals().Values, map[autoscale.Signal]float64{
			autoscale.OfferedRate: 4.0 / 8, autoscale.ServedRate: 1.0 / 8, autoscale.InFlight: 2 * 5.0 / 8, autoscale.QueueLength: 4.0 / 8,
			autoscale.QueueAgeMS: 0, autoscale.IdleSeconds: 0,
		})
		s.expect("burst at 8 s", s.signals().Burst, map[autoscale.Signal]float64{
			autoscale.OfferedRate: 4.0 / 6, autoscale.ServedRate: 1.0 / 6, autoscale.InFlight: 2 * 5.0 / 6, autoscale.QueueLength: 4.0 / 6,
		})
		pass(1500 * time.Millisecond) // 10 s
		s.answer(second, 500)         // which is no service
		s.answer(third, 404)
		pass(2500 * time.Millisecond) // 12.5 s; the window begins at 2 s
		s.expect("at 12 s", s.signals().Values, map[autoscale.Signal]float64{autoscale.OfferedRate: 0.4, autoscale.ServedRate: 0.2})
		pass(10 * time.Second) // 22.5 s
		s.expect("at 22 s", s.signals().Values, map[autoscale.Signal]float64{
			autoscale.OfferedRate: 0, autoscale.ServedRate: 0, autoscale.InFlight: 0, autoscale.QueueLength: 0, autoscale.IdleSeconds: 12,
		})
	})
}

func TestWhatWasJustMadeOrIsStillInsideIsNotIdle(t *testing.T) {
	t.Parallel()
	m := &machine{desired: 1, state: autoscale.Ready}
	serve(t, m, scaler.Target{Policy: autoscale.Policy{Min: 1}}, exchange.FunctionConfig{}, func(s *served) {
		pass(20500 * time.Millisecond)
		s.expect("nobody ever asked", s.signals().Values, map[autoscale.Signal]float64{autoscale.IdleSeconds: 20})
		deployed := time.Now()
		m.set(func() { m.since = deployed })
		pass(4 * time.Second)
		s.expect("deployed 3.5 s before", s.signals().Values, map[autoscale.Signal]float64{autoscale.IdleSeconds: 3.5})
		long := s.ask(exchange.Attempt)
		pass(time.Minute)
		s.expect("inside for a minute", s.signals().Values, map[autoscale.Signal]float64{autoscale.IdleSeconds: 0})
		s.answer(long, 200)
		pass(4 * time.Second)
		if idle := s.signals().Values[autoscale.IdleSeconds]; idle > 6 {
			t.Errorf("idle for %v s, 4 s after the end of one that took a minute", idle)
		}
	})
}

func TestABreakerThatIsNotClosedIsTold(t *testing.T) {
	t.Parallel()
	m := &machine{desired: 1, state: autoscale.Ready}
	c := exchange.FunctionConfig{Breaker: &breaker.Config{}}
	serve(t, m, scaler.Target{Policy: autoscale.Policy{Min: 1}}, c, func(s *served) {
		pass(time.Second)
		s.answer(s.ask(exchange.Attempt), 200)
		pass(2 * time.Second)
		if s.signals().BreakerOpen {
			t.Error("a closed breaker is told to be open")
		}
		for range 5 {
			s.answer(s.ask(exchange.Attempt), 500)
		}
		pass(2 * time.Second)
		if !s.signals().BreakerOpen {
			t.Error("an open breaker is not told")
		}
	})
}

// A number of the health answer is missing of an instance that never answered a
// check, and does not keep it for that; of one that is ready it does.
func TestANumberOfTheHealthAnswerKeepsNoInstanceThatNeverAnswered(t *testing.T) {
	t.Parallel()
	for _, combined := range [][]scaler.Combined{nil, {{Signal: queue, How: scaler.Sum}}} {
		for state, want := range map[autoscale.InstanceState]int{autoscale.Failed: 0, autoscale.Unready: 0, autoscale.Ready: 1} {
			m := &machine{desired: 1, state: state}
			p := policy()
			p.Min, p.Cooldown, p.Down.Hold, p.Zero.After = 0, 0, -1, 20*time.Second
			p.Thresholds = autoscale.Thresholds{}
			p.Targets = []autoscale.Target{{Signal: queue, Value: 5, Kind: autoscale.Mean}}
			if combined != nil {
				p.Targets[0].Kind = autoscale.Automatic
			}
			target := scaler.Target{Policy: p, OfInstances: []autoscale.Signal{queue}, Combined: combined}
			serve(t, m, target, exchange.FunctionConfig{}, func(s *served) {
				pass(2 * time.Minute)
				if n := m.instances(); n != want {
					t.Errorf("%s, combined %v: %d instances, want %d: %s", state, combined != nil, n, want, s.lines())
				}
			})
		}
	}
}

func (s *served) lines() []string {
	v, _ := s.scaler.View("f")
	return slices.Clip(v.Latest.Explain())
}
