package app

import (
	"context"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"holdfast/internal/alerting"
	"holdfast/internal/config"
	"holdfast/internal/event"
	"holdfast/internal/history"
)

// makeAlerts makes what tells people what is wrong.
func (a *App) makeAlerts(c *config.Config) {
	a.alerts = alerting.New(alerting.Config{
		Dir: filepath.Join(a.data.path, "alerts"), View: a.alertView, Events: a.events, Past: a.minutesBefore,
		Tell: a.tellAlert, OnNotice: a.tellDelivery, Settings: a.alertSettings(c),
	})
}

// alertSettings are what a configuration says about alerts.
func (a *App) alertSettings(c *config.Config) alerting.Settings {
	channels, err := a.channels.of(c)
	if err != nil { // Check has made them once already
		a.logs.For("alerts").Error("make the channels of alerts: nobody is told of anything", "error", err)
	}
	x := &c.Alerts
	return alerting.Settings{
		Rules: alertRulesOf(x.Rules), Windows: maintenanceOf(x.Maintenance), Channels: channels,
		Pace:      alerting.Pace{Wait: x.Wait.Std(), Interval: x.Interval.Std(), Repeat: x.Repeat.Std()},
		Heartbeat: x.Heartbeat.Std(), Link: a.chartLink(strings.TrimSuffix(x.Link, "/")),
	}
}

// chartLink leads to the page about a function on the dashboard.
func (a *App) chartLink(base string) func(function string) string {
	if base == "" {
		base = a.AdminURL()
	}
	return func(function string) string {
		if function == "" {
			return base + "/admin/monitoring#/events"
		}
		return base + "/admin/monitoring#/functions/" + url.PathEscape(function)
	}
}

// tellAlert puts an alert that fires or ended on the bus; the log and the store
// hear of it there.
func (a *App) tellAlert(c alerting.Change) {
	x := &c.Alert
	e := event.Event{
		Kind: event.Alert, Function: x.Function, Instance: x.Instance, Source: x.Rule, From: ordinary, To: string(x.Severity),
		Reason: x.Summary, Numbers: x.Numbers,
	}
	if c.Resolved {
		e.From, e.To = e.To, "resolved"
		e.Reason = "lasted " + x.Ended.Sub(x.Began).Round(time.Second).String() + ": " + x.Summary
	}
	switch m := c.Muting; {
	case m.Cause != "":
		e.Reason += " (explained by " + m.Cause + ")"
	case m.Silence != "":
		e.Reason += " (silenced by " + m.Silence + ")"
	case m.Maintenance != "":
		e.Reason += " (maintenance " + m.Maintenance + ")"
	}
	a.events.Publish(e)
}

// tellDelivery logs what happens on the way to the channels.
func (a *App) tellDelivery(n alerting.Notice) {
	logger, ctx := a.logs.For("alerts"), context.Background()
	attrs := []slog.Attr{}
	if n.Channel != "" {
		attrs = append(attrs, slog.String("channel", n.Channel))
	}
	if n.Error != nil {
		attrs = append(attrs, slog.String("error", n.Error.Error()))
	}
	switch n.Kind {
	case alerting.Delayed:
		logger.LogAttrs(ctx, slog.LevelWarn, "notification not delivered: it is tried again", append(attrs, slog.Duration("next_try_in", n.Retry))...)
	case alerting.Refused:
		logger.LogAttrs(ctx, slog.LevelError, "notification given up: the receiver refuses it for good, mend the channel in the configuration", attrs...)
	case alerting.Delivered:
		logger.LogAttrs(ctx, slog.LevelInfo, "the channel takes notifications again", attrs...)
	case alerting.Dropped:
		logger.LogAttrs(ctx, slog.LevelError, "notifications lost: the queue of the channel was full", append(attrs, slog.Uint64("count", n.Count))...)
	case alerting.Unkept:
		logger.LogAttrs(ctx, slog.LevelError, "alerts cannot be kept on the disk: a crash would forget them", attrs...)
	}
}

// pastTimeout bounds what a start asks the store for.
const pastTimeout = 2 * time.Second

// minutesBefore gives burn rates what was counted before the start.
func (a *App) minutesBefore(function string, from time.Time) []alerting.Minute {
	ctx, stop := context.WithTimeout(context.Background(), pastTimeout)
	defer stop()
	now := time.Now()
	points, err := a.history.Range(ctx, history.Query{Function: function, From: from, To: now.Truncate(time.Minute)})
	if err != nil {
		a.logs.For("alerts").Warn("burn rates begin with the start: the minutes before are not known", "function", function, "error", err)
		return nil
	}
	var list []alerting.Minute
	for _, p := range points {
		if p.Rate > 0 { // not NaN either
			all := uint64(p.Rate*60 + 0.5)
			list = append(list, alerting.Minute{At: p.At.Unix() / 60, All: all, Bad: min(uint64(max(p.Errors, 0)), all)})
		}
	}
	return list
}
