package channel

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// PagerDutyEvents is where events go, unless the account is elsewhere
// (https://events.eu.pagerduty.com/v2/enqueue in Europe).
const PagerDutyEvents = "https://events.pagerduty.com/v2/enqueue"

// PagerDutyConfig is an integration of the kind Events API v2.
type PagerDutyConfig struct {
	Name string
	// RoutingKey is the integration's key.
	RoutingKey string
	// URL takes events; empty: PagerDutyEvents.
	URL string
	// Source is what incidents are said to come from; empty: holdfast.
	Source string
	Reach  Reach
}

// PagerDuty sends one event per alert. Its fingerprint is the key by which events
// are one incident: a second try makes no second one, and the end finds it.
type PagerDuty struct {
	config    PagerDutyConfig
	caller    *caller
	delivered delivered // events
}

var errRoutingKey = errors.New("no routing key")

// NewPagerDuty opens no connection.
func NewPagerDuty(c PagerDutyConfig) (*PagerDuty, error) {
	if c.RoutingKey == "" {
		return nil, fmt.Errorf("channel %s: %w", c.Name, errRoutingKey)
	}
	to, err := newCaller(cmp.Or(c.URL, PagerDutyEvents), nil, &c.Reach, c.RoutingKey)
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", c.Name, err)
	}
	c.Source = cmp.Or(c.Source, "holdfast")
	return &PagerDuty{config: c, caller: to}, nil
}

// Name implements Channel.
func (p *PagerDuty) Name() string { return p.config.Name }

// Kind implements Channel.
func (*PagerDuty) Kind() string { return "pagerduty" }

func (*PagerDuty) wants(n *Notification) bool { return !n.Heartbeat }

// Send implements Channel. What one event is refused for does not keep the others
// from being sent, and what was taken is not sent again with the next try: a
// hundred events may need more time than one try has.
func (p *PagerDuty) Send(ctx context.Context, n *Notification) error {
	if !p.wants(n) {
		return nil
	}
	var refused []error
	for _, e := range p.events(clean(n)) {
		id := n.ID + " " + e.Action + " " + e.DedupKey
		if p.delivered.has(id) {
			continue
		}
		body, err := json.Marshal(e)
		if err == nil {
			err = p.caller.call(ctx, http.MethodPost, "application/json", body, nil)
		}
		switch {
		case err == nil:
			p.delivered.add(id)
		case errors.Is(err, ErrRefused):
			refused = append(refused, err)
		default:
			return err // the rest with the next try
		}
	}
	return together(refused)
}

// pagerEvent is the body of one event. A resolution has no payload.
type pagerEvent struct {
	RoutingKey string        `json:"routing_key"`
	Action     string        `json:"event_action"`
	DedupKey   string        `json:"dedup_key"`
	Payload    *pagerPayload `json:"payload,omitempty"`
	Client     string        `json:"client,omitempty"`
	ClientURL  string        `json:"client_url,omitempty"`
	Links      []pagerLink   `json:"links,omitempty"`
}

type pagerPayload struct {
	Summary   string         `json:"summary"`
	Source    string         `json:"source"`
	Severity  string         `json:"severity"`
	Timestamp time.Time      `json:"timestamp"`
	Component string         `json:"component,omitempty"`
	Group     string         `json:"group,omitempty"`
	Class     string         `json:"class,omitempty"`
	Details   map[string]any `json:"custom_details,omitempty"`
}

type pagerLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// What PagerDuty takes at most, in characters.
const (
	pagerSummary = 1024
	pagerKey     = 255
)

// events are in the order in which they are sent. A test pages nobody for long:
// it is resolved at once.
func (p *PagerDuty) events(n *Notification) []pagerEvent {
	if n.Test {
		test := withTestAlert(n)
		ended := test.Alerts[0]
		ended.Ended = n.At
		return []pagerEvent{p.event(&test.Alerts[0], n), p.event(&ended, n)}
	}
	list := make([]pagerEvent, len(n.Alerts))
	for i := range n.Alerts {
		list[i] = p.event(&n.Alerts[i], n)
	}
	return list
}

func (p *PagerDuty) event(a *Alert, n *Notification) pagerEvent {
	e := pagerEvent{RoutingKey: p.config.RoutingKey, Action: "resolve", DedupKey: shorten(a.Fingerprint, pagerKey)}
	if !a.Ended.IsZero() {
		return e
	}
	e.Action, e.Client, e.ClientURL = "trigger", "Holdfast", n.Link
	e.Payload = &pagerPayload{
		Summary: shorten(a.about(), pagerSummary), Source: p.config.Source, Severity: pagerLevel(a.Severity), Timestamp: a.Began.UTC(),
		Component: cmp.Or(a.Instance, a.Function), Group: a.Function, Class: a.Rule, Details: pagerDetails(a),
	}
	if a.Link != "" {
		e.Links = []pagerLink{{a.Link, "Chart"}}
	}
	return e
}

// pagerLevel maps severities; PagerDuty knows error between warning and critical.
func pagerLevel(s Severity) string {
	switch s {
	case Critical, Warning, Info:
		return string(s)
	}
	return string(Warning)
}

func pagerDetails(a *Alert) map[string]any {
	d := map[string]any{"alert": a.ID}
	for name, value := range map[string]string{
		"function": a.Function, "instance": a.Instance, "rule": a.Rule, "likely_cause": a.Cause, "next_step": a.Next,
	} {
		if value != "" {
			d[name] = value
		}
	}
	if len(a.Numbers) > 0 {
		d["numbers"] = a.Numbers
	}
	if len(a.Labels) > 0 {
		d["labels"] = a.Labels
	}
	return d
}
