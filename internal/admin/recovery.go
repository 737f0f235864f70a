package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"holdfast/internal/admin/access"
	"holdfast/internal/control"
	"holdfast/internal/store"
)

// recoveryPath is the endpoint that every installation has in the same place.
const recoveryPath = "/api/admin/monitoring/auto-recovery"

// RecoveryAnswer is every good answer of the auto-recovery endpoint. Refusals
// are an Error: {"success": false, "error": ...}.
type RecoveryAnswer struct {
	Success bool      `json:"success" doc:"always true"`
	Data    any       `json:"data" doc:"depends on the action"`
	At      time.Time `json:"timestamp"`
}

// recoveryQuestion asks for one of three overviews.
type recoveryQuestion struct {
	Action   string `query:"action" default:"status" enum:"status,instances,circuit-breakers" doc:"which overview"`
	Function string `query:"function" doc:"only this function"`
}

// RecoveryStatus is how one function is kept up.
type RecoveryStatus struct {
	FunctionStatus

	Enabled bool     `json:"enabled"` // false: recovery and scaling rest
	Stopped bool     `json:"stopped"` // monitoring rests until initialize
	Orders  []string `json:"orders" doc:"what somebody ordered and still holds, in sentences"`
	// The overrides of its configuration, as they were put.
	RecoveryConfig      json.RawMessage `json:"recovery_config"`
	LoadBalancingConfig json.RawMessage `json:"load_balancing_config"`
	ScalingConfig       json.RawMessage `json:"scaling_config"`
}

// RecoveryAction is an order.
type RecoveryAction struct {
	Action   string `json:"action" enum:"initialize,failover,scale,stop,clear-sessions" example:"initialize"`
	Function string `json:"function_name" minLength:"1" maxLength:"63" example:"admin"`
	Scale    string `json:"scale_action,omitempty" enum:"up,down" doc:"with scale"`
	Instance string `json:"instance_id,omitempty" maxLength:"128" doc:"with failover; the primary when left out"`
	Force    bool   `json:"force,omitempty" doc:"with failover: also when nobody else can take the traffic"`
	Reason   string `json:"reason,omitempty" maxLength:"500"`
}

// RecoveryConfig changes the configuration of a function. A document that is
// left out stays as it is; {} takes its overrides back.
type RecoveryConfig struct {
	Function      string          `json:"function_name" minLength:"1" maxLength:"63" example:"admin"`
	Recovery      json.RawMessage `json:"recovery_config,omitempty" doc:"circuit_breaker, retry, health, timeouts, concurrency, fallback, wait_for_instance; keys of circuit_breaker may stand alone"`
	LoadBalancing json.RawMessage `json:"load_balancing_config,omitempty" doc:"keys of load_balancing"`
	Scaling       json.RawMessage `json:"scaling_config,omitempty" doc:"keys of scaling"`
}

func done(data any) RecoveryAnswer { return RecoveryAnswer{true, data, time.Now()} }

func (a *api) addRecovery() {
	s := a.server
	const tag = "auto-recovery"
	handle(a, op{
		id: "auto-recovery-get", method: http.MethodGet, path: recoveryPath, tag: tag, role: store.Viewer, errors: []int{404},
		summary: "How functions are kept up: status, instances or breakers",
	}, s.recoveryOverview)
	handle(a, op{
		id: "auto-recovery-act", method: http.MethodPost, path: recoveryPath, tag: tag, role: store.Operator, errors: []int{404, 409, 503},
		summary: "Initialize, fail over, scale, stop, or clear sessions",
	}, s.recoveryAct)
	handle(a, op{
		id: "auto-recovery-configure", method: http.MethodPut, path: recoveryPath, tag: tag, role: store.Admin, errors: []int{404, 503},
		summary: "Change the configuration of a function and enable it",
		about:   "Checked as a whole, kept in the store, in force at once, and laid over the file by every reload and restart.",
	}, s.recoveryConfigure)
	handle(a, op{
		id: "auto-recovery-disable", method: http.MethodDelete, path: recoveryPath, tag: tag, role: store.Operator, errors: []int{404, 503},
		summary: "Disable a function: recovery and scaling rest, traffic flows",
	}, s.recoveryDisable)
}

func (s *Server) recoveryOverview(ctx context.Context, in *recoveryQuestion) (RecoveryAnswer, error) {
	switch in.Action {
	case "instances":
		v, err := s.instances(ctx, &byFunction{in.Function})
		return done(v.Instances), err
	case "circuit-breakers":
		v, err := s.breakers(ctx, &byFunction{in.Function})
		return done(v.Breakers), err
	}
	functions, err := s.functionsOf(in.Function)
	if err != nil {
		return RecoveryAnswer{}, err
	}
	list, now := []RecoveryStatus{}, time.Now()
	for _, fn := range functions {
		list = append(list, s.recoveryStatus(s.functionStatus(fn, now)))
	}
	return done(list), nil
}

