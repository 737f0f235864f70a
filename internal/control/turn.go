package control

import (
	"context"
	"fmt"
	"time"

	"holdfast/internal/store"
)

// turnWait is how long an order waits for those before it. Each of them may
// wait for a store that hangs: without a limit the tenth would wait ten times
// as long as the store's deadline.
const turnWait = 3 * time.Second

// turn is a lock that nobody waits for for ever.
type turn chan struct{}

// take returns what gives the turn back, or store.ErrUnavailable.
func (t turn) take(ctx context.Context) (done func(), err error) {
	limit := time.NewTimer(turnWait)
	defer limit.Stop()
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-limit.C:
		return nil, fmt.Errorf("wait for the order before this one: %w: it has not been written for %v", store.ErrUnavailable, turnWait)
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the order before this one: %w", ctx.Err())
	}
}
