package exchange

import (
	"runtime"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
)

type wakes chan struct{}

func (w wakes) Wake() { w <- struct{}{} }

// The test holds the lock of the lines, so that the second exchange stops
// between its look and the line, and lets the first one go meanwhile: it tells
// nobody, since nobody is in the line yet.
func TestWhoLinesUpLooksOnceMore(t *testing.T) {
	t.Parallel()
	for name, probe := range map[string]bool{"instance": false, "probe": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			m, f := oneOfEverything(t, probe, now)
			now = now.Add(time.Hour)
			var first, second Exchange
			if step := m.Begin(&first, &Request{Path: "/"}, nil, now); step.Do != Attempt {
				t.Fatalf("the first exchange gets %s", step.Do)
			}
			f.admission.mu.Lock()
			got := make(chan Step)
			go func() { got <- m.Begin(&second, &Request{Path: "/"}, make(wakes, 8), now) }()
			for range 10_000 {
				runtime.Gosched()
			}
			first.End(now)
			f.admission.mu.Unlock()
			if step := <-got; step.Do != Attempt {
				t.Errorf("the second exchange gets %s (%s), want attempt", step.Do, step.Reason)
			}
			second.End(now)
			if n, _ := f.Waiting(now); n != 0 || f.InFlight() != 0 {
				t.Errorf("%d wait, %d in flight", n, f.InFlight())
			}
		})
	}
}

// oneOfEverything is a function with one instance that takes one exchange, or a
// breaker that is due and takes one probe.
func oneOfEverything(t *testing.T, probe bool, now time.Time) (*Machine, *Function) {
	t.Helper()
	c := FunctionConfig{Name: "a", Policy: Policy{WaitForInstance: time.Hour}}
	spec := balancer.Spec{ID: "b", MaxInFlight: 1}
	if probe {
		c.Breaker = &breaker.Config{FailureThreshold: 1, HalfOpenMaxCalls: 1}
		spec.MaxInFlight = 0
	}
	f, err := NewFunction(c)
	if err != nil {
		t.Fatal(err)
	}
	i := balancer.NewInstance(spec)
	f.SetInstances([]*balancer.Instance{i}, now)
	f.balancer.SetHealth(i, balancer.HealthUp, "up", now)
	router, err := NewRouter([]Route{{Function: f}})
	if err != nil {
		t.Fatal(err)
	}
	m := NewMachine(MachineConfig{Records: 10})
	m.SetRouter(router)
	if probe {
		permit, _ := f.Breaker().Allow(now)
		f.Breaker().Done(permit, breaker.Failure, 0, now)
	}
	return m, f
}
