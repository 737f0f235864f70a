package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"holdfast/internal/admin/access"
	"holdfast/internal/control"
	"holdfast/internal/store"
)

// Functions is the answer about functions.
type Functions struct {
	Functions []RecoveryStatus `json:"functions"`
}

// Cleared says how many sessions were ended.
type Cleared struct {
	Function string `json:"function_name"`
	Cleared  int    `json:"sessions_cleared"`
}

// Reason is the body of orders that need nothing else. It may be left out.
type Reason struct {
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"for the audit log, the events, and those who meet the result"`
}

// text is empty without a body.
func (r *Reason) text() string {
	if r == nil {
		return ""
	}
	return access.Mask(r.Reason)
}

// ScaleOrder wants one of the two.
type ScaleOrder struct {
	Action    string `json:"scale_action,omitempty" enum:"up,down" doc:"one more, or one less"`
	Instances int    `json:"instances,omitempty" minimum:"1" maximum:"10000" doc:"this many"`
	Reason    string `json:"reason,omitempty" maxLength:"500"`
}

// HoldOrder says for how long scaling is held.
type HoldOrder struct {
	For    string `json:"for,omitempty" maxLength:"20" example:"90m" doc:"1h when left out; 0 is until somebody takes it back"`
	Reason string `json:"reason,omitempty" maxLength:"500"`
}

// PinOrder says at how many instances, besides.
type PinOrder struct {
	Instances int    `json:"instances" minimum:"0" maximum:"10000" doc:"this many"`
	For       string `json:"for,omitempty" maxLength:"20" example:"90m" doc:"1h when left out; 0 is until somebody takes it back"`
	Reason    string `json:"reason,omitempty" maxLength:"500"`
}

// usualHold is how long scaling is held when nobody says: who forgets about it
// finds it over.
const usualHold = time.Hour

// holdTime reads how long; a refusal names the field.
func holdTime(text string) (time.Duration, error) {
	if text == "" {
		return usualHold, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		e := refuse(http.StatusBadRequest, "", "for: must be a duration such as 90m or 2h, or 0 for until somebody takes it back, is %q", text)
		e.Field = "for"
		return 0, e
	}
	return d, nil
}

// FailoverOrder says whose traffic is moved.
type FailoverOrder struct {
	Instance string `json:"instance_id,omitempty" maxLength:"128" doc:"the primary when left out: the lowest priority, of equals the busiest"`
	Force    bool   `json:"force,omitempty" doc:"also when nobody else can take the traffic"`
	Reason   string `json:"reason,omitempty" maxLength:"500"`
}

// WeightOrder is another weight for an instance.
type WeightOrder struct {
	Weight int `json:"weight" minimum:"0" maximum:"1000" doc:"0 is the configured one"`
}

// OpenOrder says why a breaker is forced open.
type OpenOrder struct {
	Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"everybody who meets the breaker reads it"`
}

func asRefusal(err error) (*control.Refusal, bool) { return errors.AsType[*control.Refusal](err) }

type aboutFunction[B any] struct {
	Function string `path:"function" doc:"name of the function" maxLength:"63"`
	Body     B
}

type aboutInstance[B any] struct {
	Function string `path:"function" doc:"name of the function" maxLength:"63"`
	Instance string `path:"instance" doc:"name of the instance" maxLength:"128"`
	Body     B
}

// order adds POST /api/v1/functions/{function}/NAME.
func order[B, O any](a *api, name, summary, about string, h func(context.Context, *control.Control, store.Actor, *aboutFunction[B]) (O, error)) {
	s := a.server
	handle(a, op{
		id: "function-" + name, method: http.MethodPost, path: "/api/v1/functions/{function}/" + name, tag: "functions",
		summary: summary, about: about, role: store.Operator, errors: []int{404, 409, 503},
	}, func(ctx context.Context, in *aboutFunction[B]) (O, error) {
		c, by, err := s.orders(ctx)
		if err != nil {
			var none O
			return none, err
		}
		v, err := h(ctx, c, by, in)
		return v, s.meant(err, in.Function)
	})
}

