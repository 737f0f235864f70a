package control

import (
	"context"
	"maps"
	"time"

	"holdfast/exchange"
	"holdfast/internal/store"
)

// maxWeight is the balancer's.
const maxWeight = 1000

// Stop lets checks, ejection, breaker, retries and scaling of a function rest
// until Initialize. Traffic flows, to every instance that is not drained.
func (c *Control) Stop(ctx context.Context, by store.Actor, function, reason string) error {
	if _, err := c.function(function); err != nil {
		return err
	}
	err := c.order(ctx, by, function, "function.stop", reason, func(o *Orders) error {
		if o.Stopped == nil {
			o.Stopped = &Order{by.Name, time.Now(), because(by, reason)}
		}
		return nil
	})
	if err == nil {
		c.publish(function, "", "stop", "monitoring rests, "+because(by, reason))
	}
	return err
}

// Initialize begins anew: the function is enabled and watched, its breaker is
// fresh, and its checks run now.
func (c *Control) Initialize(ctx context.Context, by store.Actor, function, reason string) error {
	fn, err := c.function(function)
	if err != nil {
		return err
	}
	err = c.change(ctx, by, function, "function.initialize", reason, func(row *store.FunctionConfig) error {
		o := ordersOf(*row)
		o.Stopped, o.ForcedOpen = nil, nil
		if err := setOrders(row, o); err != nil {
			return err
		}
		return c.enable(row)
	})
	if err != nil {
		return err
	}
	if br := fn.Breaker(); br != nil {
		br.Reset("initialized, "+because(by, reason), time.Now())
	}
	c.config.Runtime.Recheck(function)
	c.publish(function, "", "initialize", "monitoring begins anew, "+because(by, reason))
	return nil
}

// Disable sets enabled to false: breaker, ejection, retries and scaling rest,
// checks go on and traffic flows.
func (c *Control) Disable(ctx context.Context, by store.Actor, function string) error {
	if _, err := c.function(function); err != nil {
		return err
	}
	err := c.change(ctx, by, function, "function.disable", "", func(row *store.FunctionConfig) error {
		row.Enabled = false
		return nil
	})
	if err == nil {
		c.publish(function, "", "disable", because(by, ""))
	}
	return err
}

// ClearSessions ends all sessions of a function and returns how many there
// were. Cookies that are still to come back count for nothing.
func (c *Control) ClearSessions(ctx context.Context, by store.Actor, function, reason string) (int, error) {
	fn, err := c.function(function)
	if err != nil {
		return 0, err
	}
	now := time.Now()
	n := fn.Sessions(now)
	err = c.order(ctx, by, function, "function.clear_sessions", reason, func(o *Orders) error {
		o.SessionsVoid = now
		return nil
	})
	if err != nil {
		return 0, err
	}
	n = max(n, fn.ClearSessions(now))
	c.publish(function, "", "clear_sessions", because(by, reason))
	return n, nil
}

// Drain takes an instance out of rotation, or with on false puts it back.
func (c *Control) Drain(ctx context.Context, by store.Actor, function, instance string, on bool, reason string) error {
	fn, err := c.instance(function, instance, !on)
	if err != nil {
		return err
	}
	action := "instance.undrain"
	if on {
		action = "instance.drain"
	}
	err = c.order(ctx, by, function, action, reason, func(o *Orders) error {
		_, drained := o.Drained[instance]
		switch {
		case !on && o.Failover != nil && o.Failover.Instance == instance:
			return conflict("holdfast function failback "+function+" does", "%s is out by a failover, which undrain does not take back", instance)
		case !on && !drained:
			return conflict("", "%s is not drained by order", instance)
		}
		o.Drained = maps.Clone(o.Drained)
		if !on {
			delete(o.Drained, instance)
			return nil
		}
		if o.Drained == nil {
			o.Drained = map[string]Order{}
		}
		o.Drained[instance] = Order{by.Name, time.Now(), because(by, reason)}
		return nil
	})
	if err == nil {
		c.publish(fn.Name(), instance, action, because(by, reason))
	}
	return err
}

