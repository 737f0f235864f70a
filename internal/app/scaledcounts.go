package app

import (
	"context"
	"encoding/json"
	"maps"
	"sync"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/store"
)

// scaledCounts are the numbers of processes that the scaler put in force. This
// node remembers them, so that a restart or an upgrade under load does not begin
// with too few.
type scaledCounts struct {
	mu     sync.Mutex
	counts map[string]scaledCount
}

// scaledCount holds until people say another number: in the configuration, or by
// an order.
type scaledCount struct {
	Instances int       `json:"instances"`
	Base      int       `json:"base"`             // configured or ordered, when it was decided
	Ordered   time.Time `json:"ordered,omitzero"` // when that was ordered; zero: it was not
}

func (s *scaledCounts) set(function string, c scaledCount) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = map[string]scaledCount{}
	}
	s.counts[function] = c
}

// instances is the number in force for a function, of which f has the orders
// worked in.
func (s *scaledCounts) instances(name string, f *config.Function, o *control.Orders) int {
	base := f.Platform.Process.Instances
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.counts[name]
	if !ok || c.Base != base || !c.Ordered.Equal(orderedAt(o)) {
		return base
	}
	return min(max(c.Instances, leastInstances(f)), max(f.Scaling.MaxInstances, 1))
}

// leastInstances is how few a function may have. None at all needs somebody who
// starts one when a request comes, which is the scaler.
func leastInstances(f *config.Function) int {
	if f.Enabled && f.Scaling.Enabled {
		return f.Scaling.MinInstances
	}
	return max(f.Scaling.MinInstances, 1)
}

func orderedAt(o *control.Orders) time.Time {
	if o.Count == nil {
		return time.Time{}
	}
	return o.Count.At
}

// scaled is a function with what the scaler decided worked in.
func (a *App) scaled(name string, f *config.Function) *config.Function {
	if f.Platform.Process == nil {
		return f
	}
	o := a.control.State().Orders(name)
	out, process := *f, *f.Platform.Process
	process.Instances = a.counts.instances(name, f, &o)
	out.Platform.Process = &process
	return &out
}

// scalingState is the kind of state that remembers the numbers.
const scalingState = "scaling"

// rememberScaled keeps a number for the next start.
func (a *App) rememberScaled(function string, c scaledCount) {
	data, err := json.Marshal(c)
	if err != nil {
		return // two numbers and a time can be written
	}
	_ = a.outbox.Keep(store.NodeState{Node: a.node, Kind: scalingState, Name: function, Data: data}) // at worst the next start begins with fewer
}

// recallScaled takes over the numbers of an earlier Holdfast on this node.
func (a *App) recallScaled(ctx context.Context) {
	states, err := a.store.NodeStates(ctx, a.node, scalingState)
	if err != nil {
		return // whoever recalls the breakers has told that the store does not answer
	}
	for _, waiting := range a.outbox.Waiting() { // newer than what is in the store
		if s, ok := waiting.(store.NodeState); ok && s.Node == a.node && s.Kind == scalingState {
			states = append(states, s)
		}
	}
	for _, s := range states {
		var c scaledCount
		if json.Unmarshal(s.Data, &c) == nil {
			a.counts.set(s.Name, c)
		}
	}
}

// only forgets the numbers of functions that begin without scaling.
func (s *scaledCounts) only(c *config.Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.counts, func(name string, _ scaledCount) bool {
		f := c.Functions[name]
		return f == nil || !f.Scaling.Enabled
	})
}