func (s *Server) recoveryStatus(f FunctionStatus) RecoveryStatus {
	v := RecoveryStatus{FunctionStatus: f, Enabled: true, Orders: []string{}}
	empty := json.RawMessage("{}")
	v.RecoveryConfig, v.LoadBalancingConfig, v.ScalingConfig = empty, empty, empty
	if s.config.Control == nil {
		return v
	}
	row, o := s.config.Control.State().Of(f.Name), s.config.Control.State().Orders(f.Name)
	v.Enabled, v.Stopped = s.config.Control.Enabled(f.Name), o.Stopped != nil
	v.Orders = append(v.Orders, o.Sentences()...)
	for _, doc := range []struct {
		to   *json.RawMessage
		from json.RawMessage
	}{{&v.RecoveryConfig, row.Recovery}, {&v.LoadBalancingConfig, row.LoadBalancing}, {&v.ScalingConfig, row.Scaling}} {
		if len(doc.from) > 0 {
			*doc.to = access.MaskJSON(doc.from)
		}
	}
	return v
}

func (s *Server) recoveryAct(ctx context.Context, in *struct{ Body RecoveryAction }) (RecoveryAnswer, error) {
	c, by, err := s.orders(ctx)
	if err != nil {
		return RecoveryAnswer{}, err
	}
	b := &in.Body
	b.Reason = access.Mask(b.Reason)
	if b.Action == "scale" && b.Scale == "" {
		e := refuse(http.StatusBadRequest, "", "scale_action: must be up or down")
		e.Field = "scale_action"
		return RecoveryAnswer{}, e
	}
	switch b.Action {
	case "initialize":
		err = c.Initialize(ctx, by, b.Function, b.Reason)
	case "stop":
		err = c.Stop(ctx, by, b.Function, b.Reason)
	case "clear-sessions":
		n, err := c.ClearSessions(ctx, by, b.Function, b.Reason)
		return done(Cleared{b.Function, n}), s.meant(err, b.Function)
	case "failover":
		v, err := c.Failover(ctx, by, b.Function, b.Instance, b.Reason, b.Force)
		return done(v), s.meant(err, b.Function)
	case "scale":
		v, err := c.Scale(ctx, by, b.Function, b.Scale, 0, b.Reason)
		return done(v), s.meant(err, b.Function)
	}
	if err != nil {
		return RecoveryAnswer{}, s.meant(err, b.Function)
	}
	return s.recoveryOverview(ctx, &recoveryQuestion{Function: b.Function})
}

func (s *Server) recoveryConfigure(ctx context.Context, in *struct{ Body RecoveryConfig }) (RecoveryAnswer, error) {
	c, by, err := s.orders(ctx)
	if err != nil {
		return RecoveryAnswer{}, err
	}
	b := &in.Body
	docs := control.Documents{Recovery: b.Recovery, LoadBalancing: b.LoadBalancing, Scaling: b.Scaling}
	if _, err := c.Configure(ctx, by, b.Function, docs); err != nil {
		return RecoveryAnswer{}, s.meant(err, b.Function)
	}
	return s.recoveryOverview(ctx, &recoveryQuestion{Function: b.Function})
}

func (s *Server) recoveryDisable(ctx context.Context, in *struct {
	Function string `query:"function" required:"true" doc:"name of the function" maxLength:"63"`
},
) (RecoveryAnswer, error) {
	c, by, err := s.orders(ctx)
	if err != nil {
		return RecoveryAnswer{}, err
	}
	if err := c.Disable(ctx, by, in.Function); err != nil {
		return RecoveryAnswer{}, s.meant(err, in.Function)
	}
	return s.recoveryOverview(ctx, &recoveryQuestion{Function: in.Function})
}

// orders returns who carries orders out, and in whose name. What comes after
// writes the audit log.
func (s *Server) orders(ctx context.Context) (*control.Control, store.Actor, error) {
	if s.config.Control == nil {
		return nil, store.Actor{}, refuse(http.StatusServiceUnavailable, "", "this Holdfast takes no orders")
	}
	access.Covered(ctx)
	return s.config.Control, access.FromContext(ctx).Actor(), nil
}

// meant adds to a refusal which function may have been meant.
func (s *Server) meant(err error, function string) error {
	r, ok := asRefusal(err)
	if ok && r.Kind == control.NotFound && s.config.Gateway.Function(function) == nil {
		_, known := s.function(function)
		return known
	}
	return err
}
