package scaler_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"holdfast/autoscale"
	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/scaler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// machine is a platform whose instances start at once, unless told otherwise.
type machine struct {
	mu      sync.Mutex
	desired int
	blind   bool // nobody knows how things are
	broken  bool // nothing can be carried out
	state   autoscale.InstanceState
	cpu     float64
	each    map[string]float64 // what instances say of their queues
	since   time.Time          // when the version came
	kept    []autoscale.Decision
	errs    []error
}

func (m *machine) Observe(string) (scaler.Observation, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := scaler.Observation{Desired: m.desired, VersionSince: m.since}
	for n := range m.desired {
		o.Instances = append(o.Instances, autoscale.Instance{ID: string(rune('a' + n)), State: m.state})
	}
	return o, !m.blind
}

func (m *machine) Scale(_ string, d *autoscale.Decision) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken {
		return errors.New("no room")
	}
	m.desired = d.Result
	return nil
}

func (m *machine) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func (m *machine) instances() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.desired
}

// run has a scaler look after one function on virtual time.
func run(t *testing.T, m *machine, p autoscale.Policy, do func(s *scaler.Scaler, fn *exchange.Function)) {
	t.Helper()
	runTarget(t, m, scaler.Target{Policy: p}, do)
}

func runTarget(t *testing.T, m *machine, target scaler.Target, do func(s *scaler.Scaler, fn *exchange.Function)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fn, err := exchange.NewFunction(exchange.FunctionConfig{Name: "f", Balancer: balancer.Config{}})
		if err != nil {
			t.Fatal(err)
		}
		target.Function = fn
		s := scaler.New(scaler.Config{
			Targets:  func() []scaler.Target { return []scaler.Target{target} },
			Platform: m,
			Measured: func(string) scaler.Measured {
				m.mu.Lock()
				defer m.mu.Unlock()
				each := map[string]map[autoscale.Signal]float64{}
				for id, v := range m.each {
					each[id] = map[autoscale.Signal]float64{queue: v}
				}
				return scaler.Measured{Function: map[autoscale.Signal]float64{autoscale.CPUPercent: m.cpu}, Instances: each}
			},
			Decided: func(_ string, d *autoscale.Decision) { m.set(func() { m.kept = append(m.kept, *d) }) },
			Failed:  func(_ string, err error) { m.set(func() { m.errs = append(m.errs, err) }) },
		})
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		do(s, fn)
		stop()
		wg.Wait()
	})
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func policy() autoscale.Policy {
	return autoscale.Policy{
		Min: 1, Max: 4, Cooldown: 10 * time.Second, Boot: 10 * time.Second,
		Down: autoscale.Limits{Hold: 10 * time.Second, Rates: []autoscale.Rate{{Instances: 1, Per: time.Second}}},
		Thresholds: autoscale.Thresholds{
			Up:   map[autoscale.Signal]float64{autoscale.CPUPercent: 70},
			Down: map[autoscale.Signal]float64{autoscale.CPUPercent: 30},
		},
	}
}

func TestInstancesFollowWhatIsMeasured(t *testing.T) {
	t.Parallel()
	m := &machine{desired: 1, state: autoscale.Ready, cpu: 90}
	run(t, m, policy(), func(s *scaler.Scaler, _ *exchange.Function) {
		pass(3 * time.Second)
		if n := m.instances(); n != 2 {
			t.Errorf("%d instances after the first decisions, want 2", n)
		}
		pass(time.Minute)
		if n := m.instances(); n != 4 {
			t.Errorf("%d instances after a minute of load, want 4", n)
		}
		m.set(func() { m.cpu = 5 })
		pass(2 * time.Minute)
		if n := m.instances(); n != 1 {
			t.Errorf("%d instances after two quiet minutes, want 1", n)
		}
		v, ok := s.View("f")
		if !ok || v.Latest.Current != 1 || len(v.Earlier) < 6 {
			t.Errorf("view: %v, %d, %d earlier ones", ok, v.Latest.Current, len(v.Earlier))
		}
		changes := 0
		for i := range m.kept {
			if err := m.kept[i].Replay(); err != nil {
				t.Error(err)
			}
			if m.kept[i].Result != m.kept[i].Current {
				changes++
			}
		}
		if changes != 6 {
			t.Errorf("%d changes were told of, want 6", changes)
		}
	})
}

