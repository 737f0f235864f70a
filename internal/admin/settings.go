package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"

	"holdfast/internal/admin/access"
	"holdfast/internal/store"
)

// ConfigValues is what the configuration says.
type ConfigValues struct {
	Values []ConfigValue `json:"values"`
}

// ConfigValue is one key.
type ConfigValue struct {
	Path   string `json:"path" example:"functions.public.retry.attempts"`
	Value  string `json:"value" doc:"as a file would have it; secrets are ***"`
	Origin string `json:"origin" example:"file holdfast.yaml:12:7" doc:"default, file, environment or override"`
}

// ConfigOverride sets a key.
type ConfigOverride struct {
	Path  string          `json:"path" minLength:"1" maxLength:"512" example:"functions.public.retry.attempts"`
	Value json.RawMessage `json:"value" doc:"as a file would have it"`
}

// ConfigHistory is what was set through the API, newest first.
type ConfigHistory struct {
	Changes []store.ConfigChange `json:"changes"`
}

// ScalingActions is what was done to instances, newest first.
type ScalingActions struct {
	Actions []store.ScalingAction `json:"actions"`
}

// AuditLog is who did what, newest first.
type AuditLog struct {
	Entries []store.AuditEntry `json:"entries"`
}

// whichRows selects rows of a log.
type whichRows struct {
	Function string    `query:"function" doc:"only about this function"`
	Action   string    `query:"action" doc:"only this action"`
	From     time.Time `query:"from" doc:"not before"`
	To       time.Time `query:"to" doc:"before"`
	Before   string    `query:"before" format:"uuid" doc:"the last id of the page before"`
	Limit    int       `query:"limit" default:"100" minimum:"1" maximum:"1000"`
}

func (in *whichRows) query() (store.Query, error) {
	q := store.Query{Function: in.Function, Kind: in.Action, From: in.From, To: in.To, Limit: in.Limit}
	if in.Before != "" {
		id, err := uuid.Parse(in.Before)
		if err != nil {
			e := refuse(http.StatusBadRequest, "", "before: must be the id of a row")
			e.Field = "before"
			return q, e
		}
		q.Before = id
	}
	return q, nil
}

func (a *api) addSettings() {
	s := a.server
	const path = "/api/v1/config/values"
	handle(a, op{
		id: "config-values", method: http.MethodGet, path: path, tag: "configuration", role: store.Viewer, errors: []int{404},
		summary: "What the configuration says, and where each value comes from",
	}, s.configValues)
	handle(a, op{
		id: "config-set", method: http.MethodPut, path: path, tag: "configuration", role: store.Admin, errors: []int{404, 503},
		summary: "Override a key", about: "Commands, files, environment and listeners cannot be set: 403.",
	}, func(ctx context.Context, in *struct{ Body ConfigOverride }) (ConfigValues, error) {
		c, by, err := s.orders(ctx)
		if err == nil {
			err = c.Set(ctx, by, in.Body.Path, in.Body.Value)
		}
		if err != nil {
			return ConfigValues{}, err
		}
		return s.configValues(ctx, &whichValues{in.Body.Path})
	})
	handle(a, op{
		id: "config-unset", method: http.MethodDelete, path: path, tag: "configuration", role: store.Admin, errors: []int{404, 503},
		summary: "Take the override of a key back",
	}, func(ctx context.Context, in *struct {
		Path string `query:"path" required:"true" maxLength:"512"`
	},
	) (ConfigValues, error) {
		c, by, err := s.orders(ctx)
		if err == nil {
			err = c.Unset(ctx, by, in.Path)
		}
		if err != nil {
			return ConfigValues{}, err
		}
		return s.configValues(ctx, &whichValues{in.Path})
	})
	handle(a, op{
		id: "config-history", method: http.MethodGet, path: "/api/v1/config/history", tag: "configuration", role: store.Viewer, errors: []int{503},
		summary: "What was overridden when and by whom",
	}, s.configHistory)
}

// whichValues selects values by the beginning of their path.
type whichValues struct {
	Path string `query:"path" maxLength:"512" doc:"this key and what is in it; empty: all"`
}

func (s *Server) configValues(_ context.Context, in *whichValues) (ConfigValues, error) {
	if s.config.Values == nil {
		return ConfigValues{}, refuse(http.StatusServiceUnavailable, "", "this Holdfast does not show its configuration")
	}
	v := ConfigValues{Values: append([]ConfigValue{}, s.config.Values(in.Path)...)}
	if len(v.Values) == 0 && in.Path != "" {
		return v, refuse(http.StatusNotFound, "holdfast config get lists all keys that have a value", "nothing is set at %s", access.Mask(in.Path))
	}
	return v, nil
}

func (a *api) addLogs() {
	s := a.server
	handle(a, op{
		id: "actions", method: http.MethodGet, path: "/api/v1/actions", tag: "events", role: store.Viewer, errors: []int{503},
		summary: "Scaling actions: scale_up, scale_down, failover, recovery",
	}, s.actions)
	handle(a, op{
		id: "audit", method: http.MethodGet, path: "/api/v1/audit", tag: "events", role: store.Admin, errors: []int{503},
		summary: "Who changed what, before and after", about: "`function` selects by target.",
	}, s.auditLog)
}

// rows asks the store for a log.
func rows[R any](ctx context.Context, in *whichRows, ask func(context.Context, store.Query) ([]R, error)) ([]R, error) {
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	list, err := ask(ctx, q)
	return append([]R{}, list...), err
}

var errNoStore = refuse(http.StatusServiceUnavailable, "", "this Holdfast has no store")

func (s *Server) actions(ctx context.Context, in *whichRows) (ScalingActions, error) {
	if s.config.Store == nil {
		return ScalingActions{}, errNoStore
	}
	list, err := rows(ctx, in, s.config.Store.ScalingActions)
	return ScalingActions{list}, err
}

func (s *Server) auditLog(ctx context.Context, in *whichRows) (AuditLog, error) {
	if s.config.Store == nil {
		return AuditLog{}, errNoStore
	}
	list, err := rows(ctx, in, s.config.Store.AuditLog)
	for i := range list {
		list[i].Before, list[i].After = masked(list[i].Before), masked(list[i].After)
	}
	return AuditLog{list}, err
}

func (s *Server) configHistory(ctx context.Context, in *whichRows) (ConfigHistory, error) {
	if s.config.Store == nil {
		return ConfigHistory{}, errNoStore
	}
	list, err := rows(ctx, in, s.config.Store.ConfigChanges)
	for i := range list {
		list[i].Before, list[i].After = masked(list[i].Before), masked(list[i].After)
	}
	return ConfigHistory{list}, err
}

// masked hides secrets in what was written before there was a rule for them.
func masked(doc json.RawMessage) json.RawMessage {
	if len(doc) == 0 {
		return nil
	}
	return access.MaskJSON(doc)
}
