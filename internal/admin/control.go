package admin

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"holdfast/internal/admin/access"
	"holdfast/internal/telemetry"
)

// LogLevels is the level of each component that has logged or may log.
type LogLevels struct {
	Levels map[string]string `json:"levels"`
}

// LogLevel is the wish for a level. Component "*" stands for all.
type LogLevel struct {
	Component string `json:"component"`
	Level     string `json:"level"`
}

// Reloaded is what reading the configuration again changed.
type Reloaded struct {
	Changes []string `json:"changes"`
}

func (s *Server) logLevels(context.Context, *nothing) (LogLevels, error) {
	v := LogLevels{Levels: map[string]string{}}
	for component, level := range s.config.Logs.Levels() {
		v.Levels[component] = strings.ToLower(level.String())
	}
	return v, nil
}

// of is the level of a component, or all of them for "*".
func (v LogLevels) of(component string) any {
	if component == "*" {
		return v.Levels
	}
	return v.Levels[component]
}

func (s *Server) setLogLevel(ctx context.Context, in *struct{ Body LogLevel }) (LogLevels, error) {
	wish := in.Body
	level, err := telemetry.ParseLevel(wish.Level)
	if err != nil {
		e := refuse(http.StatusBadRequest, "", "%v", err)
		e.Field = "level"
		return LogLevels{}, e
	}
	known := s.config.Logs.Levels()
	_, exists := known[wish.Component]
	if wish.Component != "*" && !exists {
		names := slices.Sorted(maps.Keys(known))
		return LogLevels{}, refuse(http.StatusNotFound, meant(wish.Component, "components", names), "there is no component %q", wish.Component)
	}
	before, err := s.logLevels(ctx, nil)
	if err != nil {
		return LogLevels{}, err
	}
	err = s.audited(ctx, access.Change{Action: "log.level", Target: wish.Component, Before: before.of(wish.Component), After: wish.Level}, func() error {
		if wish.Component == "*" {
			s.setAllLevels(level)
		} else {
			s.config.Logs.SetLevel(wish.Component, level)
		}
		return nil
	})
	if err != nil {
		return LogLevels{}, err
	}
	return s.logLevels(ctx, nil)
}

// setAllLevels also reaches components with a level of their own.
func (s *Server) setAllLevels(level slog.Level) {
	s.config.Logs.SetBase(level)
	for component, has := range s.config.Logs.Levels() {
		if has != level {
			s.config.Logs.SetLevel(component, level)
		}
	}
}

func (s *Server) reload(ctx context.Context, _ *nothing) (Reloaded, error) {
	if s.config.Reload == nil {
		return Reloaded{}, refuse(http.StatusServiceUnavailable, "", "this Holdfast has no configuration to read again")
	}
	var changes []string
	err := s.audited(ctx, access.Change{Action: "config.reload", Target: "configuration"}, func() (err error) {
		changes, err = s.config.Reload()
		return err
	})
	if err != nil {
		return Reloaded{}, refuse(http.StatusBadRequest, "mend the file and reload again; what runs goes on as before", "configuration not changed: %v", err)
	}
	return Reloaded{Changes: append([]string{}, changes...)}, nil
}

// yamlText is an answer that is no JSON.
type yamlText struct {
	Type string `header:"Content-Type"`
	Body []byte
}

func (s *Server) configuration(context.Context, *nothing) (*yamlText, error) {
	if s.config.Config == nil {
		return nil, refuse(http.StatusServiceUnavailable, "", "this Holdfast does not show its configuration")
	}
	text, err := s.config.Config()
	if err != nil {
		return nil, asError(err)
	}
	return &yamlText{"application/yaml", text}, nil
}
