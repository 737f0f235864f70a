package admin

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/monitor"
)

const (
	latelyStep  = 5 * time.Second
	latelySpan  = 15 * time.Minute
	latelyKept  = int(latelySpan / latelyStep)
	latelyMarks = 3 // so that the oldest is 10 to 15 s old
)

// lately keeps the last quarter of an hour of every function, a point each 5 s:
// 45 KiB a function, less where nobody asks, and for what happened in the last seconds three marks
// of 2 KiB and 40 bytes an instance. It is lost with the process; history keeps
// minutes.
type lately struct {
	start time.Time

	mu        sync.Mutex
	functions map[*exchange.Function]*trail
}

// trail is what is kept of one function.
type trail struct {
	marks  []*mark // the last ones, the oldest first
	points []point // a ring
	n      int     // that were ever put in
}

// mark is the counters of a function at one moment.
type mark struct {
	at        time.Time
	classes   [6]uint64
	failed    uint64 // of the 5xx those that no instance answered
	retries   uint64
	latency   *exchange.HistogramSnapshot // nil: there was nothing
	instances []instanceMark
}

// instanceMark is the counters of an instance.
type instanceMark struct {
	id        string
	good, bad uint64
}

// point is 5 s of a function. NaN is unknown.
type point struct {
	at                time.Time
	rate              float32
	classes           classRates
	retries           float32
	p50, p95, p99     float32              // ms; NaN: nobody asked
	latency           *[heatBuckets]uint32 // nil: nobody asked
	inFlight, waiting int32
	instances         statusCounts
	desired           int32 // -1: nobody says
	cpu, memory       float32
}

// statusCounts are instances by status.
type statusCounts struct{ active, recovering, inactive, failed int32 }

// classRates are exchanges per second by what became of them.
type classRates struct{ info, good, moved, refused, failing, failed, left float32 }

// The heat map has two buckets per doubling from 1 ms (2^20 ns) to 8.6 s, and
// one on either side.
const (
	heatFirst   = 20
	heatLast    = 33
	heatBounds  = 2*(heatLast-heatFirst) + 1
	heatBuckets = heatBounds + 1
)

// heatBound is where a bucket ends. The exchange's histogram has a bound there too.
func heatBound(i int) time.Duration {
	d := time.Duration(1) << (heatFirst + i/2)
	return d + d/2*time.Duration(i%2)
}

// noInstance are the reasons of exchanges that no instance answered.
func noInstance() []exchange.Reason {
	return []exchange.Reason{
		exchange.ReasonBreakerOpen, exchange.ReasonHalfOpen, exchange.ReasonQueueFull, exchange.ReasonQueueTimeout, exchange.ReasonStarting,
		exchange.ReasonNoInstance, exchange.ReasonInstancesFull, exchange.ReasonUnreachable, exchange.ReasonAttemptTimeout,
		exchange.ReasonExchangeTimeout, exchange.ReasonReset,
	}
}

func markOf(fn *exchange.Function, instances []balancer.InstanceStats, now time.Time) *mark {
	stats := fn.Stats()
	latency := stats.Latency.Snapshot()
	m := &mark{at: now, retries: stats.Retries.Load(), latency: &latency, instances: make([]instanceMark, len(instances))}
	for _, r := range noInstance() {
		m.failed += stats.Reasons[r].Load()
	}
	for class := range m.classes {
		m.classes[class] = stats.Exchanges[class].Load()
	}
	for i := range instances {
		m.instances[i] = instanceMark{instances[i].ID, instances[i].Successes, instances[i].Failures}
	}
	return m
}

// later is the mark of a function that nobody asked since the last one: of most,
// most of the time. It shares what is in that one. nil: somebody did.
func (m *mark) later(fn *exchange.Function, now time.Time) *mark {
	stats := fn.Stats()
	for class := range m.classes {
		if m.classes[class] != stats.Exchanges[class].Load() {
			return nil
		}
	}
	if m.retries != stats.Retries.Load() {
		return nil
	}
	same := *m
	same.at = now
	return &same
}

// passed is what happened between two marks.
type passed struct {
	seconds       float64
	rate          float64
	classes       classRates
	retries       float64
	errors        float64 // share with 5xx, 0 to 1
	p50, p95, p99 float64 // ms; 0: nobody asked
	latency       exchange.HistogramSnapshot
}

