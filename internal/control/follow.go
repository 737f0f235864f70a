package control

import (
	"context"
	"time"

	"holdfast/internal/store"
)

// BreakerWasReset closes the breaker of a function after somebody reset it in
// the store, where the audit log has it already. Orders are read again first:
// the reset took back the one that kept the breaker open. A function that this
// node does not serve, or whose breaker rests, is refused.
func (c *Control) BreakerWasReset(ctx context.Context, by store.Actor, function string) error {
	c.refresh(ctx)
	fn, err := c.function(function)
	if err != nil {
		return err
	}
	if fn.Breaker() == nil {
		return c.noBreaker(function)
	}
	const how = "in the database with holdfast_reset_breaker"
	fn.Breaker().Reset("reset "+because(by, how), time.Now())
	c.publish(function, "", "breaker.reset", because(by, how))
	return nil
}
