// Package recorder keeps in the store what happens and how things are, and
// brings back after a restart what must not be forgotten.
//
//	events    ──► facts: the event, and the scaling action of a recovery
//	functions ──► states, once a second where something changed:
//	              breakers and instances (the agreed view), health (this node's)
//	store     ──► Memory at the start: an open breaker stays open until its next
//	              attempt, an instance that was up takes traffic at once
//
// Nothing here waits for the store: facts and states go into the outbox, which
// takes them at once. Memory is read once, with a deadline; a store that is
// down at the start costs the memory, not the start.
package recorder

import (
	"context"
	"encoding/json"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/internal/event"
	"holdfast/internal/store"
)

// Outbox takes facts and states without making the caller wait.
type Outbox interface {
	Record(f store.Fact) error
	Keep(s store.State) error
}

// Config configures a Recorder.
type Config struct {
	Outbox Outbox
	// Functions returns the functions to keep the states of.
	Functions func() []*exchange.Function
	// Node names this Holdfast among those that share a store.
	Node string
}

// Recorder is safe for concurrent use.
type Recorder struct {
	config Config
	kept   map[string]kept // by key; touched by Run alone
}

// kept is what was handed on last: a comparable picture of it, so that what did
// not change costs no encoding.
type kept struct {
	picture  any
	instance string // row id, for instances only
}

// New makes a recorder.
func New(c Config) *Recorder { return &Recorder{config: c, kept: map[string]kept{}} }

// Event records an event as a fact; a recovery is a scaling action besides.
// It never waits; what the outbox cannot take, it counts.
func (r *Recorder) Event(e event.Event) {
	_ = r.config.Outbox.Record(store.Event{
		ID: store.NewID(), Node: r.config.Node, Kind: string(e.Kind), Function: e.Function, Instance: e.Instance,
		From: e.From, To: e.To, Source: e.Source, Reason: e.Reason, At: e.At, Data: placeOf(e),
	})
	if e.Kind == event.Recovery {
		r.recovery(e)
	}
}

// placeOf keeps the place of an event in its stream, so that a stream can be
// gone on with over a restart, and its numbers.
func placeOf(e event.Event) json.RawMessage {
	place := map[string]any{"run": e.Run, "seq": e.Seq}
	if len(e.Numbers) > 0 {
		place["numbers"] = e.Numbers
	}
	b, err := json.Marshal(place)
	if err != nil {
		return nil // only a number that is none does not marshal
	}
	return b
}

// recovery logs the return of an instance, with the counts before and after.
func (r *Recorder) recovery(e event.Event) {
	after := 0
	for _, fn := range r.config.Functions() {
		if fn.Name() == e.Function {
			after = fn.Balancer().Stats(e.At).Available
		}
	}
	metrics, err := json.Marshal(map[string]string{"instance": e.Instance, "source": e.Source})
	if err != nil {
		metrics = nil // two strings always marshal
	}
	_ = r.config.Outbox.Record(store.ScalingAction{
		ID: store.NewID(), Function: e.Function, Action: "recovery", Before: max(after-1, 0), After: after,
		Reason: "instance " + e.Instance + " is back: " + e.Reason, Metrics: metrics, Success: true, CreatedAt: e.At,
	})
}

// sampling is how often states are looked at.
const sampling = time.Second

// Run keeps states until ctx ends, then once more.
func (r *Recorder) Run(ctx context.Context) error {
	ticker := time.NewTicker(sampling)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			r.sample(now)
		case <-ctx.Done():
			r.sample(time.Now())
			return nil
		}
	}
}

func (r *Recorder) sample(now time.Time) {
	seen := map[string]bool{}
	for _, fn := range r.config.Functions() {
		if br := fn.Breaker(); br != nil {
			r.keepBreaker(seen, fn.Name(), br.Snapshot(now))
		}
		stats := fn.Balancer().Stats(now)
		last := fn.Stats().LastRequest().Truncate(coarse)
		for i := range stats.Instances {
			r.keepInstance(seen, fn.Name(), &stats.Instances[i], last, now)
			r.keepHealth(seen, fn.Name(), &stats.Instances[i], now)
		}
	}
	r.forget(seen)
}

