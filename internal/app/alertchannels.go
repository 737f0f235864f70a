package app

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"holdfast/internal/alerting/channel"
	"holdfast/internal/config"
)

// alertChannels makes the channels of alerts. What a reload does not change stays
// the very same channel. The zero value has none.
type alertChannels struct {
	mu   sync.Mutex
	made map[string]madeChannel
}

type madeChannel struct {
	from    *config.AlertChannel
	channel channel.Channel
}

// of returns the channels of a configuration that Check has seen, in the order of
// their names.
func (a *alertChannels) of(c *config.Config) ([]channel.Channel, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	made := map[string]madeChannel{}
	var list []channel.Channel
	for _, name := range slices.Sorted(maps.Keys(c.Alerts.Channels)) {
		from := c.Alerts.Channels[name]
		one := a.made[name]
		if one.channel == nil || !reflect.DeepEqual(one.from, from) {
			made, err := alertChannelOf(name, from)
			if err != nil {
				return nil, fmt.Errorf("alerts.channels.%s: %w", name, err)
			}
			one = madeChannel{from, made}
		}
		made[name] = one
		list = append(list, one.channel)
	}
	a.made = made
	return list, nil
}

// alertChannelOf makes one channel. Its addresses come from the operator, not from
// the API, so they may lead anywhere.
func alertChannelOf(name string, c *config.AlertChannel) (channel.Channel, error) {
	made, err := receiverOf(name, c)
	if err != nil {
		return nil, err
	}
	return &channel.Filter{Channel: made, Least: channel.Severity(c.Severity), Functions: c.Functions}, nil
}

func receiverOf(name string, c *config.AlertChannel) (channel.Channel, error) {
	switch {
	case c.Slack != nil:
		return channel.NewSlack(channel.SlackConfig{Name: name, URL: c.Slack.URL})
	case c.PagerDuty != nil:
		return channel.NewPagerDuty(channel.PagerDutyConfig{Name: name, RoutingKey: c.PagerDuty.RoutingKey, URL: c.PagerDuty.URL})
	case c.Email != nil:
		e := c.Email
		return channel.NewEmail(channel.EmailConfig{
			Name: name, Server: e.Server, Encryption: channel.Encryption(e.TLS), User: e.User, Password: e.Password, From: e.From, To: e.To,
		})
	case c.Alertmanager != nil:
		return channel.NewAlertmanager(channel.AlertmanagerConfig{Name: name, URL: c.Alertmanager.URL, Header: c.Alertmanager.Headers})
	case c.Webhook != nil:
		w := c.Webhook
		return channel.NewWebhook(channel.WebhookConfig{
			Name: name, URL: w.URL, Format: channel.Format(w.Format), Secret: w.Secret, Header: w.Headers, Heartbeats: w.Heartbeats,
		})
	case c.Heartbeat != nil:
		return channel.NewHeartbeat(channel.HeartbeatConfig{Name: name, URL: c.Heartbeat.URL, Method: c.Heartbeat.Method})
	}
	panic("alert channel of no kind: " + name) // the configuration refuses it
}
