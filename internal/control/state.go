package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/internal/store"
)

// State is everything that was ordered and holds: a row per function, and
// single overrides. It is replaced, never changed.
type State struct {
	Functions map[string]store.FunctionConfig `json:"functions"`
	Overrides []store.Override                `json:"overrides"`
	// Unfit are keys that Layer leaves out.
	Unfit []Unfit `json:"-"`
}

// Orders are what people want of a function's instances and breaker, besides
// its configuration. They are kept in the row's recovery_config under the key
// "operator".
type Orders struct {
	// Stopped: checks, ejection, breaker, retries and scaling rest.
	Stopped *Order `json:"stopped,omitempty"`
	// Failover is the instance traffic was moved off, until failback.
	Failover *Failover `json:"failover,omitempty"`
	// Drained are instances taken out by hand, by id.
	Drained map[string]Order `json:"drained,omitempty"`
	// Weights replace configured ones, by instance id.
	Weights map[string]int `json:"weights,omitempty"`
	// Count is how many processes to run.
	Count *Count `json:"count,omitempty"`
	// Hold keeps the scaler from changing the number of instances.
	Hold *Hold `json:"hold,omitempty"`
	// ForcedOpen keeps the breaker open until it is reset.
	ForcedOpen *Order `json:"forced_open,omitempty"`
	// SessionsVoid: affinity cookies made up to then count for nothing.
	SessionsVoid time.Time `json:"sessions_void,omitzero"`
}

// Order is who wanted something, and why.
type Order struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// Failover is an Order about one instance.
type Failover struct {
	Order

	Instance string `json:"instance"`
}

// Count is an Order for a number of instances. It holds until the
// configuration names another number than it did then.
type Count struct {
	Order

	Instances  int `json:"instances"`
	Configured int `json:"configured"`
}

// operatorKey is where Orders live in recovery_config.
const operatorKey = "operator"

// Of returns the row of a function; one that was never changed is enabled.
func (s *State) Of(function string) store.FunctionConfig {
	if s != nil {
		if row, ok := s.Functions[function]; ok {
			return row
		}
	}
	return store.FunctionConfig{Function: function, Enabled: true}
}

// Orders returns what was ordered for a function.
func (s *State) Orders(function string) Orders { return ordersOf(s.Of(function)) }

// with returns a State with another row.
func (s *State) with(row store.FunctionConfig) *State {
	next := &State{Functions: maps.Clone(s.Functions), Overrides: s.Overrides}
	if next.Functions == nil {
		next.Functions = map[string]store.FunctionConfig{}
	}
	next.Functions[row.Function] = row
	return next.carry(s)
}

// withOverride returns a State with a key set, or without it when value is nil.
func (s *State) withOverride(o store.Override) *State {
	next := &State{Functions: s.Functions}
	next.Overrides = slices.DeleteFunc(slices.Clone(s.Overrides), func(x store.Override) bool { return x.Path == o.Path })
	if o.Value != nil {
		next.Overrides = append(next.Overrides, o)
		slices.SortFunc(next.Overrides, func(a, b store.Override) int { return strings.Compare(a.Path, b.Path) })
	}
	return next.carry(s)
}

// Layer is the State as a layer of the configuration: keys are paths, values
// what JSON decodes to.
func (s *State) Layer() map[string]any {
	layer := map[string]any{}
	if s == nil {
		return layer
	}
	for _, o := range s.Overrides {
		layer[o.Path] = decoded(o.Value)
	}
	for name, row := range s.Functions {
		at := "functions." + name + "."
		recovery := documentOf(row.Recovery)
		delete(recovery, operatorKey)
		for key, v := range recovery {
			layer[at+key] = v
		}
		for key, doc := range map[string]json.RawMessage{"load_balancing": row.LoadBalancing, "scaling": row.Scaling} {
			if m := documentOf(doc); len(m) > 0 {
				layer[at+key] = m
			}
		}
		if !row.Enabled {
			layer[at+"enabled"] = false
		}
	}
	if len(s.Unfit) == 0 {
		return layer
	}
	for path, v := range layer {
		if left, ok := s.pruned(path, v); ok {
			layer[path] = left
		} else {
			delete(layer, path)
		}
	}
	return layer
}

// same reports whether two States say the same.
func (s *State) same(o *State) bool {
	a, errA := json.Marshal(s)
	b, errB := json.Marshal(o)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

func ordersOf(row store.FunctionConfig) Orders {
	var doc struct {
		Operator Orders `json:"operator"`
	}
	if json.Unmarshal(row.Recovery, &doc) != nil { // no document, or one that others wrote
		return Orders{}
	}
	return doc.Operator
}

// setOrders writes orders into a row.
func setOrders(row *store.FunctionConfig, o Orders) error {
	doc := documentOf(row.Recovery)
	b, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("write orders: %w", err)
	}
	if string(b) == "{}" {
		delete(doc, operatorKey)
	} else {
		doc[operatorKey] = json.RawMessage(b)
	}
	row.Recovery, err = json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("write orders: %w", err)
	}
	return nil
}

// documentOf reads a JSON object; anything else is an empty one.
func documentOf(raw json.RawMessage) map[string]any {
	if m, ok := decoded(raw).(map[string]any); ok {
		return m
	}
	return map[string]any{}
}

// decoded keeps numbers as they were written.
func decoded(raw json.RawMessage) any {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}
