package app

import (
	"context"
	"fmt"
	"time"

	"holdfast/balancer"
)

const (
	// drainTime is how long an instance may take to finish its exchanges before it
	// is stopped.
	drainTime = 30 * time.Second
	// drainLook is how often is looked whether it has.
	drainLook = 20 * time.Millisecond
)

// drain takes an instance out of rotation and waits until it is idle.
func (s *instances) drain(ctx context.Context, function, id, reason string) error {
	i := s.outOfRotation(function, id, reason)
	if i == nil {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, drainTime)
	defer stop()
	ticker := time.NewTicker(drainLook)
	defer ticker.Stop()
	for i.InFlight() > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("drain %s: %d exchanges are left: %w", id, i.InFlight(), ctx.Err())
		case <-ticker.C:
		}
	}
	return nil
}

// outOfRotation keeps new requests from an instance; nil: there is none.
func (s *instances) outOfRotation(function, id, reason string) *balancer.Instance {
	fn := s.gateway.Function(function)
	if fn == nil || fn.Instance(id) == nil {
		return nil
	}
	i := fn.Instance(id)
	fn.Balancer().SetDraining(i, true, reason, time.Now())
	return i
}

// inRotation takes outOfRotation back. What people ordered out stays out.
func (s *instances) inRotation(function, id, reason string) {
	fn := s.gateway.Function(function)
	if fn == nil || fn.Instance(id) == nil {
		return
	}
	fn.Balancer().SetDraining(fn.Instance(id), false, reason, time.Now())
	if s.enforce != nil {
		s.enforce(fn)
	}
}
