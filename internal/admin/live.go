package admin

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"holdfast/internal/admin/access"
	"holdfast/internal/alerting/channel"
	"holdfast/internal/store"
)

// Live is what is true now: the first message of the stream, `all`. Rates are of
// the last 10 to 15 s.
type Live struct {
	At       time.Time `json:"at"`
	Version  string    `json:"version"`
	Node     string    `json:"node"`
	Ready    bool      `json:"ready"`
	Draining bool      `json:"draining"`
	Problems []string  `json:"problems" doc:"sentences on what somebody might want to look into"`
	// Alerts are those that fire, the worst first.
	Alerts    []channel.Alert `json:"alerts"`
	Functions []FunctionLive  `json:"functions" doc:"by name"`
	*FunctionDetail
}

// LiveChange is a later message, `change`: whole rows, of those that changed.
type LiveChange struct {
	At        time.Time       `json:"at"`
	Ready     *bool           `json:"ready,omitempty" doc:"with draining, when one of them changed"`
	Draining  *bool           `json:"draining,omitempty"`
	Problems  []string        `json:"problems,omitempty" doc:"all of them, when one changed"`
	Alerts    []channel.Alert `json:"alerts,omitempty" doc:"all of them, when one changed"`
	Functions []FunctionLive  `json:"functions"`
	Removed   []string        `json:"removed" doc:"names of functions that are gone"`
	*FunctionDetail
	InstancesRemoved []string `json:"instances_removed,omitempty" doc:"with a function: ids of instances that are gone"`
}

// FunctionLive is a function in one row.
type FunctionLive struct {
	Name string `json:"name"`
	// State is the worst of what is so: incident, nobody is served as they should
	// be; warning, somebody should look; stopped, it is not looked after; zero, it
	// has no instance because nobody needs one.
	State              string         `json:"state" enum:"ok,warning,incident,stopped,zero"`
	Now                string         `json:"now" doc:"what is happening, in a sentence; empty: nothing out of the ordinary"`
	Breaker            string         `json:"breaker" enum:"closed,open,half_open,off"`
	BreakerNextAttempt time.Time      `json:"breaker_next_attempt,omitzero"`
	Instances          InstanceCounts `json:"instances"`
	Desired            *int           `json:"desired" doc:"instances that were asked for; null where the configuration lists them"`
	MinInstances       int            `json:"min_instances,omitempty"`
	MaxInstances       int            `json:"max_instances,omitempty" doc:"missing: it is not scaled"`
	Rate               float64        `json:"rate" doc:"requests per second"`
	P50MS              float64        `json:"p50_ms"`
	P95MS              float64        `json:"p95_ms"`
	P99MS              float64        `json:"p99_ms"`
	ErrorRate          float64        `json:"error_rate" doc:"share answered with 5xx, 0 to 1"`
	InFlight           int            `json:"in_flight"`
	Waiting            int            `json:"waiting"`
	Platform           string         `json:"platform,omitempty"`
	Strategy           string         `json:"strategy"`
	LastRequest        time.Time      `json:"last_request,omitzero" doc:"to the second"`
	Held               string         `json:"held" enum:",paused,pinned" doc:"what somebody ordered about scaling"`
}

// FunctionDetail is what a stream about one function has besides.
type FunctionDetail struct {
	Instances       []InstanceLive `json:"instances,omitempty" doc:"by id; in a change those that changed"`
	Classes         *ClassesLive   `json:"classes,omitempty"`
	Retries         *float64       `json:"retries,omitempty" doc:"per second"`
	BudgetAvailable *float64       `json:"budget_available,omitempty" doc:"retries the budget would allow now"`
	Sessions        *int           `json:"sessions,omitempty" doc:"that affinity holds"`
}

// ClassesLive are requests per second by what became of them.
type ClassesLive struct {
	Informational float64 `json:"1xx" doc:"upgrades"`
	Success       float64 `json:"2xx"`
	Redirect      float64 `json:"3xx"`
	Client        float64 `json:"4xx"`
	Server        float64 `json:"5xx" doc:"as an instance answered"`
	Failed        float64 `json:"failed" doc:"no instance answered"`
	Left          float64 `json:"left" doc:"the client did not wait for the answer"`
}

