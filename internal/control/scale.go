package control

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"holdfast/internal/store"
)

// Scaled says what became of an order to scale.
type Scaled struct {
	Function string `json:"function_name"`
	// Before and After are the wanted numbers of instances; Ready is how many
	// take traffic.
	Before int `json:"instance_count_before"`
	After  int `json:"instance_count_after"`
	Ready  int `json:"ready"`
	// Pending: the instances are still coming or going. The action is logged
	// when they are done.
	Pending bool                 `json:"pending"`
	Action  *store.ScalingAction `json:"action,omitempty"` // missing while pending
}

// Scale sets the number of a function's instances: To, or one more or less
// when Direction is "up" or "down". The limits of the configuration hold, its
// cooldown does not bind a person. It returns when the instances are ready or
// gone, or when ctx ends; the order is carried out in any case.
func (c *Control) Scale(ctx context.Context, by store.Actor, function, direction string, to int, reason string) (Scaled, error) {
	if _, err := c.function(function); err != nil {
		return Scaled{}, err
	}
	s := Scaled{Function: function}
	if c.config.Runtime.Scaling(function).Remembers {
		if err := c.scaleThere(ctx, by, &s, direction, to, reason); err != nil {
			return Scaled{}, err
		}
		return c.awaitFor(ctx, s, by, reason), nil
	}
	err := c.order(ctx, by, function, "function.scale", reason, func(o *Orders) error {
		limits := c.config.Runtime.Scaling(function)
		n, err := wanted(&limits, function, direction, to)
		if err != nil {
			return err
		}
		s.Before, s.After, s.Ready = limits.Wanted, n, limits.Ready
		if o.Count = nil; n != limits.Unordered { // else that many are there without an order
			o.Count = &Count{Order{by.Name, time.Now(), because(by, reason)}, n, limits.Configured}
		}
		return nil
	})
	if err != nil {
		return Scaled{}, err
	}
	return c.awaitFor(ctx, s, by, reason), nil
}

// scaleThere orders a number from a platform that remembers it. The audit log
// has the order before the platform does.
func (c *Control) scaleThere(ctx context.Context, by store.Actor, s *Scaled, direction string, to int, reason string) error {
	l := c.config.Runtime.Scaling(s.Function)
	n, err := wanted(&l, s.Function, direction, to)
	if err != nil {
		return err
	}
	done, err := c.turn.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := c.audit(ctx, by, s.Function, "function.scale", reason, nil); err != nil {
		return err
	}
	s.Before, s.After, s.Ready = l.Wanted, n, l.Ready
	if err := c.config.Runtime.Order(s.Function, n); err != nil {
		refusal := conflict("holdfast explain scaling "+s.Function, "function %s cannot be scaled to %d instances: %s", s.Function, n, err)
		return errors.Join(refusal, c.audit(context.WithoutCancel(ctx), by, s.Function, "function.scale", reason, refusal))
	}
	return nil
}

// awaitFor waits for what was ordered as long as ctx lasts.
func (c *Control) awaitFor(ctx context.Context, s Scaled, by store.Actor, reason string) Scaled {
	if s.Before == s.After {
		return s
	}
	done, began := make(chan Scaled, 1), s
	c.wg.Go(func() { done <- c.follow(began, by, reason) }) //nolint:contextcheck // the order outlives the request
	select {
	case s = <-done:
	case <-ctx.Done():
		s.Pending = true
	}
	return s
}

// wanted is the number an order means.
func wanted(l *Scaling, function, direction string, to int) (int, error) {
	if l.Platform == "static" {
		return 0, conflict("add or remove them in the configuration, or let Holdfast start them: platform.process",
			"the instances of function %s are listed in the configuration; Holdfast did not start them and cannot start more", function)
	}
	switch direction {
	case "up":
		to = l.Wanted + 1
	case "down":
		to = l.Wanted - 1
	case "":
		if to == 0 {
			return 0, invalid("scale_action", "up, down, or a number of instances", "is missing")
		}
	default:
		return 0, invalid("scale_action", "", "must be up or down, is %q", direction)
	}
	low := max(l.Min, 1)
	switch {
	case to > l.Max:
		return 0, conflict("raise functions."+function+".scaling.max_instances", "function %s may have %d instances at most, and has %d", function, l.Max, l.Wanted)
	case to < low:
		return 0, conflict("lower functions."+function+".scaling.min_instances; one instance stays in any case", "function %s must have %d instances at least, and has %d", function, low, l.Wanted)
	}
	return to, nil
}

const (
	followStep  = 50 * time.Millisecond
	followLimit = 10 * time.Minute // ready_timeout may be an hour; nobody waits for that
	settleTime  = 45 * time.Second // draining has 30 s
)

// Follow logs what the scaler has put in force, once the instances are ready or
// gone. It returns at once.
func (c *Control) Follow(s Scaled, reason string) {
	if c.life.Err() != nil {
		return
	}
	c.wg.Go(func() {
		failure := c.await(&s)
		c.record(scaleAction(&s, store.Actor{Name: scaler}, reason, failure), scaler)
	})
}

// follow waits for the instances and logs the action with its result.
func (c *Control) follow(s Scaled, by store.Actor, reason string) Scaled {
	failure := c.await(&s)
	a := c.record(scaleAction(&s, by, because(by, reason), failure), operator)
	if failure != "" {
		c.tellFailure(by, &s, reason, failure)
	}
	s.Action = &a
	return s
}

// await waits for the instances and says what went wrong; empty: nothing.
func (c *Control) await(s *Scaled) (failure string) {
	limits := c.config.Runtime.Scaling(s.Function)
	ctx, stop := context.WithTimeout(c.life, min(limits.ReadyIn+settleTime, followLimit))
	defer stop()
	ticker := time.NewTicker(followStep)
	defer ticker.Stop()
	for {
		limits = c.config.Runtime.Scaling(s.Function)
		s.Ready = limits.Ready
		if limits.Wanted != s.After {
			failure = cmp.Or(limits.Trouble, fmt.Sprintf("another order came: %d instances", limits.Wanted))
		}
		if s.Ready == s.After || failure != "" {
			return failure
		}
		if failure = limits.Trouble; failure != "" {
			return failure
		}
		select {
		case <-ctx.Done():
			return fmt.Sprintf("only %d of %d instances are ready", s.Ready, s.After)
		case <-ticker.C:
		}
	}
}

func (c *Control) tellFailure(by store.Actor, s *Scaled, reason, failure string) {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	if err := c.audit(ctx, by, s.Function, "function.scale", reason, fmt.Errorf("scale to %d: %s", s.After, failure)); err != nil {
		c.config.Logger.Error("failed order not in the audit log", "function", s.Function, "reason", failure, "error", err)
	}
}

func scaleAction(s *Scaled, by store.Actor, text, failure string) store.ScalingAction {
	metrics, err := json.Marshal(map[string]any{"by": by.Name, "ready": s.Ready})
	if err != nil {
		metrics = nil // texts and numbers can be written
	}
	a := store.ScalingAction{
		Function: s.Function, Action: "scale_up", Before: s.Before, After: s.After, Reason: text,
		Metrics: metrics, Success: failure == "", ErrorMessage: failure,
	}
	if s.After < s.Before {
		a.Action = "scale_down"
	}
	return a
}