func (a *api) addFunctions() {
	s := a.server
	handle(a, op{
		id: "functions", method: http.MethodGet, path: "/api/v1/functions", tag: "functions", role: store.Viewer,
		summary: "All functions with their figures and orders",
	}, s.listFunctions)
	handle(a, op{
		id: "function", method: http.MethodGet, path: "/api/v1/functions/{function}", tag: "functions", role: store.Viewer, errors: []int{404},
		summary: "One function",
	}, func(_ context.Context, in *thisFunction) (RecoveryStatus, error) { return s.functionNow(in.Function) })
	a.addMonitoring()
	order(a, "scale", "Start or stop instances", "The limits of the configuration hold; its cooldown does not bind a person. Answers when the instances are ready or gone, at the latest after 20 s: then `pending` is true.",
		func(ctx context.Context, c *control.Control, by store.Actor, in *aboutFunction[ScaleOrder]) (control.Scaled, error) {
			ctx, stop := context.WithTimeout(ctx, scalePatience)
			defer stop()
			return c.Scale(ctx, by, in.Function, in.Body.Action, in.Body.Instances, access.Mask(in.Body.Reason))
		})
	a.addHolds()
	order(a, "failover", "Move traffic off the primary or another instance", "It stays off through reloads and restarts, until failback.",
		func(ctx context.Context, c *control.Control, by store.Actor, in *aboutFunction[*FailoverOrder]) (control.Moved, error) {
			o := FailoverOrder{}
			if in.Body != nil {
				o = *in.Body
			}
			return c.Failover(ctx, by, in.Function, o.Instance, access.Mask(o.Reason), o.Force)
		})
	order(a, "failback", "Take a failover back", "",
		func(ctx context.Context, c *control.Control, by store.Actor, in *aboutFunction[*Reason]) (control.Moved, error) {
			return c.Failback(ctx, by, in.Function, in.Body.text())
		})
	order(a, "rollback", "Go back to the version that ran before", "On docker-swarm and kubernetes. The number of instances stays. Answers once the platform has taken the order; it replaces the instances then.",
		func(ctx context.Context, c *control.Control, by store.Actor, in *aboutFunction[*Reason]) (control.RolledBack, error) {
			return c.Rollback(ctx, by, in.Function, in.Body.text())
		})
	order(a, "clear-sessions", "End all sessions; clients are spread anew", "",
		func(ctx context.Context, c *control.Control, by store.Actor, in *aboutFunction[*Reason]) (Cleared, error) {
			n, err := c.ClearSessions(ctx, by, in.Function, in.Body.text())
			return Cleared{in.Function, n}, err
		})
}

// addHolds adds what keeps the scaler from changing a number.
func (a *api) addHolds() {
	s := a.server
	hold := func(length, function string, do func(time.Duration) error) (RecoveryStatus, error) {
		d, err := holdTime(length)
		if err == nil {
			err = do(d)
		}
		if err != nil {
			return RecoveryStatus{}, err
		}
		return s.functionNow(function)
	}
	order(a, "pause", "Keep the number of instances as it is for a while", "The scaler goes on deciding and carries nothing out. It ends by itself after `for`, and holds through restarts.",
		func(ctx context.Context, c *control.Control, by store.Actor, in *aboutFunction[*HoldOrder]) (RecoveryStatus, error) {
			o := HoldOrder{}
			if in.Body != nil {
				o = *in.Body
			}
			return hold(o.For, in.Function, func(d time.Duration) error { return c.Pause(ctx, by, in.Function, d, access.Mask(o.Reason)) })
		})
	order(a, "pin", "Keep the number of instances at one for a while", "Within `scaling.min_instances` and `max_instances`. It ends by itself after `for`, and holds through restarts.",
		func(ctx context.Context, c *control.Control, by store.Actor, in *aboutFunction[PinOrder]) (RecoveryStatus, error) {
			return hold(in.Body.For, in.Function, func(d time.Duration) error {
				return c.Pin(ctx, by, in.Function, in.Body.Instances, d, access.Mask(in.Body.Reason))
			})
		})
	order(a, "unpause", "Take pause or pin back: scaling goes on", "",
		func(ctx context.Context, c *control.Control, by store.Actor, in *aboutFunction[*Reason]) (RecoveryStatus, error) {
			return hold("", in.Function, func(time.Duration) error { return c.Resume(ctx, by, in.Function, in.Body.text()) })
		})
}

// scalePatience is below the time an answer may take.
const scalePatience = 20 * time.Second

