package app

import (
	"math"
	"strconv"
	"time"

	"holdfast/autoscale"
	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/admin/access/certificate"
	"holdfast/internal/alerting"
	"holdfast/internal/config"
	"holdfast/internal/monitor"
	"holdfast/internal/store"
)

// alertView is the picture that rules of alerts look at.
func (a *App) alertView(now time.Time) alerting.View {
	c, m, h := a.config.Load(), a.monitor.Snapshot(), a.outbox.Health()
	v := alerting.View{At: now, Store: alerting.Store{Down: h.Condition == store.Down, Since: h.Since, Reason: h.Reason, Disk: h.SpoolReason, InMemory: h.OnlyInMemory}}
	figures := map[string]*monitor.FunctionFigures{}
	for i := range m.Functions {
		figures[m.Functions[i].Function] = &m.Functions[i]
	}
	for _, fn := range a.gateway.Functions() {
		if f := c.Functions[fn.Name()]; f != nil {
			v.Functions = append(v.Functions, a.alertFunction(fn, f, figures[fn.Name()], now))
		}
	}
	for i := range m.Anomalies {
		x := &m.Anomalies[i]
		v.Anomalies = append(v.Anomalies, alerting.Anomaly{
			Rule: string(x.Rule), Function: x.Function, Instance: x.Instance, Since: x.Since, Text: x.Text, Numbers: x.Numbers,
		})
	}
	v.Certificates = append(ends("gateway", a.certificate, c.TLS.Auto), ends("admin", a.door.certificate, c.Admin.TLS.Auto)...)
	return v
}

func ends(listener string, s *certificate.Source, auto bool) []alerting.Certificate {
	if s == nil {
		return nil
	}
	return []alerting.Certificate{{Listener: listener, Ends: s.Ends(), Auto: auto}}
}

func (a *App) alertFunction(fn *exchange.Function, f *config.Function, m *monitor.FunctionFigures, now time.Time) alerting.Function {
	name := fn.Name()
	b := fn.Balancer().Stats(now)
	v := alerting.Function{
		Name: name, Total: len(b.Instances), Available: b.Available, Panic: b.Panic, Stopped: a.control.State().Orders(name).Stopped != nil,
	}
	v.AtZero = v.Total == 0 && fn.Policy().ColdStart > 0
	for i := range b.Instances {
		switch in := &b.Instances[i]; in.Status {
		case balancer.Failed:
			v.Failed = append(v.Failed, alerting.Instance{ID: in.ID, Since: in.Since, Reason: in.Reason})
		case balancer.Recovering:
			v.Starting++
		case balancer.Active, balancer.Inactive:
		}
	}
	if br := fn.Breaker(); br != nil {
		s := br.Snapshot(now)
		v.Breaker = alerting.Breaker{State: s.State.String(), Since: s.Since, NextAttempt: s.NextAttempt, Forced: s.Forced, Reason: s.Reason, Failures: s.FailureCount}
	}
	if p, ok := a.platformOf(name); ok {
		v.Platform = alerting.Platform{Name: p.Name, Trouble: p.Trouble, Failure: p.Failure}
	}
	if f.Scaling.Enabled {
		v.Scaling = a.alertScaling(name)
	}
	v.Count = func(slow time.Duration) (all, bad uint64) { return countOf(fn, slow) }
	v.Figure = figuresOf(fn, &v, m, now)
	return v
}

// alertScaling is what stands against more instances.
func (a *App) alertScaling(function string) alerting.Scaling {
	view, decided, _ := a.scalingOf(function)
	if !decided {
		return alerting.Scaling{}
	}
	d := &view.Latest
	v := alerting.Scaling{Wanted: d.Wanted, Result: d.Result, Incident: d.Incident}
	for _, c := range d.Constraints {
		switch {
		case c.Rule == autoscale.ByBounds && c.To < c.From:
			v.Limit = "scaling.max_instances is " + strconv.Itoa(d.Max)
		case c.Rule == autoscale.ByBudget && c.To <= c.From:
			v.Limit = c.Reason
		}
	}
	return v
}

// countOf counts what an objective is about. One of latency takes a request
// that failed for bad, however fast that was.
func countOf(fn *exchange.Function, slow time.Duration) (all, bad uint64) {
	s := fn.Stats()
	failed := s.Exchanges[5].Load()
	if slow > 0 {
		latency := s.Latency.Snapshot()
		return latency.Count, min(latency.Count-latency.Below(slow)+failed, latency.Count)
	}
	for i := range s.Exchanges {
		all += s.Exchanges[i].Load()
	}
	return all, failed
}

// figuresOf are what formulas may use; their names are in alerting.Figures.
func figuresOf(fn *exchange.Function, v *alerting.Function, m *monitor.FunctionFigures, now time.Time) func(string) (float64, bool) {
	total, available, failed, open := v.Total, v.Available, len(v.Failed), v.Breaker.State == "open"
	return func(name string) (float64, bool) {
		switch name {
		case "in_flight":
			return float64(fn.InFlight()), true
		case "waiting":
			n, _ := fn.Waiting(now)
			return float64(n), true
		case "instances":
			return float64(total), true
		case "available":
			return float64(available), true
		case "failed":
			return float64(failed), true
		case "breaker_open":
			if open {
				return 1, true
			}
			return 0, true
		}
		if m == nil {
			return 0, false
		}
		x := measuredFigure(m, name)
		return x, !math.IsNaN(x)
	}
}

func measuredFigure(m *monitor.FunctionFigures, name string) float64 {
	most := func(of func(*monitor.InstanceFigures) float64) float64 {
		worst := math.NaN()
		for i := range m.Instances {
			if x := of(&m.Instances[i]); math.IsNaN(worst) || x > worst {
				worst = x
			}
		}
		return worst
	}
	switch name {
	case "requests_per_second":
		return m.Rate
	case "error_percent":
		return m.Errors
	case "p50_ms":
		return m.P50
	case "p95_ms":
		return m.P95
	case "p99_ms":
		return m.P99
	case "cpu_percent":
		return most(func(i *monitor.InstanceFigures) float64 { return i.CPU })
	case "memory_percent":
		return most(func(i *monitor.InstanceFigures) float64 { return i.Memory })
	case "event_loop_lag_ms":
		return most(func(i *monitor.InstanceFigures) float64 { return i.LoopLag })
	}
	return math.NaN()
}
