package admin

import (
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

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

func (s *Server) logLevels(*http.Request) (any, error) {
	v := LogLevels{Levels: map[string]string{}}
	for component, level := range s.config.Logs.Levels() {
		v.Levels[component] = strings.ToLower(level.String())
	}
	return v, nil
}

func (s *Server) setLogLevel(r *http.Request) (any, error) {
	var wish LogLevel
	if err := decode(r, &wish); err != nil {
		return nil, err
	}
	level, err := telemetry.ParseLevel(wish.Level)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "", "%v", err)
	}
	known := s.config.Logs.Levels()
	_, exists := known[wish.Component]
	switch {
	case wish.Component == "*":
		s.setAllLevels(level)
	case exists:
		s.config.Logs.SetLevel(wish.Component, level)
	default:
		names := slices.Sorted(maps.Keys(known))
		return nil, refuse(http.StatusNotFound, meant(wish.Component, "components", names), "there is no component %q", wish.Component)
	}
	return s.logLevels(r)
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

func (s *Server) reload(*http.Request) (any, error) {
	if s.config.Reload == nil {
		return nil, refuse(http.StatusServiceUnavailable, "", "this Holdfast has no configuration to read again")
	}
	changes, err := s.config.Reload()
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "mend the file and reload again; what runs goes on as before", "configuration not changed: %v", err)
	}
	return Reloaded{Changes: append([]string{}, changes...)}, nil
}

func (s *Server) configuration(w http.ResponseWriter, _ *http.Request) {
	if s.config.Config == nil {
		writeError(w, refuse(http.StatusServiceUnavailable, "", "this Holdfast does not show its configuration"))
		return
	}
	text, err := s.config.Config()
	if err != nil {
		writeError(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/yaml")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(text) // whoever asked may have left
}