func (m *mark) since(old *mark) passed {
	p := passed{seconds: m.at.Sub(old.at).Seconds()}
	if p.seconds <= 0 || m.latency == old.latency {
		return p
	}
	p.latency = m.latency.Sub(*cmp.Or(old.latency, &exchange.HistogramSnapshot{}))
	var all uint64
	var each [6]float32
	for class := range m.classes {
		n := m.classes[class] - old.classes[class]
		all += n
		each[class] = float32(float64(n) / p.seconds)
	}
	failed := float32(float64(m.failed-old.failed) / p.seconds)
	p.classes = classRates{each[1], each[2], each[3], each[4], max(each[5]-failed, 0), failed, each[0]}
	p.rate, p.retries = float64(all)/p.seconds, float64(m.retries-old.retries)/p.seconds
	p.errors = percent(m.classes[5]-old.classes[5], all) / 100
	p.p50, p.p95, p.p99 = ms(p.latency.Quantile(0.5)), ms(p.latency.Quantile(0.95)), ms(p.latency.Quantile(0.99))
	return p
}

// before is the oldest mark of a function: 10 to 15 s ago, if it is not younger
// than that itself.
func (l *lately) before(fn *exchange.Function, now time.Time) *mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.functions[fn]; t != nil {
		return t.marks[0]
	}
	begun := now.Add(-latelyStep) // else it would have a mark
	if begun.Before(l.start) {
		begun = l.start
	}
	return &mark{at: begun}
}

// take adds a point of every function, and forgets those that are gone. One
// goroutine calls it.
func (l *lately) take(s *Server, now time.Time) {
	figures := s.measured()
	type news struct {
		fn *exchange.Function
		m  *mark
		p  point
	}
	var list []news
	for _, fn := range s.config.Gateway.Functions() {
		stats := fn.Balancer().Stats(now)
		last := &mark{at: now.Add(-latelyStep)}
		if t := l.functions[fn]; t != nil { // nobody else writes it
			last = t.marks[len(t.marks)-1]
		}
		m := last.later(fn, now)
		if m == nil {
			m = markOf(fn, stats.Instances, now)
		}
		p := pointOf(m.since(last), now)
		p.stand(s, fn, &stats, figures, now)
		list = append(list, news{fn, m, p})
	}
	next := make(map[*exchange.Function]*trail, len(list))
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range list {
		t := l.functions[x.fn]
		if t == nil {
			t = &trail{}
		}
		t.add(x.m, x.p)
		next[x.fn] = t
	}
	l.functions = next
}

// stand fills in what is at this moment.
func (p *point) stand(s *Server, fn *exchange.Function, stats *balancer.Stats, figures monitored, now time.Time) {
	c := countInstances(stats)
	waiting, _ := fn.Waiting(now)
	p.inFlight, p.waiting, p.desired = int32(fn.InFlight()), int32(waiting), -1                          //nolint:gosec // there are far fewer
	p.instances = statusCounts{int32(c.Active), int32(c.Recovering), int32(c.Inactive), int32(c.Failed)} //nolint:gosec // there are far fewer
	if v := s.platform(fn.Name()); v != nil {
		p.desired = int32(v.Desired) //nolint:gosec // there are far fewer
	}
	if f := figures.of(fn.Name()); f != nil {
		p.cpu, p.memory = float32(f.CPU), float32(f.Memory)
	}
}

func (t *trail) add(m *mark, p point) {
	if len(t.marks) == latelyMarks {
		t.marks = append(t.marks[:0:0], t.marks[1:]...)
	}
	t.marks = append(t.marks, m)
	if len(t.points) < latelyKept {
		t.points = append(t.points, p)
	} else {
		t.points[t.n%latelyKept] = p
	}
	t.n++
}

func pointOf(p passed, now time.Time) point {
	unknown := float32(math.NaN())
	v := point{at: now, rate: float32(p.rate), classes: p.classes, retries: float32(p.retries), p50: unknown, p95: unknown, p99: unknown, cpu: unknown, memory: unknown}
	if p.latency.Count == 0 {
		return v
	}
	v.p50, v.p95, v.p99 = float32(p.p50), float32(p.p95), float32(p.p99)
	v.latency = &[heatBuckets]uint32{}
	var below uint64
	for i := range heatBounds {
		n := p.latency.Below(heatBound(i))
		v.latency[i], below = uint32(n-below), n //nolint:gosec // of 5 s
	}
	v.latency[heatBounds] = uint32(p.latency.Count - below) //nolint:gosec // of 5 s
	return v
}

// monitored are the monitor's latest figures.
type monitored struct{ monitor.Snapshot }

func (s *Server) measured() monitored {
	if s.config.Performance == nil {
		return monitored{}
	}
	return monitored{s.config.Performance()}
}

// of returns nil for a function that was not measured yet.
func (m monitored) of(function string) *monitor.FunctionFigures {
	n, ok := slices.BinarySearchFunc(m.Functions, function, func(f monitor.FunctionFigures, name string) int { return cmp.Compare(f.Function, name) })
	if !ok {
		return nil
	}
	return &m.Functions[n]
}