// Weigh gives an instance another weight; 0 gives it the configured one back.
func (c *Control) Weigh(ctx context.Context, by store.Actor, function, instance string, weight int) error {
	if weight < 0 || weight > maxWeight {
		return invalid("weight", "0 is the configured one", "must be between 0 and %d, is %d", maxWeight, weight)
	}
	fn, err := c.instance(function, instance, weight == 0)
	if err != nil {
		return err
	}
	err = c.order(ctx, by, function, "instance.weight", "", func(o *Orders) error {
		o.Weights = maps.Clone(o.Weights)
		if weight == 0 {
			delete(o.Weights, instance)
			return nil
		}
		if o.Weights == nil {
			o.Weights = map[string]int{}
		}
		o.Weights[instance] = weight
		return nil
	})
	if err == nil {
		c.publish(fn.Name(), instance, "instance.weight", because(by, ""))
	}
	return err
}

// instance returns the function of an instance. One that is gone may still
// have orders to take back.
func (c *Control) instance(function, instance string, goneToo bool) (*exchange.Function, error) {
	fn, err := c.function(function)
	if err != nil {
		return nil, err
	}
	if fn.Instance(instance) != nil {
		return fn, nil
	}
	o := c.State().Orders(function)
	_, drained := o.drains(instance)
	_, weighed := o.Weights[instance]
	if goneToo && (drained || weighed) {
		return fn, nil
	}
	return nil, notFound("function %s has no instance %q", function, instance)
}

// ResetBreaker closes a function's breaker and forgets its counts, also when
// it was forced open.
func (c *Control) ResetBreaker(ctx context.Context, by store.Actor, function, reason string) error {
	fn, err := c.function(function)
	if err != nil {
		return err
	}
	if fn.Breaker() == nil {
		return c.noBreaker(function)
	}
	err = c.order(ctx, by, function, "breaker.reset", reason, func(o *Orders) error {
		o.ForcedOpen = nil
		return nil
	})
	if err != nil {
		return err
	}
	fn.Breaker().Reset("reset "+because(by, reason), time.Now())
	c.publish(function, "", "breaker.reset", because(by, reason))
	return nil
}

// OpenBreaker keeps a function's breaker open until it is reset.
func (c *Control) OpenBreaker(ctx context.Context, by store.Actor, function, reason string) error {
	fn, err := c.function(function)
	switch {
	case err != nil:
		return err
	case fn.Breaker() == nil:
		return c.noBreaker(function)
	case reason == "":
		return invalid("reason", "everybody who meets the breaker reads it", "must say why")
	}
	err = c.order(ctx, by, function, "breaker.force_open", reason, func(o *Orders) error {
		o.ForcedOpen = &Order{by.Name, time.Now(), because(by, reason)}
		return nil
	})
	if err == nil {
		c.publish(function, "", "breaker.force_open", because(by, reason))
	}
	return err
}

func (c *Control) noBreaker(function string) error {
	o := c.State().Orders(function)
	switch {
	case o.Stopped != nil:
		return conflict("holdfast function init "+function+" begins anew", "function %s is stopped: its breaker rests", function)
	case !c.Enabled(function):
		return conflict("holdfast function init "+function+" enables it", "function %s is disabled: its breaker rests", function)
	}
	return conflict("circuit_breaker.disabled is true", "function %s has no breaker", function)
}

// Start takes Stop and Disable back. What the breaker and the checks know
// stays as it is.
func (c *Control) Start(ctx context.Context, by store.Actor, function, reason string) error {
	if _, err := c.function(function); err != nil {
		return err
	}
	err := c.change(ctx, by, function, "function.start", reason, func(row *store.FunctionConfig) error {
		o := ordersOf(*row)
		o.Stopped = nil
		if err := setOrders(row, o); err != nil {
			return err
		}
		return c.enable(row)
	})
	if err == nil {
		c.publish(function, "", "start", "monitoring goes on, "+because(by, reason))
	}
	return err
}