// InstanceLive is an instance in one row.
type InstanceLive struct {
	ID               string    `json:"id"`
	Status           string    `json:"status" enum:"active,recovering,inactive,failed"`
	Reason           string    `json:"reason,omitempty"`
	Since            time.Time `json:"since,omitzero"`
	URL              string    `json:"url,omitempty"`
	InRotation       bool      `json:"in_rotation"`
	EjectedUntil     time.Time `json:"ejected_until,omitzero"`
	Ejections        int       `json:"ejections" doc:"the count the next time is based on"`
	Score            float64   `json:"score" doc:"0 to 1"`
	Weight           int       `json:"weight"`
	InFlight         int       `json:"in_flight"`
	Rate             float64   `json:"rate" doc:"ended attempts per second"`
	P50MS            float64   `json:"p50_ms" doc:"of the last 30 to 60 s"`
	P95MS            float64   `json:"p95_ms" doc:"of the last 30 to 60 s"`
	Errors           uint64    `json:"errors" doc:"failed attempts of the last 10 to 15 s"`
	ErrorRate        float64   `json:"error_rate" doc:"share of the attempts that failed, 0 to 1"`
	CPUPercent       *float64  `json:"cpu_percent,omitempty" doc:"of one core"`
	MemoryPercent    *float64  `json:"memory_percent,omitempty" doc:"of what it may use"`
	MemoryBytes      uint64    `json:"memory_bytes,omitempty" doc:"where it runs on this machine"`
	MemoryLimitBytes uint64    `json:"memory_limit_bytes,omitempty" doc:"the machine's or its control group's"`
	Version          string    `json:"version,omitempty"`
	Zone             string    `json:"zone,omitempty"`
	Draining         bool      `json:"draining"`
	SlowStart        float64   `json:"slow_start" doc:"share of its weight it has by now, 0 to 1"`
}

// whichLive selects a function to see in detail.
type whichLive struct {
	Function string `query:"function" doc:"its instances too" maxLength:"63"`
	Accept   string `header:"Accept" doc:"text/event-stream for a stream, else what is now as JSON"`
}

// addLive describes by hand what huma has no word for.
func (a *api) addLive() {
	o := a.operation(op{
		id: "live", method: http.MethodGet, path: "/api/v1/live", tag: "status", role: store.Viewer, errors: []int{404, 503},
		summary: "What is true now, and each second what changed",
		about: "With `Accept: text/event-stream` a stream: `all` is everything (a Live), `change` comes each second with the rows that changed (a LiveChange), " +
			"also when none did. Who reads too slowly gets `all` again. With `function` both have the instances of that function besides. " +
			"All viewers get the same bytes. Otherwise a Live.",
	})
	schemas := a.OpenAPI().Components.Schemas
	o.Responses = map[string]*huma.Response{"200": {
		Description: "OK",
		Content: map[string]*huma.MediaType{
			"application/json":  {Schema: schemas.Schema(typeOf[Live](), true, "Live")},
			"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}},
		},
	}}
	schemas.Schema(typeOf[LiveChange](), true, "LiveChange")
	huma.Register(a.API, o, func(_ context.Context, in *whichLive) (*eventsAnswer, error) {
		s := a.server
		if in.Function != "" {
			if _, err := s.function(in.Function); err != nil {
				return nil, asError(err)
			}
		}
		if strings.Contains(in.Accept, "text/event-stream") {
			return &eventsAnswer{func(ctx huma.Context) { s.streamLive(ctx, in.Function) }}, nil //nolint:contextcheck // huma's context has the request's
		}
		return &eventsAnswer{func(ctx huma.Context) {
			_, w := unwrap(ctx)
			writeJSON(w, http.StatusOK, s.liveNow(in.Function, time.Now()))
		}}, nil
	})
}

// streamLive sends what the hub makes. It keeps nothing for a viewer.
func (s *Server) streamLive(ctx huma.Context, function string) {
	r, w := unwrap(ctx)
	leave, err := s.config.Guard.Stream(r.Context())
	if err != nil {
		writeError(w, err)
		return
	}
	defer leave()
	v := s.live.join(function)
	defer v.leave()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx in between would hold events back
	w.WriteHeader(http.StatusOK)
	out := streamWriter{w, http.NewResponseController(w)}
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	id := access.FromContext(r.Context())
	for err = out.write("retry: 1000\n\n"); err == nil; {
		select {
		case <-r.Context().Done():
			return
		case <-s.closing:
			return
		case <-v.wake:
			for _, frame := range v.next() {
				if err = out.writeBytes(frame); err != nil {
					return
				}
			}
		case now := <-ticker.C:
			if s.config.Guard.Still(id, now) != nil {
				return // its token was revoked
			}
			err = out.write(": ping\n\n")
		}
	}
}

// liveNow is what a viewer that joins gets, for who asks once.
func (s *Server) liveNow(function string, now time.Time) Live {
	var watched []string
	if function != "" {
		watched = []string{function}
	}
	c := s.look(now, watched)
	v := Live{
		At: now, Version: s.config.Version, Node: s.config.Node, Ready: c.ready, Draining: c.draining, Problems: c.problems, Alerts: c.alerts, Functions: c.functions,
	}
	if d := c.details[function]; d != nil {
		v.FunctionDetail = &FunctionDetail{d.instances, &d.figures.Classes, &d.figures.Retries, &d.figures.BudgetAvailable, &d.figures.Sessions}
	}
	return v
}
