package admin

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"holdfast/autoscale/simulate"
	"holdfast/internal/admin/access"
	"holdfast/internal/control"
	"holdfast/internal/store"
)

// Trial is what a State would come to that is not in force.
type Trial struct {
	Changes []ConfigDifference
	// Scaling is how the function asked about would be scaled.
	Scaling simulate.Contender
}

// ConfigDifference is a key that would have another value.
type ConfigDifference struct {
	Path    string `json:"path"`
	Old     string `json:"old" doc:"as a file would have it; empty: it has none; secrets are ***"`
	New     string `json:"new" doc:"empty: it would have none"`
	Restart bool   `json:"restart,omitempty" doc:"takes effect after a restart"`
}

// ConfigProposal is a change to look at: of one key, as PUT
// /api/v1/config/values, or of a function, as PUT
// /api/admin/monitoring/auto-recovery.
type ConfigProposal struct {
	Path  string          `json:"path,omitempty" maxLength:"512" example:"functions.public.retry.attempts"`
	Value json.RawMessage `json:"value,omitempty" doc:"missing or null: the override of the key is taken back"`

	Function      string          `json:"function_name,omitempty" maxLength:"63"`
	Recovery      json.RawMessage `json:"recovery_config,omitempty"`
	LoadBalancing json.RawMessage `json:"load_balancing_config,omitempty"`
	Scaling       json.RawMessage `json:"scaling_config,omitempty"`
}

// ConfigChecked is what would become of a change.
type ConfigChecked struct {
	OK       bool               `json:"ok"`
	Problems []control.Problem  `json:"problems" doc:"why it would be refused, by field as it was written"`
	Changes  []ConfigDifference `json:"changes" doc:"keys that would have another value; empty also when nothing would change"`
}

// addTrials adds what an editor of the configuration needs.
func (a *api) addTrials() {
	s := a.server
	handle(a, op{
		id: "config-check", method: http.MethodPost, path: "/api/v1/config/check", tag: "configuration", role: store.Admin, errors: []int{404, 503},
		summary: "What a change of the configuration would come to", about: "Nothing is changed. Whether it would be refused is in the answer.",
	}, s.checkConfig)
	o := a.operation(op{
		id: "config-schema", method: http.MethodGet, path: "/api/v1/config/schema", tag: "configuration", role: store.Viewer, errors: []int{503},
		summary: "JSON Schema of a function's configuration", about: "`x-settable` lists the keys that can be set through the API, `[]` behind lists, NAME for names that are chosen freely.",
	})
	o.Responses = map[string]*huma.Response{"200": {
		Description: "OK", Content: map[string]*huma.MediaType{"application/schema+json": {Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}}},
	}}
	huma.Register(a.API, o, func(context.Context, *nothing) (*eventsAnswer, error) {
		if s.config.Schema == nil {
			return nil, asError(refuse(http.StatusServiceUnavailable, "", "this Holdfast does not show its configuration"))
		}
		return &eventsAnswer{func(ctx huma.Context) {
			_, w := unwrap(ctx)
			w.Header().Set("Content-Type", "application/schema+json")
			_, _ = w.Write(s.config.Schema()) // whoever asked may have left
		}}, nil
	})
}

func (s *Server) checkConfig(ctx context.Context, in *struct{ Body ConfigProposal }) (ConfigChecked, error) {
	if s.config.Control == nil || s.config.Trial == nil {
		return ConfigChecked{}, refuse(http.StatusServiceUnavailable, "", "this Holdfast takes no orders")
	}
	access.Covered(ctx) // nothing is changed
	b := &in.Body
	v := ConfigChecked{Problems: []control.Problem{}, Changes: []ConfigDifference{}}
	var state *control.State
	var err error
	switch {
	case (b.Path == "") == (b.Function == ""):
		e := refuse(http.StatusBadRequest, "", "path: give path and value of a key, or function_name and its documents")
		e.Field = "path"
		return v, e
	case b.Path != "":
		state, err = s.config.Control.TrialOfKey(ctx, b.Path, b.Value)
	default:
		state, err = s.config.Control.Trial(b.Function, control.Documents{Recovery: b.Recovery, LoadBalancing: b.LoadBalancing, Scaling: b.Scaling})
	}
	if r, refused := asRefusal(err); refused && len(r.Problems) > 0 {
		v.Problems = refusalOf(r).Problems
		return v, nil
	}
	if err != nil && b.Function != "" {
		err = s.meant(err, b.Function)
	}
	if err != nil {
		return v, err
	}
	trial, err := s.config.Trial(state, b.Function)
	if err != nil {
		return v, err
	}
	v.OK, v.Changes = true, append(v.Changes, trial.Changes...)
	return v, nil
}
