package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"holdfast/autoscale"
	"holdfast/drill"
	"holdfast/internal/admin"
)

// drillHold bounds how long scaling rests for a drill of which nobody is left to
// take it back.
const drillHold = "10m"

// scale orders a number of instances. Where a scaler looks after the number it
// rests meanwhile: it would take the order back within seconds.
func (s *drillServer) scale(ctx context.Context, o *drill.Order) error {
	if !o.Undo {
		if err := s.pauseScaling(ctx, o.Function); err != nil {
			return err
		}
	}
	_, err := s.ask(ctx, http.MethodPost, escaped("functions", o.Function)+"/scale", nil, admin.ScaleOrder{Instances: o.Count, Reason: drillReason})
	if !o.Undo && err == nil {
		return nil
	}
	if e, ok := errors.AsType[*answerError](err); o.Undo && err != nil && (!ok || !e.refuses(true)) {
		return err // it will be tried again, and scaling rests until then
	}
	return errors.Join(err, s.resumeScaling(ctx, o.Function))
}

func (s *drillServer) pauseScaling(ctx context.Context, function string) error {
	var v admin.Scaling
	if err := s.read(ctx, escaped("functions", function, "scaling"), nil, &v); err != nil {
		return fmt.Errorf("%w: %w", drill.ErrRefused, err) // nothing was done yet
	}
	if v.Mode == nil {
		return nil // not scaled
	}
	switch autoscale.ModeKind(v.Mode.Kind) {
	case autoscale.Paused, autoscale.Advisory:
		return nil
	case autoscale.Pinned:
		return fmt.Errorf("%w: %s is pinned at %d instances, which an order for another number would not outlast; holdfast function unpause %s, or another mode",
			drill.ErrRefused, function, v.Mode.At, function)
	case autoscale.On, autoscale.UpOnly:
	}
	_, err := s.ask(ctx, http.MethodPost, escaped("functions", function)+"/pause", nil, admin.HoldOrder{For: drillHold, Reason: drillReason})
	return err
}

// resumeScaling takes back what pauseScaling did, and nobody else's order.
func (s *drillServer) resumeScaling(ctx context.Context, function string) error {
	var v admin.RecoveryStatus
	if err := s.read(ctx, escaped("functions", function), nil, &v); err != nil {
		return err
	}
	for _, order := range v.Orders {
		if strings.HasPrefix(order, "scaling is paused") && strings.HasSuffix(order, ": "+drillReason) {
			_, err := s.ask(ctx, http.MethodPost, escaped("functions", function)+"/unpause", nil, admin.Reason{Reason: drillReason})
			return err
		}
	}
	return nil
}
