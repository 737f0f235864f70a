package gateway

import (
	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/internal/event"
	"holdfast/retry"
)

// watched makes a function's breaker and balancer publish what they do.
func (g *Gateway) watched(c exchange.FunctionConfig) exchange.FunctionConfig {
	name := c.Name
	c.Balancer.OnEvent = func(e balancer.Event) { g.instanceEvent(name, e) }
	if c.Breaker != nil {
		b := *c.Breaker
		b.OnEvent = func(e breaker.Event) { g.breakerEvent(name, e) }
		c.Breaker = &b
	}
	return c
}

func (g *Gateway) breakerEvent(function string, e breaker.Event) {
	g.config.Events.Publish(event.Event{
		At: e.At, Kind: event.Breaker, Function: function,
		From: e.From.String(), To: e.To.String(), Source: "results", Reason: e.Reason,
	})
}

func (g *Gateway) instanceEvent(function string, e balancer.Event) {
	if e.Kind == balancer.Ready {
		return // for those who wait for an instance; to people nothing has changed
	}
	out := event.Event{
		At: e.At, Kind: kindOf(e.Kind), Function: function,
		From: e.From.String(), To: e.To.String(), Source: e.Source, Reason: e.Reason,
	}
	if e.Instance != nil {
		out.Instance = e.Instance.ID()
	} else { // panic is about all instances
		out.From, out.To = "", ""
	}
	g.config.Events.Publish(out)
	if e.Kind == balancer.StatusChanged && g.recovered(e) {
		out.Kind = event.Recovery
		g.config.Events.Publish(out)
	}
}

// recovered says whether an instance that had failed is back: not when it
// starts again, but when it takes its full share.
func (g *Gateway) recovered(e balancer.Event) bool {
	switch e.To {
	case balancer.Failed:
		g.failed.Store(e.Instance, true)
	case balancer.Active:
		_, was := g.failed.LoadAndDelete(e.Instance)
		return was
	case balancer.Inactive:
		g.failed.Delete(e.Instance)
	case balancer.Recovering:
	}
	return false
}

func kindOf(k balancer.EventKind) event.Kind {
	switch k {
	case balancer.StatusChanged, balancer.Ready:
		return event.InstanceStatus
	case balancer.Ejected:
		return event.InstanceEjected
	case balancer.EjectionRefused:
		return event.EjectionRefused
	case balancer.Returned:
		return event.InstanceBack
	case balancer.PanicEntered, balancer.PanicLeft:
		return event.Panic
	}
	return event.InstanceStatus
}

// observe gets each finished exchange: the access log and whoever looks into
// failed instances hear of it.
func (g *Gateway) observe(r *exchange.Record) {
	if g.config.Failed != nil {
		for i := range r.Attempts[:r.N] {
			switch a := &r.Attempts[i]; a.Kind {
			case retry.Unreachable, retry.Timeout, retry.Reset:
				g.config.Failed(r.FunctionOf(i).Name(), a.Instance.ID())
			case retry.OK, retry.Status, retry.Canceled:
			}
		}
	}
	g.access.observe(r)
	if g.config.Observe != nil {
		g.config.Observe(r)
	}
}
