//go:build !linux

package loadtest

import (
	"context"
	"time"
)

// pacer waits for moments, here by Go's timers only.
type pacer struct{}

func newPacer(Pacing) *pacer { return &pacer{} }

func (*pacer) close() {}

func (*pacer) until(context.Context) (stop func() bool) { return func() bool { return true } }

func (*pacer) sleep(ctx context.Context, d time.Duration) { sleep(ctx, d) }