func TestWhatCannotBeCarriedOutIsAskedForAgain(t *testing.T) {
	t.Parallel()
	m := &machine{desired: 1, state: autoscale.Ready, cpu: 90, broken: true}
	run(t, m, policy(), func(*scaler.Scaler, *exchange.Function) {
		pass(5 * time.Second)
		m.set(func() { m.broken = false })
		pass(3 * time.Second)
		if n := m.instances(); n != 2 || len(m.errs) < 2 {
			t.Errorf("%d instances, %d errors", n, len(m.errs))
		}
	})
}

func TestWithoutAnswerOfThePlatformNothingIsDecided(t *testing.T) {
	t.Parallel()
	m := &machine{desired: 1, state: autoscale.Ready, cpu: 90, blind: true}
	run(t, m, policy(), func(s *scaler.Scaler, _ *exchange.Function) {
		pass(10 * time.Second)
		if _, ok := s.View("f"); ok || m.instances() != 1 {
			t.Error("something was decided")
		}
	})
}

func TestInstancesThatWereNeverReadyCountAsStarting(t *testing.T) {
	t.Parallel()
	m := &machine{desired: 2, state: autoscale.Unready, cpu: 90}
	run(t, m, policy(), func(s *scaler.Scaler, _ *exchange.Function) {
		pass(3 * time.Second)
		if v, _ := s.View("f"); v.Latest.Starting != 2 {
			t.Errorf("%d starting, want 2", v.Latest.Starting)
		}
		pass(time.Minute) // twice as long as they may take, and more
		if n := m.instances(); n != 2 {
			t.Errorf("%d instances, and none was ever ready", n)
		}
		m.set(func() { m.state = autoscale.Ready })
		pass(3 * time.Second)
		m.set(func() { m.state = autoscale.Unready })
		pass(3 * time.Second)
		if v, _ := s.View("f"); v.Latest.Starting != 0 || v.Latest.Ready != 0 {
			t.Errorf("%d starting, %d ready: they have been ready before", v.Latest.Starting, v.Latest.Ready)
		}
	})
}

func TestNothingIsRemovedBeforeAnythingWasMeasured(t *testing.T) {
	t.Parallel()
	m := &machine{desired: 3, state: autoscale.Ready}
	p := policy()
	p.Cooldown, p.Down.Hold = 0, -1
	p.Thresholds = autoscale.Thresholds{Down: map[autoscale.Signal]float64{autoscale.ActiveConnections: 2}}
	run(t, m, p, func(s *scaler.Scaler, _ *exchange.Function) {
		pass(time.Second)
		if v, ok := s.View("f"); !ok || m.instances() != 3 {
			t.Errorf("%d instances after the first decision, which knows no connections yet: %+v", m.instances(), v.Latest.Proposals)
		}
		pass(10 * time.Second)
		if n := m.instances(); n != 1 {
			t.Errorf("%d instances without any connections, want 1", n)
		}
	})
}

func TestARingOfDecisionsIsKept(t *testing.T) {
	t.Parallel()
	m := &machine{desired: 1, state: autoscale.Ready}
	p := policy()
	p.Cooldown, p.Down.Hold = 0, -1
	run(t, m, p, func(s *scaler.Scaler, _ *exchange.Function) {
		for i := range 60 {
			m.set(func() { m.cpu = float64(90 - 85*(i%2)) })
			pass(2 * time.Second)
		}
		v, _ := s.View("f")
		if len(v.Earlier) != 32 {
			t.Errorf("%d decisions are kept, want 32", len(v.Earlier))
		}
		for i := 1; i < len(v.Earlier); i++ {
			if v.Earlier[i].At.Before(v.Earlier[i-1].At) {
				t.Fatal("they are not in order")
			}
		}
	})
}
