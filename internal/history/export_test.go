package history

import (
	"context"
	"time"
)

// Maintain is what Run does every ten minutes.
func Maintain(ctx context.Context, h *History, now time.Time) error { return h.maintain(ctx, now) }
