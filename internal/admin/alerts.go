package admin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"holdfast/internal/admin/access"
	"holdfast/internal/alerting"
	"holdfast/internal/alerting/channel"
	"holdfast/internal/store"
)

// AlertList is what is wrong, and what was.
type AlertList struct {
	Alerts []alerting.Standing `json:"alerts" doc:"that fire or are about to, the worst first"`
	Recent []channel.Alert     `json:"recent" doc:"resolved lately, the newest first"`
}

// AlertChannels is how it goes with each channel.
type AlertChannels struct {
	Channels []alerting.Delivery `json:"channels"`
}

// AlertSilences is what is not told at the moment.
type AlertSilences struct {
	Silences    []alerting.Silence     `json:"silences" doc:"in force, to come, or ended within the hour"`
	Maintenance []alerting.Maintenance `json:"maintenance" doc:"windows of the configuration"`
}

// AlertRules is what is looked for.
type AlertRules struct {
	Rules []alerting.RuleView `json:"rules"`
}

// NewSilence is the wish for one.
type NewSilence struct {
	alerting.Match

	From   time.Time `json:"from,omitzero" doc:"missing: now"`
	For    string    `json:"for" example:"2h" maxLength:"32" doc:"how long, at most 2160h"`
	Reason string    `json:"reason" maxLength:"1000" example:"database is moved"`
}

// EndedSilence says which silence is over.
type EndedSilence struct {
	ID string `json:"id"`
}

// TestedChannel says how a test went.
type TestedChannel struct {
	Channel   string `json:"channel"`
	Delivered bool   `json:"delivered"`
	Error     string `json:"error_message,omitempty" doc:"why it was not"`
}

type whichSilence struct {
	ID string `path:"id" doc:"of the silence" maxLength:"64"`
}

type whichChannel struct {
	Name string `path:"name" doc:"of the channel" maxLength:"128"`
}

func (a *api) addAlerts() {
	s := a.server
	const path, tag = "/api/v1/alerts", "alerts"
	viewer := func(id, path, summary string) op {
		return op{id: id, method: http.MethodGet, path: path, tag: tag, role: store.Viewer, errors: []int{503}, summary: summary}
	}
	handle(a, viewer("alerts", path, "What is wrong now, and what was lately"), alertsOf(s, func(t *alerting.Service) AlertList {
		standing, recent := t.List()
		return AlertList{append([]alerting.Standing{}, standing...), append([]channel.Alert{}, recent...)}
	}))
	handle(a, viewer("alert-rules", path+"/rules", "What is looked for, and how long it must last"), alertsOf(s, func(t *alerting.Service) AlertRules {
		return AlertRules{t.Rules()}
	}))
	handle(a, viewer("alert-channels", path+"/channels", "Who is told, and how that goes"), alertsOf(s, func(t *alerting.Service) AlertChannels {
		return AlertChannels{t.Deliveries()}
	}))
	handle(a, viewer("alert-silences", path+"/silences", "What is not told at the moment"), alertsOf(s, func(t *alerting.Service) AlertSilences {
		return AlertSilences{append([]alerting.Silence{}, t.Silences()...), t.Windows(time.Now())}
	}))
	handle(a, op{
		id: "alert-silence", method: http.MethodPost, path: path + "/silences", tag: tag, role: store.Operator, errors: []int{503},
		summary: "Keep alerts from being told, for a time",
		about:   "All that is given must fit; `*` stands for any text. What fires is still shown. Whoever was told that something fires is told when it ends.",
	}, s.silence)
	handle(a, op{
		id: "alert-unsilence", method: http.MethodDelete, path: path + "/silences/{id}", tag: tag, role: store.Operator, errors: []int{404, 503},
		summary: "End a silence",
	}, s.unsilence)
	handle(a, op{
		id: "alert-test", method: http.MethodPost, path: path + "/channels/{name}/test", tag: tag, role: store.Operator, errors: []int{404, 503},
		summary: "Send a test notification and say how that went",
	}, s.testChannel)
}

var errNoAlerts = refuse(http.StatusServiceUnavailable, "", "this Holdfast has no alerts")

// alertsOf answers a question.
func alertsOf[O any](s *Server, read func(*alerting.Service) O) func(context.Context, *nothing) (O, error) {
	return func(context.Context, *nothing) (O, error) {
		if s.config.Alerting == nil {
			var none O
			return none, errNoAlerts
		}
		return read(s.config.Alerting), nil
	}
}

func (s *Server) silence(ctx context.Context, in *struct{ Body NewSilence }) (alerting.Silence, error) {
	b := &in.Body
	if s.config.Alerting == nil {
		return alerting.Silence{}, errNoAlerts
	}
	long, err := time.ParseDuration(b.For)
	if err != nil {
		e := refuse(http.StatusBadRequest, "write it as 90m or 2h", "for must be a duration, is %q", access.Mask(b.For))
		e.Field = "for"
		return alerting.Silence{}, e
	}
	now := time.Now()
	q := alerting.Silence{Match: b.Match, From: b.From, Author: access.FromContext(ctx).Actor().Name, Reason: b.Reason}
	if q.From.IsZero() {
		q.From = now
	}
	q.Until = q.From.Add(long)
	err = s.audited(ctx, access.Change{Action: "alert.silence", Target: targetOf(&q), After: b, Reason: b.Reason}, func() error {
		made, err := s.config.Alerting.Silence(q, now)
		if err == nil {
			q = made
		}
		if errors.Is(err, alerting.ErrBadSilence) {
			return refuse(http.StatusBadRequest, "", "%v", err)
		}
		return err
	})
	return q, err
}

func targetOf(q *alerting.Silence) string {
	for _, s := range []string{q.Rule, q.Function, q.Instance, q.Severity} {
		if s != "" {
			return s
		}
	}
	return "alerts"
}

func (s *Server) unsilence(ctx context.Context, in *whichSilence) (EndedSilence, error) {
	if s.config.Alerting == nil {
		return EndedSilence{}, errNoAlerts
	}
	err := s.audited(ctx, access.Change{Action: "alert.unsilence", Target: in.ID}, func() error {
		err := s.config.Alerting.Unsilence(in.ID, time.Now())
		if errors.Is(err, alerting.ErrNoSilence) {
			return refuse(http.StatusNotFound, "holdfast alerts silences lists those there are", "there is no silence %s in force", access.Mask(in.ID))
		}
		return err
	})
	return EndedSilence{in.ID}, err
}

func (s *Server) testChannel(ctx context.Context, in *whichChannel) (TestedChannel, error) {
	if s.config.Alerting == nil {
		return TestedChannel{}, errNoAlerts
	}
	v := TestedChannel{Channel: in.Name, Delivered: true}
	err := s.audited(ctx, access.Change{Action: "alert.test", Target: in.Name}, func() error {
		err := s.config.Alerting.Test(ctx, in.Name, access.FromContext(ctx).Actor().Name)
		switch {
		case errors.Is(err, alerting.ErrNoChannel):
			return refuse(http.StatusNotFound, s.channelsHint(), "there is no channel %q", access.Mask(in.Name))
		case err != nil:
			v.Delivered, v.Error = false, err.Error()
		}
		return nil
	})
	return v, err
}

func (s *Server) channelsHint() string {
	list := s.config.Alerting.Deliveries()
	if len(list) == 0 {
		return "none is configured: alerts.channels, or HOLDFAST_ALERTS_SLACK_URL for Slack"
	}
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	return "channels: " + strings.Join(names, ", ")
}
