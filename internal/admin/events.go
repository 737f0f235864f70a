package admin

import (
	"math"
	"net/http"

	"holdfast/internal/event"
)

// Events is the answer about what happened.
type Events struct {
	// Events are oldest first.
	Events []event.Event `json:"events"`
	// Last is the number to go on from. It is smaller than what was asked for
	// when Holdfast was started anew since.
	Last uint64 `json:"last"`
}

// events answers with the kept events after number since.
func (s *Server) events(r *http.Request) (any, error) {
	since, err := number(r, "since", 0, math.MaxUint64)
	if err != nil {
		return nil, err
	}
	all := s.config.Events.Since(0)
	v := Events{Events: []event.Event{}}
	if n := len(all); n > 0 {
		v.Last = all[n-1].Seq
	}
	for _, e := range all {
		if e.Seq > since {
			v.Events = append(v.Events, e)
		}
	}
	return v, nil
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
