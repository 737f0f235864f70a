// Package telemetry turns what Holdfast does into logs and metrics. Each part
// of Holdfast logs under its component name, and each component has a level
// that can be changed while it runs.
package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Logs makes loggers for components. Safe for concurrent use.
type Logs struct {
	out     *shared
	json    bool
	handler slog.Handler

	mu     sync.Mutex
	levels map[string]*slog.LevelVar
	base   slog.Level
	own    map[string]bool // components with a level of their own
}

// NewLogs writes to w: one JSON object or one line of key=value per record.
// mask, a slog.HandlerOptions.ReplaceAttr, hides what must not be in a log; nil
// hides nothing.
func NewLogs(w io.Writer, json bool, level slog.Level, mask func([]string, slog.Attr) slog.Attr) *Logs {
	// The handler lets all pass; each component's level decides.
	o := &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: mask}
	out := &shared{w: w}
	l := &Logs{out: out, json: json, base: level, levels: map[string]*slog.LevelVar{}, own: map[string]bool{}}
	if json {
		l.handler = slog.NewJSONHandler(out, o)
	} else {
		l.handler = slog.NewTextHandler(out, o)
	}
	return l
}

// For returns the logger of a component.
func (l *Logs) For(component string) *slog.Logger {
	h := l.handler.WithAttrs([]slog.Attr{slog.String("component", component)})
	return slog.New(leveled{h, l.level(component)})
}

func (l *Logs) level(component string) *slog.LevelVar {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.levels[component]
	if v == nil {
		v = new(slog.LevelVar)
		v.Set(l.base)
		l.levels[component] = v
	}
	return v
}

// SetBase changes the level of all components without a level of their own.
func (l *Logs) SetBase(level slog.Level) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.base = level
	for name, v := range l.levels {
		if !l.own[name] {
			v.Set(level)
		}
	}
}

// SetLevel gives a component a level of its own, also before its first logger.
func (l *Logs) SetLevel(component string, level slog.Level) {
	l.level(component).Set(level)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.own[component] = true
}

// Levels returns the level of each component.
func (l *Logs) Levels() map[string]slog.Level {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := map[string]slog.Level{}
	for name, v := range l.levels {
		m[name] = v.Level()
	}
	return m
}

// ParseLevel reads debug, info, warn or error.
func ParseLevel(s string) (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s)); err != nil {
		return 0, fmt.Errorf("log level %q: want debug, info, warn or error", s)
	}
	return level, nil
}

// DebugComponents reads the components to debug from the environment:
// HOLDFAST_DEBUG=gateway,pool or DEBUG=gateway:*,pool ("*" stands for all).
func DebugComponents(holdfastDebug, debug string) []string {
	names := map[string]bool{}
	for name := range strings.SplitSeq(holdfastDebug+","+debug, ",") {
		name = strings.TrimSuffix(strings.TrimSpace(name), ":*")
		if name != "" {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// shared is what a log is written to, by loggers and by Lines.
type shared struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}

// leveled lets records of a component pass from its level on.
type leveled struct {
	slog.Handler
	level *slog.LevelVar
}

// Enabled implements slog.Handler.
func (h leveled) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level.Level() }

// WithAttrs implements slog.Handler.
func (h leveled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return leveled{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup implements slog.Handler.
func (h leveled) WithGroup(name string) slog.Handler {
	return leveled{h.Handler.WithGroup(name), h.level}
}