// coarse is how often figures that change all the time are kept.
const coarse = 10 * time.Second

// keep hands a state on if its picture is new.
func (r *Recorder) keep(seen map[string]bool, key string, k kept, state func() store.State) {
	seen[key] = true
	if before, known := r.kept[key]; known && before == k {
		return
	}
	if r.config.Outbox.Keep(state()) == nil {
		r.kept[key] = k
	}
}

// forget removes instances that are no longer there.
func (r *Recorder) forget(seen map[string]bool) {
	for key, k := range r.kept {
		if seen[key] {
			continue
		}
		delete(r.kept, key)
		if k.instance != "" {
			_ = r.config.Outbox.Keep(store.InstanceGone{ID: k.instance}) // at worst an old row stays
		}
	}
}

// breakerPicture is what is kept of a breaker besides the table's columns.
type breakerPicture struct {
	Openings int       `json:"openings"`
	Forced   bool      `json:"forced"`
	Reason   string    `json:"reason"`
	Since    time.Time `json:"since"`
}

func (r *Recorder) keepBreaker(seen map[string]bool, function string, s breaker.Snapshot) {
	row := store.Breaker{
		Function: function, State: s.State.String(), FailureCount: s.FailureCount, LastFailure: s.LastFailure,
		NextAttempt: s.NextAttempt, HalfOpenCalls: s.HalfOpenCalls,
	}
	picture := breakerPicture{s.Openings, s.Forced, s.Reason, s.Since}
	type whole struct {
		state, reason    string
		failures, probes int
		last, next       time.Time
	}
	k := kept{picture: whole{row.State, s.Reason, s.FailureCount, s.HalfOpenCalls, s.LastFailure, s.NextAttempt}}
	r.keep(seen, row.Key(), k, func() store.State {
		row.Config = document(picture)
		return row
	})
}

// instancePicture is what is kept of an instance besides the table's columns.
type instancePicture struct {
	Reason   string    `json:"reason"`
	Since    time.Time `json:"since"`
	Ejected  bool      `json:"ejected"`
	Draining bool      `json:"draining"`
}

// keepInstance keeps the number of connections with the other figures, or now
// and then when it alone changes.
func (r *Recorder) keepInstance(seen map[string]bool, function string, s *balancer.InstanceStats, last, now time.Time) {
	row := store.Instance{
		ID: RowID(function, s.ID), Function: function, Endpoint: s.Endpoint, Status: s.Status.String(), LastRequest: last,
	}
	picture := instancePicture{s.Reason, s.Since, s.Ejected, s.Draining}
	type whole struct {
		endpoint, status string
		picture          instancePicture
		last             time.Time
		busy             time.Time
	}
	w := whole{endpoint: row.Endpoint, status: row.Status, picture: picture, last: last}
	if s.InFlight > 0 {
		w.busy = now.Truncate(coarse)
	}
	r.keep(seen, row.Key(), kept{w, row.ID}, func() store.State {
		row.Connections, row.Health = s.InFlight, document(picture)
		return row
	})
}

// health is what this node found out about an instance by checking it.
type health struct {
	Endpoint string `json:"endpoint"`
	Up       bool   `json:"up"`
}

func (r *Recorder) keepHealth(seen map[string]bool, function string, s *balancer.InstanceStats, now time.Time) {
	h := health{s.Endpoint, s.Health == balancer.HealthUp}
	row := store.NodeState{Node: r.config.Node, Kind: "health", Name: RowID(function, s.ID)}
	type whole struct {
		health
		at time.Time
	}
	k := kept{picture: whole{h, now.Truncate(healthAge / 2)}} // said again before it is too old to count
	r.keep(seen, row.Key(), k, func() store.State {
		row.Data = document(h)
		return row
	})
}

// RowID names an instance among those of all functions.
func RowID(function, instance string) string { return function + "/" + instance }

// document marshals what always can be.
func document(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}
