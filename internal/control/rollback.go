package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/internal/store"
)

// RolledBack says what became of an order to roll back.
type RolledBack struct {
	Function string `json:"function_name"`
	// From is the version that ran before; the platform replaces it now.
	From   string `json:"from_version,omitempty"`
	Reason string `json:"reason"`
}

// rollbackTime is how long a platform may take to accept the order.
const rollbackTime = 30 * time.Second

// Rollback has a function's platform go back to the version that ran before.
// It returns once the platform has taken the order; its instances are replaced
// then. The number of instances stays.
func (c *Control) Rollback(ctx context.Context, by store.Actor, function, reason string) (RolledBack, error) {
	if _, err := c.function(function); err != nil {
		return RolledBack{}, err
	}
	r := RolledBack{Function: function, Reason: because(by, reason)}
	done, err := c.turn.take(ctx)
	if err != nil {
		return RolledBack{}, err
	}
	defer done()
	if err := c.audit(ctx, by, function, "function.rollback", reason, nil); err != nil {
		return RolledBack{}, err
	}
	if p := c.config.Runtime.Scaling(function); !p.Remembers {
		return RolledBack{}, conflict("change the configuration and reload", "function %s cannot be rolled back: Holdfast knows versions of functions on docker-swarm and kubernetes only", function)
	}
	asking, stop := context.WithTimeout(context.WithoutCancel(ctx), rollbackTime)
	defer stop()
	r.From, err = c.config.Runtime.Rollback(asking, function)
	if err != nil {
		refusal := conflict("holdfast status", "function %s cannot be rolled back: %s", function, err)
		return RolledBack{}, errors.Join(refusal, c.audit(context.WithoutCancel(ctx), by, function, "function.rollback", reason, refusal))
	}
	c.publish(function, "", "rollback", fmt.Sprintf("away from version %s, %s", r.From, r.Reason))
	return r, nil
}
