package admin

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/alerting/channel"
	"holdfast/internal/control"
	"holdfast/internal/monitor"
)

// scene is what was seen in one look.
type scene struct {
	ready, draining bool
	problems        []string
	alerts          []channel.Alert
	functions       []FunctionLive
	details         map[string]*detail // of the functions somebody watches
}

// detail is a function seen from near.
type detail struct {
	instances []InstanceLive
	figures   figuresLive
}

// figuresLive are members of FunctionDetail, always all.
type figuresLive struct {
	Classes         ClassesLive `json:"classes"`
	Retries         float64     `json:"retries"`
	BudgetAvailable float64     `json:"budget_available"`
	Sessions        int         `json:"sessions"`
}

// sight is a function while it is looked at.
type sight struct {
	fn     *exchange.Function
	stats  balancer.Stats
	status FunctionStatus
	orders control.Orders
	lately passed
	worst  channel.Severity // of its alerts; empty: there is none
	odd    bool             // the monitor found something
	now    time.Time
}

// look sees everything, and the functions named from near.
func (s *Server) look(now time.Time, near []string) *scene {
	c := &scene{
		ready: s.readyNow(now), draining: s.draining.Load(), problems: []string{}, alerts: []channel.Alert{},
		functions: []FunctionLive{}, details: make(map[string]*detail, len(near)),
	}
	if s.config.Alerts != nil {
		c.alerts = append(c.alerts, s.config.Alerts()...)
	}
	if c.draining {
		c.problems = append(c.problems, shuttingDown)
	}
	figures := s.measured()
	for _, fn := range s.config.Gateway.Functions() {
		x := s.sight(fn, now)
		x.judge(c.alerts, figures.Anomalies)
		c.functions = append(c.functions, s.functionLive(x))
		c.problems = append(c.problems, x.status.problems(now)...)
		if slices.Contains(near, fn.Name()) {
			c.details[fn.Name()] = s.detail(x, figures)
		}
	}
	c.problems = append(c.problems, s.anomalies()...)
	return c
}

func (s *Server) sight(fn *exchange.Function, now time.Time) *sight {
	x := &sight{fn: fn, stats: fn.Balancer().Stats(now), now: now}
	x.status = s.functionStatusOf(fn, &x.stats, now)
	before := s.lately.before(fn, now)
	x.lately = markOf(fn, x.stats.Instances, now).since(before)
	if s.config.Control != nil {
		x.orders = s.ordered.of(s.config.Control.State(), fn.Name())
	}
	return x
}

// judge takes in what others found out about the function.
func (x *sight) judge(alerts []channel.Alert, anomalies []monitor.Anomaly) {
	for i := range alerts {
		if a := &alerts[i]; a.Function == x.fn.Name() && a.Ended.IsZero() && (x.worst == "" || a.Severity == channel.Critical) {
			x.worst = a.Severity
		}
	}
	x.odd = slices.ContainsFunc(anomalies, func(a monitor.Anomaly) bool { return a.Function == x.fn.Name() })
}

func (s *Server) functionLive(x *sight) FunctionLive {
	f := &x.status
	v := FunctionLive{
		Name: f.Name, State: x.state(), Now: x.sentence(), Breaker: f.Breaker, BreakerNextAttempt: f.BreakerNextAttempt, Instances: f.Instances,
		Rate: figure(x.lately.rate), P50MS: figure(x.lately.p50), P95MS: figure(x.lately.p95), P99MS: figure(x.lately.p99), ErrorRate: share(x.lately.errors),
		InFlight: f.InFlight, Waiting: f.Waiting, Strategy: f.Strategy, LastRequest: f.LastRequest.UTC().Truncate(time.Second), Held: x.held(),
	}
	if f.Platform != nil {
		v.Platform, v.Desired = f.Platform.Name, &f.Platform.Desired
	}
	if s.config.Bounds != nil {
		v.MinInstances, v.MaxInstances = s.config.Bounds(f.Name)
	}
	return v
}

// state is the worst that is so.
func (x *sight) state() string {
	f := &x.status
	down := f.Instances.Available == 0 && !f.AtZero
	switch {
	case f.Breaker == "open", f.Panic, down && !undecided(&x.stats), x.worst == channel.Critical:
		return "incident"
	case x.orders.Stopped != nil:
		return "stopped"
	case down, f.Breaker == "half_open", f.Instances.Failed > 0, f.RetryBudgetAvailable < 1, len(f.Platform.problems()) > 0, x.odd, x.worst == channel.Warning:
		return "warning"
	case f.AtZero:
		return "zero"
	}
	return "ok"
}

func (x *sight) held() string {
	h := x.orders.Hold
	switch {
	case !h.Holds(x.now):
		return ""
	case h.Pinned:
		return "pinned"
	}
	return "paused"
}

// sentence is what is happening, the most pressing first.
func (x *sight) sentence() string {
	f := &x.status
	is := func(is func(*balancer.InstanceStats) bool) (ids []string) {
		for i := range x.stats.Instances {
			if is(&x.stats.Instances[i]) {
				ids = append(ids, x.stats.Instances[i].ID)
			}
		}
		return ids
	}
	starting := is(func(i *balancer.InstanceStats) bool { return i.Lifecycle == balancer.Starting })
	ejected := is(func(i *balancer.InstanceStats) bool { return i.Ejected })
	failed := is(func(i *balancer.InstanceStats) bool { return i.Status == balancer.Failed })
	drained := is(func(i *balancer.InstanceStats) bool { return i.Draining })
	switch {
	case f.Breaker == "open":
		return "breaker open, " + nextTry(f.BreakerNextAttempt, x.now)
	case f.Breaker == "half_open":
		return "breaker half-open, probing"
	case len(starting) > 0:
		return "starting " + several(starting)
	case f.Instances.Available == 0 && !f.AtZero:
		return "no instance is available"
	case f.Panic:
		return "too few healthy instances, health is ignored"
	case x.orders.Failover != nil:
		return "traffic is moved off " + x.orders.Failover.Instance
	case len(ejected) > 0:
		return several(ejected) + " ejected"
	case len(failed) > 0:
		return several(failed) + " failed"
	}
	return x.calmer(drained)
}

