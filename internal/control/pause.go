package control

import (
	"context"
	"fmt"
	"time"

	"holdfast/internal/event"
	"holdfast/internal/store"
)

// Hold is an Order about the scaler: it leaves the number of instances as it
// is, or keeps it at one.
type Hold struct {
	Order

	// Pinned: Instances is the number. Otherwise it stays what it is.
	Pinned    bool `json:"pinned,omitempty"`
	Instances int  `json:"instances,omitempty"`
	// Until is when scaling goes on by itself; zero: when somebody says so.
	Until time.Time `json:"until,omitzero"`
}

// Holds says whether the order is in force.
func (h *Hold) Holds(now time.Time) bool {
	return h != nil && (h.Until.IsZero() || now.Before(h.Until))
}

func (h *Hold) sentence() string {
	what := "scaling is paused"
	if h.Pinned {
		what = fmt.Sprintf("pinned at %d instances", h.Instances)
	}
	if h.Until.IsZero() {
		return what + " until somebody takes it back,"
	}
	return what + " until " + h.Until.Format(time.RFC3339) + ","
}

// longestHold bounds a time that somebody may have mistyped; for longer there is
// 0, until somebody takes it back.
const longestHold = 366 * 24 * time.Hour

// Pause keeps the number of a function's instances as it is, for so long; 0:
// until Resume.
func (c *Control) Pause(ctx context.Context, by store.Actor, function string, length time.Duration, reason string) error {
	return c.hold(ctx, by, function, "function.pause", Hold{Order: Order{Reason: reason}}, length)
}

// Pin keeps the number of a function's instances at n, for so long; 0: until
// Resume.
func (c *Control) Pin(ctx context.Context, by store.Actor, function string, n int, length time.Duration, reason string) error {
	return c.hold(ctx, by, function, "function.pin", Hold{Order: Order{Reason: reason}, Pinned: true, Instances: n}, length)
}

func (c *Control) hold(ctx context.Context, by store.Actor, function, action string, h Hold, length time.Duration) error {
	if _, err := c.function(function); err != nil {
		return err
	}
	if length < 0 || length > longestHold {
		return invalid("for", "0 is until somebody takes it back", "must be between 0 and %s, is %s", longestHold, length)
	}
	now := time.Now()
	reason := h.Reason
	h.Order = Order{by.Name, now, because(by, reason)}
	if length > 0 {
		h.Until = now.Add(length).Truncate(time.Second)
	}
	err := c.order(ctx, by, function, action, reason, func(o *Orders) error {
		limits := c.config.Runtime.Scaling(function)
		if err := h.fits(&limits, function); err != nil {
			return err
		}
		o.Hold = &h
		return nil
	})
	if err == nil {
		c.holding.Store(function, nil)
		c.publish(function, "", action, h.sentence()+" "+h.Reason)
	}
	return err
}

// fits refuses what would do nothing, or harm.
func (h *Hold) fits(l *Scaling, function string) error {
	switch {
	case l.Rests != "":
		return conflict("holdfast function scale "+function+" N orders a number", "function %s is not scaled: %s", function, l.Rests)
	case !h.Pinned && l.Wanted == 0:
		return conflict("holdfast function pin "+function+" 1 keeps one", "function %s has no instance now: paused, it could not answer", function)
	case h.Pinned && (h.Instances < l.Min || h.Instances > l.Max):
		return conflict("change functions."+function+".scaling.min_instances or max_instances", "function %s may have %d to %d instances, not %d", function, l.Min, l.Max, h.Instances)
	}
	return nil
}

// Resume takes Pause and Pin back.
func (c *Control) Resume(ctx context.Context, by store.Actor, function, reason string) error {
	if _, err := c.function(function); err != nil {
		return err
	}
	err := c.order(ctx, by, function, "function.unpause", reason, func(o *Orders) error {
		if !o.Hold.Holds(time.Now()) {
			return conflict("", "scaling of function %s is neither paused nor pinned by order", function)
		}
		o.Hold = nil
		return nil
	})
	if err == nil {
		c.publish(function, "", "function.unpause", "scaling goes on, "+because(by, reason))
	}
	return err
}

// ended tells once of each hold that is over.
func (c *Control) ended(now time.Time) {
	for name := range c.State().Functions {
		o := c.State().Orders(name)
		holds := o.Hold.Holds(now)
		if _, held := c.holding.Load(name); held && !holds && o.Hold != nil {
			c.publishFrom(scaler, event.Event{Function: name, To: "function.unpause", Reason: "scaling goes on: the time it was held for is over"})
		}
		if holds {
			c.holding.Store(name, nil)
		} else {
			c.holding.Delete(name)
		}
	}
}
