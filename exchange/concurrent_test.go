package exchange_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/retry"
)

// strict is an engine that never looks again on its own: whoever is not woken
// sleeps for ever, and synctest reports the deadlock.
type strict struct {
	x     exchange.Exchange
	woken chan struct{}
	rng   *rand.Rand
	clock *atomic.Int64
	q     exchange.Request
}

// Wake implements exchange.Waker.
func (s *strict) Wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// now lets a little time pass with every look at it.
func (s *strict) now() time.Time {
	return start.Add(time.Duration(s.clock.Add(int64(time.Millisecond))))
}

func (s *strict) serve(m *exchange.Machine) {
	select {
	case <-s.woken: // for the exchange before
	default:
	}
	s.q.Draw = s.rng.Uint64()
	step := m.Begin(&s.x, &s.q, s, s.now())
	defer func() { s.x.End(s.now()) }()
	for s.rng.IntN(20) > 0 {
		switch step.Do {
		case exchange.Wait:
			if step.Reason != exchange.ReasonBackoff {
				<-s.woken
			}
			if s.rng.IntN(10) == 0 {
				s.x.Abort(s.now()) // just when its chance came
				return
			}
			step = s.x.Next(s.now())
			for step.Do == exchange.Wait && step.Reason == exchange.ReasonBackoff {
				step = s.x.Next(step.Until)
			}
		case exchange.Attempt:
			if s.rng.IntN(10) == 0 {
				step = s.x.Done(step.Attempt, exchange.Outcome{Kind: retry.Reset, Sent: true, Replayable: true}, s.now())
				continue
			}
			status := []int{200, 200, 200, 500}[s.rng.IntN(4)]
			step = s.x.Head(step.Attempt, exchange.Head{Status: status, Replayable: true, Long: s.rng.IntN(10) == 0}, s.now())
		case exchange.Relay:
			step = s.x.Done(step.Attempt, exchange.Outcome{Bytes: 1}, s.now())
		case exchange.Answer, exchange.Finished:
			return
		}
	}
	s.x.Abort(s.now())
}

func TestManyEnginesAtOnceLoseNoWakeUpAndLeakNothing(t *testing.T) {
	t.Parallel()
	const ages = 1000 * time.Hour
	for name, change := range map[string]func(*exchange.FunctionConfig){
		"queue": func(c *exchange.FunctionConfig) { c.Policy.MaxInFlight = 3 },
		"full instances": func(c *exchange.FunctionConfig) {
			c.Policy.MaxInFlight = 0
		},
		"breaker": func(c *exchange.FunctionConfig) {
			c.Policy.Retry.Attempts = 0
			c.Breaker = &breaker.Config{FailureThreshold: 3, RecoveryTimeout: 20 * time.Millisecond, HalfOpenTimeout: ages}
		},
		"all": func(c *exchange.FunctionConfig) {
			c.Policy.MaxInFlight = 5
			c.Breaker = &breaker.Config{FailureThreshold: 3, RecoveryTimeout: 20 * time.Millisecond, HalfOpenTimeout: ages}
		},
	} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s %d", name, seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { runStrict(t, name, seed, ages, change) })
			})
		}
	}
}

func runStrict(t *testing.T, name string, seed uint64, ages time.Duration, change func(*exchange.FunctionConfig)) {
	t.Helper()
	r := newRig(t, 3, func(c *exchange.FunctionConfig) {
		c.Policy.QueueSize, c.Policy.QueueTimeout, c.Policy.WaitForInstance = 100, ages, ages
		c.Policy.Timeouts = exchange.Timeouts{Attempt: ages, Exchange: ages}
		c.Budget.MinPerSecond = 1e6
		change(c)
	})
	r.m = exchange.NewMachine(exchange.MachineConfig{Records: 100})
	r.route(exchange.Route{Function: r.f})
	if name == "full instances" || name == "all" {
		r.instances(r.f, balancer.Spec{ID: "s1", MaxInFlight: 1}, balancer.Spec{ID: "s2", MaxInFlight: 1})
	}
	var clock atomic.Int64
	var all sync.WaitGroup
	for n := range uint64(16) {
		s := &strict{
			woken: make(chan struct{}, 1), rng: rand.New(rand.NewPCG(seed, n)), clock: &clock,
			q: exchange.Request{ID: fmt.Sprint(n), Method: "GET", Path: "/"},
		}
		all.Go(func() {
			for range 200 {
				s.serve(r.m)
			}
		})
	}
	all.Wait()
	r.idle()
}