// calmer is what is worth saying when nothing is wrong with the instances.
func (x *sight) calmer(drained []string) string {
	f := &x.status
	switch p := f.Platform; {
	case x.orders.Stopped != nil:
		return "stopped by " + x.orders.Stopped.By
	case len(drained) > 0:
		return "drain of " + strings.TrimPrefix(several(drained), "instance ")
	case f.RetryBudgetAvailable < 1:
		return "the retry budget is used up"
	case p != nil && p.Trouble != "":
		return "nothing is known of " + p.Name
	case p != nil && p.Deploying:
		return "rolling out " + cmp.Or(p.Version, "another version")
	case p != nil && p.Desired > f.Instances.Total:
		return fmt.Sprintf("going from %d to %d instances", f.Instances.Total, p.Desired)
	}
	if x.held() == "pinned" {
		return fmt.Sprintf("pinned at %d instances", x.orders.Hold.Instances)
	}
	return ""
}

func several(ids []string) string {
	if len(ids) == 1 {
		return "instance " + ids[0]
	}
	return fmt.Sprintf("%d instances", len(ids))
}

func (s *Server) detail(x *sight, figures monitored) *detail {
	d := &detail{
		instances: make([]InstanceLive, len(x.stats.Instances)),
		figures: figuresLive{
			Classes: x.lately.classes.shown(),
			Retries: figure(x.lately.retries), BudgetAvailable: math.Floor(x.status.RetryBudgetAvailable), Sessions: x.status.Sessions,
		},
	}
	before := map[string]instanceMark{}
	old := s.lately.before(x.fn, x.now)
	for _, m := range old.instances {
		before[m.id] = m
	}
	used := map[string]*monitor.Figures{}
	if f := figures.of(x.fn.Name()); f != nil {
		for i := range f.Instances {
			used[f.Instances[i].Instance] = &f.Instances[i].Figures
		}
	}
	for i := range d.instances {
		st := &x.stats.Instances[i]
		v := instanceLive(st)
		v.ended(st, before[st.ID], x.now.Sub(old.at))
		v.use(used[st.ID], figures.Own.MemoryLimit)
		if s.config.Process != nil {
			if p, ok := s.config.Process(x.fn.Name(), st.ID); ok {
				v.Version = p.Version
			}
		}
		d.instances[i] = v
	}
	return d
}

func instanceLive(i *balancer.InstanceStats) InstanceLive {
	v := InstanceLive{
		ID: i.ID, Status: i.Status.String(), Reason: i.Reason, Since: i.Since.UTC(), URL: i.Endpoint,
		InRotation: i.Status == balancer.Active || i.Status == balancer.Recovering, EjectedUntil: i.EjectedUntil, Ejections: i.EjectionCount,
		Score: share(i.Score.Total), Weight: i.Weight, InFlight: i.InFlight, P50MS: figure(ms(i.P50)), P95MS: figure(ms(i.P95)),
		Zone: i.Zone, Draining: i.Draining, SlowStart: 1,
	}
	if i.Weight > 0 {
		v.SlowStart = share(i.EffectiveWeight / float64(i.Weight))
	}
	return v
}

// ended fills in what became of its attempts since before.
func (v *InstanceLive) ended(i *balancer.InstanceStats, before instanceMark, since time.Duration) {
	if i.Successes < before.good || i.Failures < before.bad {
		before = instanceMark{} // another instance of the same name
	}
	all := i.Successes - before.good + i.Failures - before.bad
	v.Errors = i.Failures - before.bad
	v.ErrorRate = share(percent(v.Errors, all) / 100)
	if since > 0 {
		v.Rate = figure(float64(all) / since.Seconds())
	}
}

// use fills in what it uses of the machine; f may be nil.
func (v *InstanceLive) use(f *monitor.Figures, limit uint64) {
	if f == nil {
		return
	}
	v.CPUPercent, v.MemoryPercent = known(figure(f.CPU)), known(figure(f.Memory))
	if v.MemoryBytes = f.RSS; f.RSS > 0 {
		v.MemoryLimitBytes = limit
	}
}

// figure is v with three digits that count, so that a row does not change with
// what nobody sees.
func figure(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	unit := math.Pow10(2 - int(math.Floor(math.Log10(math.Abs(v)))))
	if unit <= 1 {
		return math.Round(v)
	}
	return math.Round(v*unit) / unit
}

// share is a part of 1 to a thousandth.
func share(v float64) float64 { return math.Round(1000*v) / 1000 }

// orderCache reads the orders of a State once: they are JSON inside of it, and a
// State is replaced, never changed. Safe for concurrent use.
type orderCache struct {
	mu     sync.Mutex
	state  *control.State
	orders map[string]control.Orders
}

func (c *orderCache) of(s *control.State, function string) control.Orders {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != s {
		c.state, c.orders = s, map[string]control.Orders{}
	}
	o, ok := c.orders[function]
	if !ok {
		o = s.Orders(function)
		c.orders[function] = o
	}
	return o
}
