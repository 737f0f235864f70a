package monitor

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/exchange"
	"holdfast/internal/history"
)

//nolint:gochecknoglobals // a constant that Go cannot write
var nan = math.NaN()

// Config configures a Monitor.
type Config struct {
	// Functions returns what to measure; required.
	Functions func() []*exchange.Function
	// Numbers returns what an instance's last health answer said of itself. nil:
	// nothing.
	Numbers func(function, instance string) map[string]float64
	// Group returns the process group of an instance that runs on this machine,
	// 0 for others. nil: none does.
	Group func(function, instance string) int
	// Past returns the minutes of a function in [from, to). nil: latency is not
	// compared with last week's.
	Past func(ctx context.Context, function string, from, to time.Time) ([]history.Point, error)
	// Tell is told of each anomaly that begins or ends, one after another; it must
	// not block. May be nil.
	Tell   func(Anomaly)
	Limits Limits
}

// Monitor measures and judges. Safe for concurrent use.
type Monitor struct {
	config      Config
	limits      atomic.Pointer[Limits]
	memoryLimit uint64

	// Of Run alone:
	own      *own
	groups   groups
	followed map[*exchange.Function]*followed
	next     map[*exchange.Function]*followed
	watches  map[watched]*watch
	weeks    weeks

	mu       sync.Mutex
	snapshot Snapshot
}

type watched struct {
	Rule
	Subject
}

// Snapshot is the latest measurement, and what is out of the ordinary. It is
// not changed after it was handed out.
type Snapshot struct {
	Own       OwnFigures
	Functions []FunctionFigures // by name
	Anomalies []Anomaly         // that last, the oldest first
}

// New makes a monitor; Run runs it.
func New(c Config) *Monitor {
	m := &Monitor{
		config: c, memoryLimit: memoryLimit(), own: newOwn(),
		followed: map[*exchange.Function]*followed{}, watches: map[watched]*watch{},
	}
	m.SetLimits(c.Limits)
	return m
}

// SetLimits puts other limits in force, from the next measurement on.
func (m *Monitor) SetLimits(l Limits) {
	l = l.withDefaults()
	m.limits.Store(&l)
}

// Run measures every 10 s until ctx ends.
func (m *Monitor) Run(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	m.look(ctx, time.Now())
	for {
		select {
		case now := <-ticker.C:
			m.look(ctx, now)
		case <-ctx.Done():
			return nil
		}
	}
}

// Snapshot returns the latest measurement; the zero one before the first.
func (m *Monitor) Snapshot() Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.snapshot
}

// look measures and judges once.
func (m *Monitor) look(ctx context.Context, now time.Time) {
	// Looked at only where an instance runs on this machine.
	used := sync.OnceValue(func() map[int]usage { return m.groups.sum(processes(), now) })
	m.next = map[*exchange.Function]*followed{}
	s := Snapshot{Own: m.own.measure(now)}
	for _, fn := range m.config.Functions() {
		s.Functions = append(s.Functions, m.measure(fn, used, now))
	}
	m.followed = m.next
	slices.SortFunc(s.Functions, func(a, b FunctionFigures) int { return cmp.Compare(a.Function, b.Function) })
	m.weeks.look(ctx, m.config.Past, s.Functions, now)
	m.judge(&s, now)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.snapshot = s
}

// judge applies the rules to all that was measured, and ends the anomalies of
// what is gone.
func (m *Monitor) judge(s *Snapshot, now time.Time) {
	seen := map[watched]bool{}
	apply := func(rule Rule, about Subject, f finding) {
		key := watched{rule, about}
		w := m.watches[key]
		if w == nil {
			if !(f.value > f.limit) {
				return // all is ordinary, as it nearly always is: nothing to remember
			}
			w = &watch{}
			m.watches[key] = w
		}
		seen[key] = true
		m.tell(w.look(rule, about, &f, now))
		if w.current == nil && w.over.IsZero() {
			delete(m.watches, key)
		}
	}
	m.judgeOwn(&s.Own, apply)
	for i := range s.Functions {
		m.judgeFunction(&s.Functions[i], apply)
	}
	for key, w := range m.watches {
		if !seen[key] {
			delete(m.watches, key)
			if w.current != nil {
				w.current.Text = "gone"
				m.tell(w.end(now))
			}
		} else if w.current != nil {
			s.Anomalies = append(s.Anomalies, *w.current)
		}
	}
	slices.SortFunc(s.Anomalies, func(a, b Anomaly) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.Rule, b.Rule))
	})
}

func (m *Monitor) tell(a *Anomaly) {
	if a != nil && m.config.Tell != nil {
		m.config.Tell(*a)
	}
}
