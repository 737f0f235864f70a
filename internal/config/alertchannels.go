package config

// AlertChannel is where alerts are sent. One kind: `slack`, `pagerduty`,
// `email`, `alertmanager`, `webhook` or `heartbeat`.
type AlertChannel struct {
	// Least severity that is sent.
	Severity string `yaml:"severity" default:"warning" enum:"critical|warning|info"`
	// Functions whose alerts are sent. Empty: all, and what is about no function too.
	Functions []string `yaml:"functions" format:"nonempty" max:"1000"`
	// An incoming webhook of Slack, Mattermost or Rocket.Chat. Also set by `HOLDFAST_ALERTS_SLACK_URL`, which makes a channel called `slack`.
	Slack *SlackChannel `yaml:"slack" choice:"slack"`
	// An integration of PagerDuty of the kind Events API v2.
	PagerDuty *PagerDutyChannel `yaml:"pagerduty" choice:"pagerduty"`
	// A mail server.
	Email *EmailChannel `yaml:"email" choice:"email"`
	// An Alertmanager that is there already. It is told every minute of what fires.
	Alertmanager *AlertmanagerChannel `yaml:"alertmanager" choice:"alertmanager"`
	// Any address that takes a POST with JSON.
	Webhook *WebhookChannel `yaml:"webhook" choice:"webhook"`
	// An address that raises the alarm when nobody calls it any more.
	Heartbeat *HeartbeatChannel `yaml:"heartbeat" choice:"heartbeat"`
}

// SlackChannel is an incoming webhook.
type SlackChannel struct {
	// Its address, a secret: `${file:PATH}`.
	URL string `yaml:"url" format:"receiver-url" required:"true" short:"true" secret:"true"`
}

// PagerDutyChannel is an integration: one event per alert.
type PagerDutyChannel struct {
	// Its key, a secret: `${file:PATH}`.
	RoutingKey string `yaml:"routing_key" format:"nonempty" required:"true" secret:"true"`
	// Where events go. In Europe: `https://events.eu.pagerduty.com/v2/enqueue`.
	URL string `yaml:"url" default:"https://events.pagerduty.com/v2/enqueue" format:"receiver-url"`
}

// EmailChannel is a mail server, and who is written to.
type EmailChannel struct {
	// Its host and port: `smtp.example.com:587`.
	Server string `yaml:"server" format:"mail-server" required:"true"`
	// `starttls` (port 587 or 25) and `implicit` (port 465) speak to nobody without TLS; `none` is for a relay on this machine and excludes `user`.
	TLS string `yaml:"tls" default:"starttls" enum:"starttls|implicit|none"`
	// Who logs in. Empty: the server wants nobody to.
	User string `yaml:"user" format:"header-value"`
	// Its password, a secret: `${file:PATH}`.
	Password string `yaml:"password" secret:"true"`
	// Sender: `holdfast@example.com` or `Holdfast <holdfast@example.com>`.
	From string `yaml:"from" format:"mail-address" required:"true"`
	// Recipients. Each gets a mail of its own.
	To []string `yaml:"to" format:"mail-address" required:"true" max:"50"`
}

// AlertmanagerChannel is an Alertmanager.
type AlertmanagerChannel struct {
	// Address of its page: `http://alertmanager:9093`. `/api/v2/alerts` is added.
	URL string `yaml:"url" format:"receiver-url" required:"true" short:"true"`
	// Headers of the request; secrets as `${file:PATH}`.
	Headers map[string]string `yaml:"headers" format:"header"`
}

// WebhookChannel is any address that takes a POST with JSON.
type WebhookChannel struct {
	// Where it is, a secret when it holds one: `${file:PATH}`.
	URL string `yaml:"url" format:"receiver-url" required:"true" secret:"true"`
	// Body: Holdfast's own, or what Alertmanager sends to its webhook receivers, so that those which exist work.
	Format string `yaml:"format" default:"holdfast" enum:"holdfast|alertmanager"`
	// Signs the request with HMAC-SHA256, the way of Standard Webhooks; `whsec_` and base64, or any text. A secret: `${file:PATH}`. Empty: it is not signed.
	Secret string `yaml:"secret" format:"webhook-secret" secret:"true"`
	// Headers of the request; secrets as `${file:PATH}`.
	Headers map[string]string `yaml:"headers" format:"header"`
	// Send heartbeats too, for whoever notices their absence.
	Heartbeats bool `yaml:"heartbeats"`
}

// HeartbeatChannel is an address that raises the alarm when nobody calls it.
type HeartbeatChannel struct {
	// Where it is, often a secret: `${file:PATH}`.
	URL string `yaml:"url" format:"receiver-url" required:"true" short:"true" secret:"true"`
	// How it is called.
	Method string `yaml:"method" default:"GET" enum:"GET|POST"`
}

// Kind is which kind is chosen; empty: none.
func (a *AlertChannel) Kind() string {
	switch {
	case a.Slack != nil:
		return "slack"
	case a.PagerDuty != nil:
		return "pagerduty"
	case a.Email != nil:
		return "email"
	case a.Alertmanager != nil:
		return "alertmanager"
	case a.Webhook != nil:
		return "webhook"
	case a.Heartbeat != nil:
		return "heartbeat"
	}
	return ""
}
