package channel

import (
	"context"
	"slices"
	"time"
)

// Filter is a channel that is told less: only of what is bad enough, and of some
// functions. Heartbeats and tests pass.
type Filter struct {
	Channel
	// Least is the lowest severity that passes; empty: info, which is all.
	Least Severity
	// Functions are those whose alerts pass; empty: all, and what is about no
	// function too.
	Functions []string
}

// Send implements Channel.
func (f *Filter) Send(ctx context.Context, n *Notification) error {
	narrowed := f.narrow(n)
	if narrowed == nil {
		return nil
	}
	return f.Channel.Send(ctx, narrowed)
}

func (f *Filter) wants(n *Notification) bool {
	narrowed := f.narrow(n)
	return narrowed != nil && Wants(f.Channel, narrowed)
}

// narrow returns what passes of n, nil when nothing does.
func (f *Filter) narrow(n *Notification) *Notification {
	if n.Test || n.Heartbeat || f.Least.least() == 0 && len(f.Functions) == 0 {
		return n
	}
	out := *n
	out.Alerts = nil
	for i := range n.Alerts {
		if f.passes(&n.Alerts[i]) {
			out.Alerts = append(out.Alerts, n.Alerts[i])
		}
	}
	if len(out.Alerts) == 0 {
		return nil
	}
	return &out
}

func (f *Filter) passes(a *Alert) bool {
	return a.Severity.rank() >= f.Least.least() && (len(f.Functions) == 0 || slices.Contains(f.Functions, a.Function))
}

// least is the rank of a lower bound: none lets all pass.
func (s Severity) least() int {
	if s == "" {
		return 0
	}
	return s.rank()
}

// Repeat implements Repeater: 0 when the channel inside is none.
func (f *Filter) Repeat() time.Duration {
	if r, ok := f.Channel.(Repeater); ok {
		return r.Repeat()
	}
	return 0
}