// addMonitoring adds what makes watching begin, rest and go on.
func (a *api) addMonitoring() {
	s := a.server
	plain := func(name, summary, about string, do func(context.Context, *control.Control, store.Actor, string, string) error) {
		order(a, name, summary, about, func(ctx context.Context, c *control.Control, by store.Actor, in *aboutFunction[*Reason]) (RecoveryStatus, error) {
			if err := do(ctx, c, by, in.Function, in.Body.text()); err != nil {
				return RecoveryStatus{}, err
			}
			return s.functionNow(in.Function)
		})
	}
	plain("initialize", "Begin anew: enabled, watched, with a fresh breaker, checked at once", "",
		func(ctx context.Context, c *control.Control, by store.Actor, function, reason string) error {
			return c.Initialize(ctx, by, function, reason)
		})
	plain("stop", "Let checks, ejection, breaker, retries and scaling rest; traffic flows", "Until `initialize` or `start`.",
		func(ctx context.Context, c *control.Control, by store.Actor, function, reason string) error {
			return c.Stop(ctx, by, function, reason)
		})
	plain("start", "Take stop back; nothing that was learnt is forgotten", "",
		func(ctx context.Context, c *control.Control, by store.Actor, function, reason string) error {
			return c.Start(ctx, by, function, reason)
		})
	order(a, "breaker/reset", "Close the breaker and forget its counts", "",
		func(ctx context.Context, c *control.Control, by store.Actor, in *aboutFunction[*Reason]) (Breaker, error) {
			if err := c.ResetBreaker(ctx, by, in.Function, in.Body.text()); err != nil {
				return Breaker{}, err
			}
			return s.breakerNow(in.Function)
		})
	order(a, "breaker/open", "Keep the breaker open until it is reset", "",
		func(ctx context.Context, c *control.Control, by store.Actor, in *aboutFunction[OpenOrder]) (Breaker, error) {
			if err := c.OpenBreaker(ctx, by, in.Function, access.Mask(in.Body.Reason)); err != nil {
				return Breaker{}, err
			}
			return s.breakerNow(in.Function)
		})
}

// addInstances adds what concerns a single instance.
func (a *api) addInstances() {
	s := a.server
	handle(a, op{
		id: "instances", method: http.MethodGet, path: "/api/v1/instances", tag: "instances", role: store.Viewer, errors: []int{404},
		summary: "Instances with their state, share of traffic and latency",
	}, s.instances)
	handle(a, op{
		id: "function-instances", method: http.MethodGet, path: "/api/v1/functions/{function}/instances", tag: "instances", role: store.Viewer, errors: []int{404},
		summary: "The instances of one function",
	}, func(ctx context.Context, in *thisFunction) (Instances, error) {
		return s.instances(ctx, &byFunction{in.Function})
	})
	one := func(id, method, name, summary string, do func(context.Context, *control.Control, store.Actor, *aboutInstance[*Reason]) error) {
		about(a, id, method, name, summary, do)
	}
	one("instance-drain", http.MethodPut, "drain", "Take an instance out of rotation; what it has is finished",
		func(ctx context.Context, c *control.Control, by store.Actor, in *aboutInstance[*Reason]) error {
			return c.Drain(ctx, by, in.Function, in.Instance, true, in.Body.text())
		})
	one("instance-undrain", http.MethodDelete, "drain", "Put a drained instance back",
		func(ctx context.Context, c *control.Control, by store.Actor, in *aboutInstance[*Reason]) error {
			return c.Drain(ctx, by, in.Function, in.Instance, false, in.Body.text())
		})
	about(a, "instance-weight", http.MethodPut, "weight", "Give an instance another weight",
		func(ctx context.Context, c *control.Control, by store.Actor, in *aboutInstance[WeightOrder]) error {
			return c.Weigh(ctx, by, in.Function, in.Instance, in.Body.Weight)
		})
}

// about adds an order about an instance.
func about[B any](a *api, id, method, name, summary string, do func(context.Context, *control.Control, store.Actor, *aboutInstance[B]) error) {
	s := a.server
	handle(a, op{
		id: id, method: method, path: "/api/v1/functions/{function}/instances/{instance}/" + name, tag: "instances",
		summary: summary, role: store.Operator, errors: []int{404, 409, 503},
	}, func(ctx context.Context, in *aboutInstance[B]) (Instances, error) {
		c, by, err := s.orders(ctx)
		if err != nil {
			return Instances{}, err
		}
		if err := do(ctx, c, by, in); err != nil {
			return Instances{}, s.meant(err, in.Function)
		}
		return s.instances(ctx, &byFunction{in.Function})
	})
}

func (s *Server) listFunctions(context.Context, *nothing) (Functions, error) {
	v, now := Functions{Functions: []RecoveryStatus{}}, time.Now()
	for _, fn := range s.config.Gateway.Functions() {
		v.Functions = append(v.Functions, s.recoveryStatus(s.functionStatus(fn, now)))
	}
	return v, nil
}

func (s *Server) functionNow(name string) (RecoveryStatus, error) {
	fn, err := s.function(name)
	if err != nil {
		return RecoveryStatus{}, err
	}
	return s.recoveryStatus(s.functionStatus(fn, time.Now())), nil
}

func (s *Server) breakerNow(name string) (Breaker, error) {
	fn, err := s.function(name)
	if err != nil {
		return Breaker{}, err
	}
	return breakerOf(fn, time.Now()), nil
}
