package admin

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"holdfast/internal/event"
	"holdfast/internal/store"
)

// Events is the answer about what happened.
type Events struct {
	// Events are oldest first.
	Events []event.Event `json:"events"`
	// Last is the number to go on from. It is smaller than what was asked for
	// when Holdfast was started anew since.
	Last uint64 `json:"last"`
}

// whichEvents selects events.
type whichEvents struct {
	Function  string `query:"function" doc:"only events about this function"`
	Since     uint64 `query:"since" doc:"only events after this number"`
	LastEvent string `header:"Last-Event-ID" doc:"where a stream broke off: the id of its last event" maxLength:"64"`
	Accept    string `header:"Accept" doc:"text/event-stream for a stream, else JSON"`
}

// eventsAnswer is either of two.
type eventsAnswer struct{ Body func(huma.Context) }

// events answers with the kept events, or with a stream of them.
func (s *Server) events(_ context.Context, in *whichEvents) (*eventsAnswer, error) {
	if strings.Contains(in.Accept, "text/event-stream") {
		return &eventsAnswer{func(ctx huma.Context) { s.stream(ctx, in) }}, nil //nolint:contextcheck // huma's context has the request's
	}
	return &eventsAnswer{func(ctx huma.Context) {
		_, w := unwrap(ctx)
		writeJSON(w, http.StatusOK, s.keptEvents(in))
	}}, nil
}

func (s *Server) keptEvents(in *whichEvents) Events {
	all := s.config.Events.Since(0)
	v := Events{Events: []event.Event{}}
	if n := len(all); n > 0 {
		v.Last = all[n-1].Seq
	}
	for _, e := range all {
		if e.Seq > in.Since && in.wants(&e) {
			v.Events = append(v.Events, e)
		}
	}
	return v
}

func (in *whichEvents) wants(e *event.Event) bool {
	return in.Function == "" || e.Function == in.Function
}

// addEvents describes by hand what has two kinds of answers.
func (a *api) addEvents() {
	o := a.operation(op{
		id: "events", method: http.MethodGet, path: "/api/v1/events", tag: "events", role: store.Viewer,
		summary: "What happened: a list, or a stream to follow",
		about: "With `Accept: text/event-stream` a stream that goes on until the client leaves. An event has an `id`; " +
			"whoever sends it back as `Last-Event-ID` (browsers do) goes on where the stream broke off. " +
			"Up to 10,000 events of the last day come from the store, over a restart too. " +
			"`event: gap` says that events in between are missing. A line `: ping` comes every 15 s.",
	})
	o.Responses = map[string]*huma.Response{"200": {
		Description: "OK",
		Content: map[string]*huma.MediaType{
			"application/json":  {Schema: a.OpenAPI().Components.Schemas.Schema(typeOf[Events](), true, "Events")},
			"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}},
		},
	}}
	huma.Register(a.API, o, a.server.events)
}

// eventsAbout returns the last n kept events that pass keep, oldest first.
func (s *Server) eventsAbout(n int, keep func(*event.Event) bool) []event.Event {
	var list []event.Event
	for _, e := range s.config.Events.Since(0) {
		if keep(&e) {
			list = append(list, e)
		}
	}
	return list[max(0, len(list)-n):]
}
