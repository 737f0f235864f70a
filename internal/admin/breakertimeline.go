package admin

import (
	"context"
	"slices"
	"time"

	"holdfast/internal/event"
	"holdfast/internal/store"
)

// BreakerTimeline is how the breaker of a function changed, the oldest change
// first.
type BreakerTimeline struct {
	Function string    `json:"function_name"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	// State is what it was at From.
	State   string          `json:"state"`
	Changes []BreakerChange `json:"changes"`
	// More: the first changes are left out, and From is the first that is not.
	More bool `json:"more,omitempty"`
}

// BreakerChange is one change of state.
type BreakerChange struct {
	At     time.Time `json:"at"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	Reason string    `json:"reason,omitempty"`
}

// whichTimeline selects hours.
type whichTimeline struct {
	Function string `path:"function" doc:"name of the function" maxLength:"63"`
	Hours    int    `query:"hours" default:"24" minimum:"1" maximum:"336" doc:"how far back"`
}

// mostChanges bounds an answer.
const mostChanges = 1000

func (s *Server) breakerTimeline(ctx context.Context, in *whichTimeline) (BreakerTimeline, error) {
	fn, err := s.function(in.Function)
	if err != nil {
		return BreakerTimeline{}, err
	}
	now := time.Now()
	v := BreakerTimeline{Function: fn.Name(), From: now.Add(-time.Duration(in.Hours) * time.Hour), To: now, State: breakerOf(fn, now).State, Changes: []BreakerChange{}}
	if v.Changes, err = s.breakerChanges(ctx, fn.Name(), v.From); err != nil {
		return v, err
	}
	if v.More = len(v.Changes) >= mostChanges; v.More {
		v.Changes = v.Changes[len(v.Changes)-mostChanges:]
		v.From = v.Changes[0].At
	}
	if len(v.Changes) > 0 {
		v.State = v.Changes[0].From
	}
	return v, nil
}

// breakerChanges puts together what the store has and what is on its way there.
// Nodes have a breaker each; these are of this one.
func (s *Server) breakerChanges(ctx context.Context, function string, from time.Time) ([]BreakerChange, error) {
	list := s.eventsAbout(mostChanges, func(e *event.Event) bool {
		return e.Kind == event.Breaker && e.Function == function && !e.At.Before(from)
	})
	if s.config.Store != nil {
		rows, err := s.config.Store.Events(ctx, store.Query{Function: function, Kind: string(event.Breaker), From: from, Limit: mostChanges})
		if err != nil {
			return nil, err
		}
		for i := range rows {
			if at, ok := s.placeIn(&rows[i]); ok {
				list = append(list, eventOf(&rows[i], at))
			}
		}
	}
	slices.SortFunc(list, func(a, b event.Event) int { return place{a.Run, a.Seq}.compare(place{b.Run, b.Seq}) })
	list = slices.CompactFunc(list, func(a, b event.Event) bool { return a.Run == b.Run && a.Seq == b.Seq })
	changes := make([]BreakerChange, len(list))
	for i := range list {
		changes[i] = BreakerChange{list[i].At.UTC(), list[i].From, list[i].To, list[i].Reason}
	}
	return changes, nil
}
