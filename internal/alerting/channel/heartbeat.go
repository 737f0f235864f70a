package channel

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
)

// HeartbeatConfig is an address that raises the alarm when nobody calls it.
type HeartbeatConfig struct {
	Name   string
	URL    string
	Method string // GET or POST; empty: GET
	Reach  Reach
}

// Heartbeat calls an address with every heartbeat: a dead man's switch, which
// notices when Holdfast itself is gone. It takes nothing else but tests.
type Heartbeat struct {
	config HeartbeatConfig
	caller *caller
}

// NewHeartbeat opens no connection.
func NewHeartbeat(c HeartbeatConfig) (*Heartbeat, error) {
	to, err := newCaller(c.URL, nil, &c.Reach)
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", c.Name, err)
	}
	return &Heartbeat{c, to}, nil
}

// Name implements Channel.
func (h *Heartbeat) Name() string { return h.config.Name }

// Kind implements Channel.
func (*Heartbeat) Kind() string { return "heartbeat" }

func (*Heartbeat) wants(n *Notification) bool { return n.Heartbeat || n.Test }

// Send implements Channel.
func (h *Heartbeat) Send(ctx context.Context, n *Notification) error {
	if !h.wants(n) {
		return nil
	}
	return h.caller.call(ctx, cmp.Or(h.config.Method, http.MethodGet), "", nil, nil)
}