// Two engines and one of everything: what one gives free just when the other
// finds it taken must not be lost between the look and the line.
func TestAChangeBetweenTheLookAndTheLineIsNotLost(t *testing.T) {
	t.Parallel()
	const ages = 1000 * time.Hour
	for name, change := range map[string]func(*exchange.FunctionConfig){
		"place":    func(c *exchange.FunctionConfig) { c.Policy.MaxInFlight, c.Policy.QueueSize = 1, 1 },
		"instance": func(*exchange.FunctionConfig) {},
		"probe": func(c *exchange.FunctionConfig) {
			c.Breaker = &breaker.Config{HalfOpenMaxCalls: 1, HalfOpenTimeout: ages}
			c.Policy.Retry.Attempts = 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 1, func(c *exchange.FunctionConfig) {
				c.Policy.QueueTimeout, c.Policy.WaitForInstance = ages, ages
				change(c)
			})
			r.m = exchange.NewMachine(exchange.MachineConfig{Records: 10})
			r.route(exchange.Route{Function: r.f})
			switch name {
			case "instance":
				r.instances(r.f, balancer.Spec{ID: "s", MaxInFlight: 1})
			case "probe":
				r.open()
				r.pass(time.Minute)
			}
			var all sync.WaitGroup
			b := &barrier{}
			for n := range uint64(2) {
				all.Go(func() { race(r, b, n) })
			}
			all.Wait()
			r.idle()
		})
	}
}

// barrier lets two engines start each round in the same moment: they spin.
type barrier struct {
	arrived atomic.Int64
	broken  atomic.Bool
}

func (b *barrier) meet(round int64) bool {
	b.arrived.Add(1)
	for n := 0; b.arrived.Load() < 2*round; n++ {
		if n%1000 == 999 {
			runtime.Gosched()
		}
		if b.broken.Load() {
			return false
		}
	}
	return true
}

// race makes exchanges that take no time. They end without an answer, so that a
// half-open breaker stays so.
func race(r *rig, b *barrier, n uint64) {
	s := &strict{woken: make(chan struct{}, 1), rng: rand.New(rand.NewPCG(1, n)), q: exchange.Request{Method: "GET", Path: "/"}}
	for round := int64(1); round <= 2_000 && b.meet(round); round++ {
		select {
		case <-s.woken:
		default:
		}
		for range s.rng.IntN(200) {
			s.q.Draw++
		}
		step := r.m.Begin(&s.x, &s.q, s, r.now)
		for step.Do == exchange.Wait {
			select {
			case <-s.woken:
			case <-time.After(10 * time.Second):
				r.tb.Errorf("round %d: nobody was woken", round)
				b.broken.Store(true)
				s.x.End(r.now)
				return
			}
			step = s.x.Next(r.now)
		}
		s.x.End(r.now)
	}
}

// Limits change and instances come and go under load.
func TestChangesUnderLoadLoseNoWakeUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const ages = 1000 * time.Hour
		r := newRig(t, 3, func(c *exchange.FunctionConfig) {
			c.Policy.QueueSize, c.Policy.QueueTimeout, c.Policy.WaitForInstance = 100, ages, ages
			c.Policy.Timeouts = exchange.Timeouts{Attempt: ages, Exchange: ages}
			c.Policy.Managed = true
		})
		r.m = exchange.NewMachine(exchange.MachineConfig{Records: 100})
		r.route(exchange.Route{Function: r.f})
		var clock atomic.Int64
		var engines, changes sync.WaitGroup
		over := make(chan struct{})
		changes.Go(func() { changeAll(r, over) })
		for n := range uint64(16) {
			s := &strict{
				woken: make(chan struct{}, 1), rng: rand.New(rand.NewPCG(99, n)), clock: &clock,
				q: exchange.Request{ID: fmt.Sprint(n), Method: "GET", Path: "/"},
			}
			engines.Go(func() {
				for range 300 {
					s.serve(r.m)
				}
			})
		}
		engines.Wait()
		close(over)
		changes.Wait()
		r.idle()
	})
}

// changeAll takes the instances away and gives them back, lowers and raises the
// limit, and reads what others read, until over.
func changeAll(r *rig, over <-chan struct{}) {
	list := r.f.Balancer().Instances()
	c := r.config
	for n := 0; ; n++ {
		select {
		case <-over:
			return
		case <-time.After(time.Millisecond): // when all others wait
		}
		life := []balancer.Lifecycle{balancer.Gone, balancer.Running}[n%2]
		for _, i := range list {
			r.f.Balancer().SetLifecycle(i, life, "test", start)
		}
		c.Policy.MaxInFlight = []int{1, 0, 4, 2, 8}[n%5]
		if err := r.f.Update(c); err != nil {
			r.tb.Error(err)
		}
		r.f.Waiting(start)
		r.f.Sessions(start)
		r.m.Records().Last(5, nil)
	}
}
