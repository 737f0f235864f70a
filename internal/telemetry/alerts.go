package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Alerts are how many fire, and how it goes with telling of them.
type Alerts struct {
	Firing   map[string]int // by severity
	Channels []AlertChannel
}

// AlertChannel is one receiver of notifications.
type AlertChannel struct {
	Name                                    string
	Sent, Failed, Retried, Refused, Dropped uint64
	Waiting                                 int
	OldestAge                               float64 // seconds; 0: none waits
}

type alertsCollector struct {
	described

	read                                                             func() Alerts
	firing, sent, failed, retried, refused, dropped, waiting, oldest *prometheus.Desc
}

func newAlertsCollector(all *catalog, read func() Alerts) *alertsCollector {
	all.group("Alerts", "What fires, and whether whoever is to be told hears it. Each channel has a queue on the disk.")
	c := &alertsCollector{
		read:    read,
		firing:  all.describe("alerts_firing", "Alerts that fire and are told.", "severity"),
		sent:    all.describe("alert_notifications_sent_total", "Notifications that the channel took.", "channel"),
		failed:  all.describe("alert_notification_failures_total", "Tries to send a notification that failed.", "channel"),
		retried: all.describe("alert_notification_retries_total", "Tries after the first.", "channel"),
		refused: all.describe("alert_notifications_refused_total", "Notifications that were given up: the receiver refuses them for good.", "channel"),
		dropped: all.describe("alert_notifications_dropped_total", "Notifications lost because the queue was full.", "channel"),
		waiting: all.describe("alert_notifications_waiting", "Notifications in the queue.", "channel"),
		oldest:  all.describe("alert_notifications_oldest_age_seconds", "Age of the oldest notification in the queue; 0 when it is empty.", "channel"),
	}
	c.described = described{c.firing, c.sent, c.failed, c.retried, c.refused, c.dropped, c.waiting, c.oldest}
	return c
}

// Collect implements prometheus.Collector.
func (c *alertsCollector) Collect(ch chan<- prometheus.Metric) {
	to, a := scrape{ch: ch}, c.read()
	for _, severity := range []string{"critical", "warning", "info"} {
		to.gauge(c.firing, float64(a.Firing[severity]), severity)
	}
	for i := range a.Channels {
		x := &a.Channels[i]
		to.counter(c.sent, x.Sent, x.Name)
		to.counter(c.failed, x.Failed, x.Name)
		to.counter(c.retried, x.Retried, x.Name)
		to.counter(c.refused, x.Refused, x.Name)
		to.counter(c.dropped, x.Dropped, x.Name)
		to.gauge(c.waiting, float64(x.Waiting), x.Name)
		to.gauge(c.oldest, x.OldestAge, x.Name)
	}
}
