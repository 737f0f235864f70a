package channel

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// AlertmanagerConfig is an Alertmanager that does the rest: routing, grouping,
// silences.
type AlertmanagerConfig struct {
	Name string
	// URL is the address of its page; /api/v2/alerts is added.
	URL string
	// Header is added to each request, for one behind a proxy that asks who comes.
	Header map[string]string
	// Every is the time between two notifications about what still fires; 0: 1
	// min. Alertmanager takes for resolved what it did not hear of for five times
	// as long.
	Every time.Duration
	Reach Reach
}

// Alertmanager pushes alerts to an Alertmanager.
type Alertmanager struct {
	config AlertmanagerConfig
	caller *caller
}

const defaultEvery = time.Minute

// NewAlertmanager opens no connection.
func NewAlertmanager(c AlertmanagerConfig) (*Alertmanager, error) {
	if c.Every <= 0 {
		c.Every = defaultEvery
	}
	to, err := newCaller(c.URL, c.Header, &c.Reach)
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", c.Name, err)
	}
	to.url = to.url.JoinPath("api/v2/alerts")
	return &Alertmanager{c, to}, nil
}

// Name implements Channel.
func (a *Alertmanager) Name() string { return a.config.Name }

// Kind implements Channel.
func (*Alertmanager) Kind() string { return "alertmanager" }

// Repeat implements Repeater.
func (a *Alertmanager) Repeat() time.Duration { return a.config.Every }

// Send implements Channel. A heartbeat is an alert that always fires, which is
// what dead man's switches on an Alertmanager wait for.
func (a *Alertmanager) Send(ctx context.Context, n *Notification) error {
	body, err := json.Marshal(a.posted(clean(n), time.Now()))
	if err != nil {
		return fmt.Errorf("%w: write alerts: %w", ErrRefused, err)
	}
	return a.caller.call(ctx, http.MethodPost, "application/json", body, nil)
}

// postedAlert is one of the list that POST /api/v2/alerts takes.
type postedAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

func (a *Alertmanager) posted(n *Notification, now time.Time) []postedAlert {
	until := now.Add(5 * a.config.Every).UTC()
	if n.Test || n.Heartbeat {
		name, severity := "HoldfastHeartbeat", "none"
		if n.Test {
			name, severity, until = "HoldfastTest", string(Info), now.Add(a.config.Every).UTC() // gone by itself soon
		}
		return []postedAlert{{
			Labels:      map[string]string{"alertname": name, "severity": severity, "job": "holdfast"},
			Annotations: map[string]string{"summary": headline(n)}, StartsAt: n.At.UTC(), EndsAt: until, GeneratorURL: n.Link,
		}}
	}
	list := make([]postedAlert, len(n.Alerts))
	for i := range n.Alerts {
		alert := &n.Alerts[i]
		list[i] = postedAlert{labelsOf(alert), annotationsOf(alert), alert.Began.UTC(), until, alert.Link}
		if !alert.Ended.IsZero() {
			list[i].EndsAt = alert.Ended.UTC()
		}
	}
	return list
}

// labelsOf are the identity of an alert to an Alertmanager: they must be the same
// while it fires and when it is resolved, and no other alert's.
func labelsOf(a *Alert) map[string]string {
	labels := make(map[string]string, len(a.Labels)+6)
	for name, value := range a.Labels {
		labels[labelName(name)] = value
	}
	maps.Copy(labels, map[string]string{
		"alertname": a.Rule, "severity": string(a.Severity), "function": a.Function, "instance": a.Instance,
		"job": "holdfast", "fingerprint": a.Fingerprint,
	})
	maps.DeleteFunc(labels, func(name, value string) bool { return name == "" || value == "" }) // an empty one is none to Prometheus
	return labels
}

// labelName makes a name that every Alertmanager takes.
func labelName(s string) string {
	name := strings.Map(func(c rune) rune {
		if c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, s)
	if name != "" && name[0] >= '0' && name[0] <= '9' {
		return "_" + name
	}
	return name
}

func annotationsOf(a *Alert) map[string]string {
	annotations := map[string]string{
		"summary": a.Summary, "description": strings.Join(details(a), "\n"), "cause": a.Cause, "next_step": a.Next, "numbers": strings.Join(numbers(a), ", "),
	}
	maps.DeleteFunc(annotations, func(_, value string) bool { return value == "" })
	return annotations
}

// received is what Alertmanager sends to webhook receivers, version 4.
type received struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	TruncatedAlerts   int               `json:"truncatedAlerts"`
	Status            string            `json:"status"`
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Alerts            []receivedAlert   `json:"alerts"`
}

// receivedAlert has a zero endsAt while it fires, as there.
type receivedAlert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

// receivedOf writes n as Alertmanager would.
func receivedOf(receiver string, n *Notification) received {
	out := received{
		Version: "4", GroupKey: n.Group, TruncatedAlerts: n.More, Status: "firing", Receiver: receiver,
		GroupLabels: map[string]string{}, ExternalURL: externalOf(n.Link),
	}
	if n.Test {
		n = withTestAlert(n)
	}
	for i := range n.Alerts {
		a := &n.Alerts[i]
		out.Alerts = append(out.Alerts, receivedAlert{a.state(), labelsOf(a), annotationsOf(a), a.Began.UTC(), a.Ended.UTC(), a.Link, a.Fingerprint})
	}
	if n.Resolved() {
		out.Status = "resolved"
	}
	out.CommonLabels = common(out.Alerts, func(a *receivedAlert) map[string]string { return a.Labels })
	out.CommonAnnotations = common(out.Alerts, func(a *receivedAlert) map[string]string { return a.Annotations })
	if name, ok := out.CommonLabels["alertname"]; ok {
		out.GroupLabels["alertname"] = name
	}
	return out
}

// withTestAlert gives receivers of alerts something to look at.
func withTestAlert(n *Notification) *Notification {
	if len(n.Alerts) > 0 {
		return n
	}
	out := *n
	out.Alerts = []Alert{{
		ID: n.ID, Fingerprint: "holdfast-test", Rule: "HoldfastTest", Severity: Info, Summary: headline(n), Began: n.At, Link: n.Link,
	}}
	return &out
}

// common is what all have alike.
func common(list []receivedAlert, of func(*receivedAlert) map[string]string) map[string]string {
	if len(list) == 0 {
		return map[string]string{}
	}
	out := maps.Clone(of(&list[0]))
	for i := range list {
		others := of(&list[i])
		maps.DeleteFunc(out, func(name, value string) bool { return others[name] != value })
	}
	return out
}

// externalOf is the page without its path.
func externalOf(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
