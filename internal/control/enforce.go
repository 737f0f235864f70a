package control

import (
	"fmt"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
)

// Enforce makes a function's instances and breaker as ordered. It is called
// whenever its instances or rules were replaced, before they take traffic.
// What others drained stays drained.
func (c *Control) Enforce(fn *exchange.Function) {
	o, now := c.State().Orders(fn.Name()), time.Now()
	for _, i := range fn.Balancer().Instances() {
		reason, wanted := o.drains(i.ID())
		_, holding := c.held.Load(i)
		switch {
		case wanted:
			c.held.Store(i, reason)
			fn.Balancer().SetDraining(i, true, reason, now)
		case holding:
			c.held.Delete(i)
			fn.Balancer().SetDraining(i, false, "ordered back", now)
		}
	}
	c.forget()
	if br := fn.Breaker(); br != nil {
		enforceBreaker(br, o.ForcedOpen, now)
	}
	if !o.SessionsVoid.IsZero() {
		fn.VoidSessions(o.SessionsVoid)
	}
}

// enforceBreaker also lets a forced breaker go: the order may have been taken
// back on another node.
func enforceBreaker(br *breaker.Breaker, open *Order, now time.Time) {
	switch forced := br.Snapshot(now).Forced; {
	case open != nil && !forced:
		br.ForceOpen(open.Reason, now)
	case open == nil && forced:
		br.Reset("no longer ordered to be open", now)
	}
}

// forget drops instances that are in no function any more.
func (c *Control) forget() {
	c.held.Range(func(key, _ any) bool {
		i, ok := key.(*balancer.Instance)
		if ok && !c.present(i) {
			c.held.Delete(key)
		}
		return true
	})
}

func (c *Control) present(i *balancer.Instance) bool {
	for name := range c.State().Functions {
		if fn := c.config.Runtime.Function(name); fn != nil && fn.Instance(i.ID()) == i {
			return true
		}
	}
	return false
}

// drains says whether an instance is ordered out, and why.
func (o *Orders) drains(id string) (string, bool) {
	if f := o.Failover; f != nil && f.Instance == id {
		return "failover " + f.Reason, true
	}
	if d, ok := o.Drained[id]; ok {
		return "drained, " + d.Reason, true
	}
	return "", false
}

// Weight is the ordered weight of an instance, else the configured one.
func (o *Orders) Weight(id string, configured int) int {
	if w, ok := o.Weights[id]; ok {
		return w
	}
	return configured
}

// Instances is the ordered number of processes, else the configured one. An
// order ends when the configuration says something else than it did then, and
// yields to the limits.
func (o *Orders) Instances(configured, low, high int) int {
	if o.Count == nil || o.Count.Configured != configured {
		return configured
	}
	return min(max(o.Count.Instances, low, 1), max(high, 1))
}

// Sentences tell people what holds for a function.
func (o *Orders) Sentences() []string {
	var list []string
	add := func(order Order, format string, args ...any) {
		list = append(list, fmt.Sprintf(format, args...)+" since "+order.At.Format(time.RFC3339)+", "+order.Reason)
	}
	if o.Stopped != nil {
		add(*o.Stopped, "stopped: checks, ejection, breaker and retries rest")
	}
	if o.Failover != nil {
		add(o.Failover.Order, "failed over: %s gets no traffic", o.Failover.Instance)
	}
	for id, d := range o.Drained {
		add(d, "drained: %s gets no traffic", id)
	}
	if o.ForcedOpen != nil {
		add(*o.ForcedOpen, "breaker forced open")
	}
	if o.Count != nil {
		add(o.Count.Order, "%d instances ordered, %d configured", o.Count.Instances, o.Count.Configured)
	}
	if o.Hold.Holds(time.Now()) {
		list = append(list, o.Hold.sentence()+" since "+o.Hold.At.Format(time.RFC3339)+", "+o.Hold.Reason)
	}
	return list
}
