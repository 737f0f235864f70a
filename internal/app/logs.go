package app

import (
	"context"
	"io"
	"log/slog"

	"holdfast/internal/admin/access"
	"holdfast/internal/config"
	"holdfast/internal/event"
	"holdfast/internal/telemetry"
)

func (a *App) makeLogs(c *config.Config) {
	w := a.options.Log
	if w == nil {
		w = io.Discard
	}
	a.logs = telemetry.NewLogs(w, c.Log.Format == "json", levelOf(c.Log.Level), access.MaskAttr)
	a.logger = a.logs.For("app")
	a.setLevels(c)
}

// setLevels puts the configured levels in force; what was asked for in the
// environment stays.
func (a *App) setLevels(c *config.Config) {
	a.logs.SetBase(levelOf(c.Log.Level))
	for component, level := range c.Log.Components {
		a.logs.SetLevel(component, levelOf(level))
	}
	for _, component := range a.options.Debug {
		if component == "*" {
			a.logs.SetBase(slog.LevelDebug)
			continue
		}
		a.logs.SetLevel(component, slog.LevelDebug)
	}
}

// levelOf reads a level that the configuration has checked.
func levelOf(s string) slog.Level {
	level, err := telemetry.ParseLevel(s)
	if err != nil {
		return slog.LevelInfo
	}
	return level
}

// logEvent writes events to the log: what is bad for somebody as a warning.
func (a *App) logEvent(e event.Event) {
	level := slog.LevelInfo
	switch {
	case e.Kind == event.Process, e.To == "refused": // told in more detail by who found it
		level = slog.LevelDebug
	case e.To == "failed", e.To == "open",
		e.Kind == event.InstanceEjected, e.Kind == event.EjectionRefused, e.Kind == event.Panic, e.Kind == event.Anomaly && e.To != ordinary,
		e.Kind == event.Scaling && e.To != ordinary, e.Kind == event.Alert && (e.To == "critical" || e.To == "warning"):
		level = slog.LevelWarn
	}
	attrs := make([]slog.Attr, 0, 7)
	for _, kv := range [][2]string{
		{"kind", string(e.Kind)}, {"function", e.Function}, {"instance", e.Instance}, {"from", e.From}, {"to", e.To}, {"source", e.Source}, {"reason", e.Reason},
	} {
		if kv[1] != "" {
			attrs = append(attrs, slog.String(kv[0], kv[1]))
		}
	}
	a.logs.For("events").LogAttrs(context.Background(), level, "event", attrs...)
}
