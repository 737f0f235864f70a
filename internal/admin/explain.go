package admin

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"holdfast/exchange"
	"holdfast/internal/event"
)

// RequestExplained is the story of one exchange.
type RequestExplained struct {
	Request Request `json:"request"`
	// Reproduced: the rules, run again on what was recorded, decide the same.
	// Difference is the first decision that does not; it would be a bug.
	Reproduced bool   `json:"reproduced"`
	Difference string `json:"difference,omitempty"`
	// Lines tell it to people.
	Lines []string `json:"lines"`
}

// InstanceExplained says why an instance is as it is.
type InstanceExplained struct {
	Instance Instance `json:"instance"`
	// Sources are all who have a say in the status, and what they say.
	Sources []Source `json:"sources"`
	// History is the last changes of status, oldest first.
	History []Transition  `json:"history"`
	Events  []event.Event `json:"events"`
	Lines   []string      `json:"lines"`
}

// Source is one opinion on an instance. The worst one decides its status.
type Source struct {
	Name   string    `json:"name"` // platform, checks, results, operator
	Says   string    `json:"says"`
	Since  time.Time `json:"since,omitzero"` // zero: not known
	Reason string    `json:"reason,omitempty"`
	// Against says that this opinion keeps traffic away.
	Against bool `json:"against"`
}

// BreakerExplained says why a breaker is as it is and what comes next.
type BreakerExplained struct {
	Breaker Breaker `json:"breaker"`
	// Next is one sentence on what will change it.
	Next   string        `json:"next"`
	Events []event.Event `json:"events"`
	Lines  []string      `json:"lines"`
}

const explainedEvents = 8

// thisRequest names a request.
type thisRequest struct {
	ID string `path:"id" doc:"of the header X-Request-Id; its first characters are enough" maxLength:"256"`
}

// thisInstance names an instance.
type thisInstance struct {
	Function string `path:"function" doc:"name of the function" maxLength:"63"`
	ID       string `path:"instance" doc:"name of the instance" maxLength:"128"`
}

// thisFunction names a function.
type thisFunction struct {
	Function string `path:"function" doc:"name of the function" maxLength:"63"`
}

func (s *Server) explainRequest(_ context.Context, in *thisRequest) (RequestExplained, error) {
	rec, err := s.record(in.ID)
	if err != nil {
		return RequestExplained{}, err
	}
	v := RequestExplained{Request: requestOf(&rec), Reproduced: true, Lines: rec.Explain()}
	if err := rec.Replay(); err != nil {
		v.Reproduced, v.Difference = false, err.Error()
		v.Lines = append(v.Lines, "the rules decide differently now: "+v.Difference)
	}
	return v, nil
}

// leastID is how much of the beginning of an id is enough to look for.
const leastID = 6

// record finds a request by its id or the beginning of it.
func (s *Server) record(id string) (exchange.Record, error) {
	records := s.config.Gateway.Records()
	if rec, ok := records.Find(id); ok {
		return rec, nil
	}
	var list []exchange.Record
	if len(id) >= leastID {
		list = records.Last(2, func(f *exchange.Facts) bool { return strings.HasPrefix(f.ID.String(), id) })
	}
	switch len(list) {
	case 1:
		return list[0], nil
	case 0:
		return exchange.Record{}, refuse(http.StatusNotFound,
			"only the last requests are remembered; their ids are in the answers' header X-Request-Id and in holdfast requests",
			"no request with the id %q is remembered", id)
	default:
		return exchange.Record{}, refuse(http.StatusBadRequest, "give more of it", "several requests have an id that begins with %q", id)
	}
}

func (s *Server) explainInstance(_ context.Context, in *thisInstance) (InstanceExplained, error) {
	fn, err := s.function(in.Function)
	if err != nil {
		return InstanceExplained{}, err
	}
	id, now := in.ID, time.Now()
	stats := fn.Balancer().Stats(now)
	var ids []string
	for n := range stats.Instances {
		i := &stats.Instances[n]
		if ids = append(ids, i.ID); i.ID != id {
			continue
		}
		v := InstanceExplained{Instance: s.instance(fn.Name(), i, true), History: []Transition{}}
		for _, t := range i.History {
			v.History = append(v.History, Transition{t.At, t.From.String(), t.To.String(), t.Source, t.Reason})
		}
		v.Events = s.eventsAbout(explainedEvents, func(e *event.Event) bool { return e.Function == fn.Name() && e.Instance == id })
		v.Sources = sourcesOf(&v)
		v.Lines = v.lines(now)
		return v, nil
	}
	return InstanceExplained{}, refuse(http.StatusNotFound, meant(id, "instances", ids), "function %s has no instance %q", fn.Name(), id)
}

func (s *Server) explainBreaker(_ context.Context, in *thisFunction) (BreakerExplained, error) {
	fn, err := s.function(in.Function)
	if err != nil {
		return BreakerExplained{}, err
	}
	now := time.Now()
	v := BreakerExplained{Breaker: breakerOf(fn, now)}
	v.Next = v.Breaker.next(now)
	v.Events = s.eventsAbout(explainedEvents, func(e *event.Event) bool { return e.Function == fn.Name() && e.Kind == event.Breaker })
	v.Lines = v.lines(now)
	return v, nil
}

// lines collects what people read.
type lines struct {
	now  time.Time
	list []string
}

func (l *lines) add(format string, args ...any) {
	l.list = append(l.list, fmt.Sprintf(format, args...))
}

// since writes a time and how long ago it was.
func (l *lines) since(t time.Time) string {
	if t.IsZero() {
		return "the start"
	}
	return fmt.Sprintf("%s (%s ago)", clock(t, l.now), span(l.now.Sub(t)))
}

// until writes a time and how far away it is.
func (l *lines) until(t time.Time) string {
	return fmt.Sprintf("%s (in %s)", clock(t, l.now), span(t.Sub(l.now)))
}

// clock leaves the day out where it is today.
func clock(t, now time.Time) string {
	if t.Local().Format(time.DateOnly) == now.Local().Format(time.DateOnly) {
		return t.Local().Format(time.TimeOnly)
	}
	return t.Local().Format(time.DateTime)
}

// span rounds a duration to what people want to know.
func span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}

func nextTry(t, now time.Time) string {
	switch {
	case t.IsZero():
		return "held open by an operator"
	case !t.After(now):
		return "the next request may try"
	default:
		return "next attempt in " + span(t.Sub(now))
	}
}
