package control

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"holdfast/internal/store"
)

// Documents are overrides of a function's configuration, as JSON objects. One
// that is nil leaves what was set before; {} takes all of it back.
//
// LoadBalancing holds keys of load_balancing, Scaling those of scaling.
// Recovery holds the blocks circuit_breaker, retry, health, timeouts,
// concurrency, fallback and the key wait_for_instance; keys of circuit_breaker
// may also stand alone (failure_threshold).
type Documents struct {
	Recovery      json.RawMessage
	LoadBalancing json.RawMessage
	Scaling       json.RawMessage
}

// The documents as callers name them.
const (
	recoveryName      = "recovery_config"
	loadBalancingName = "load_balancing_config"
	scalingName       = "scaling_config"
)

// recoveryBlocks are the keys of a function that belong into Recovery.
func recoveryBlocks() []string {
	return []string{"circuit_breaker", "retry", "health", "timeouts", "concurrency", "fallback", "wait_for_instance", "enabled"}
}

// breakerKeys may stand in Recovery without circuit_breaker around them.
func breakerKeys() []string {
	return []string{"failure_threshold", "recovery_timeout", "max_recovery_timeout", "half_open_max_calls", "growth", "jitter_percent", "window"}
}

// Configure checks, keeps and puts in force overrides of a function, and
// enables it. It returns the row as it is now.
func (c *Control) Configure(ctx context.Context, by store.Actor, function string, d Documents) (store.FunctionConfig, error) {
	if _, err := c.function(function); err != nil {
		return store.FunctionConfig{}, err
	}
	w := writing{control: c, function: function, names: map[string]string{}}
	docs := w.read(d)
	if len(w.problems) > 0 {
		return store.FunctionConfig{}, w.refusal()
	}
	err := c.change(ctx, by, function, "function.configure", "", func(row *store.FunctionConfig) error {
		if err := docs.into(row); err != nil {
			return err
		}
		if err := c.enable(row); err != nil {
			return err
		}
		return w.check(c.State().with(*row))
	})
	if err != nil {
		return store.FunctionConfig{}, err
	}
	c.publish(function, "", "configure", because(by, ""))
	return c.State().Of(function), nil
}

// documents are read and put into the order in which they are kept.
type documents struct{ recovery, balancing, scaling map[string]any }

// into replaces what is given, and keeps the operator's orders.
func (d *documents) into(row *store.FunctionConfig) (err error) {
	put := func(into *json.RawMessage, m map[string]any) {
		if m != nil && err == nil {
			*into, err = json.Marshal(m)
		}
	}
	if d.recovery != nil {
		if orders, ok := documentOf(row.Recovery)[operatorKey]; ok {
			d.recovery[operatorKey] = orders
		}
	}
	put(&row.Recovery, d.recovery)
	put(&row.LoadBalancing, d.balancing)
	put(&row.Scaling, d.scaling)
	return err
}

// writing reads documents and remembers how the caller named each key.
type writing struct {
	control   *Control
	function  string
	names     map[string]string // path of a key -> as the caller wrote it
	problems  []Problem
	forbidden bool
}

func (w *writing) add(field, hint, format string, args ...any) {
	w.problems = append(w.problems, Problem{field, fmt.Sprintf(format, args...), hint})
}

func (w *writing) refusal() *Refusal {
	r := &Refusal{Kind: Invalid, Message: "the configuration was not changed", Problems: w.problems}
	if w.forbidden {
		r.Kind = Forbidden
	}
	return r
}

func (w *writing) read(d Documents) documents {
	at := "functions." + w.function + "."
	var docs documents
	if m := w.object(recoveryName, d.Recovery); m != nil {
		docs.recovery = w.recovery(at, m)
	}
	if m := w.object(loadBalancingName, d.LoadBalancing); m != nil {
		w.walk(at+"load_balancing", loadBalancingName, m)
		docs.balancing = m
	}
	if m := w.object(scalingName, d.Scaling); m != nil {
		w.walk(at+"scaling", scalingName, m)
		docs.scaling = m
	}
	if docs.recovery == nil && docs.balancing == nil && docs.scaling == nil && len(w.problems) == 0 {
		w.add(recoveryName, "give recovery_config, load_balancing_config or scaling_config", "nothing is to be changed")
	}
	return docs
}

// object reads one document; nil and null are none.
func (w *writing) object(name string, raw json.RawMessage) map[string]any {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	m, ok := decoded(raw).(map[string]any)
	if !ok {
		w.add(name, "", "must be a JSON object")
		return nil
	}
	return m
}

// recovery sorts the keys of a recovery document into the blocks they mean.
func (w *writing) recovery(at string, m map[string]any) map[string]any {
	out := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		name := recoveryName + "." + key
		switch {
		case slices.Contains(recoveryBlocks(), key):
			if block, ok := m[key].(map[string]any); ok {
				out[key] = merged(block, out[key])
			} else {
				out[key] = m[key]
			}
			w.visit(at+key, name, m[key])
		case slices.Contains(breakerKeys(), key):
			if block, ok := m["circuit_breaker"].(map[string]any); ok && block[key] != nil {
				w.add(name, "keep one of them", "is given twice, here and in circuit_breaker")
				continue
			}
			out["circuit_breaker"] = merged(map[string]any{key: m[key]}, out["circuit_breaker"])
			w.visit(at+"circuit_breaker."+key, name, m[key])
		default:
			w.add(name, "keys are "+strings.Join(append(recoveryBlocks(), breakerKeys()...), ", "), "is not a known key")
		}
	}
	return out
}

func merged(block map[string]any, with any) map[string]any {
	out := maps.Clone(block)
	if more, ok := with.(map[string]any); ok {
		maps.Copy(out, more)
	}
	return out
}

func (w *writing) walk(path, name string, m map[string]any) {
	w.names[path] = name
	for _, key := range slices.Sorted(maps.Keys(m)) {
		w.visit(path+"."+key, name+"."+key, m[key])
	}
}

// visit notes the name of a key and refuses what the API may not set.
func (w *writing) visit(path, name string, v any) {
	w.names[path] = name
	why, block := w.control.config.Runtime.Settable(path)
	if m, ok := v.(map[string]any); ok && block {
		w.walk(path, name, m)
		return
	}
	if why != "" {
		w.forbidden = true
		w.add(name, "put it into the configuration file", "%s", why)
		return
	}
	if refers(v) {
		w.forbidden = true
		w.add(name, "put it into the configuration file", "cannot refer to variables or files (${...}) here")
	}
}

// refers finds ${ in any text.
func refers(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, "${")
	case []any:
		return slices.ContainsFunc(v, refers)
	case map[string]any:
		for _, inner := range v {
			if refers(inner) {
				return true
			}
		}
	}
	return false
}

// check loads the whole configuration with the proposed State, and names the
// fields of its problems as the caller did.
func (w *writing) check(s *State) error {
	for _, p := range w.control.config.Runtime.Check(s) {
		p.Field = w.named(p.Field)
		w.problems = append(w.problems, p)
	}
	if len(w.problems) > 0 {
		return w.refusal()
	}
	return nil
}

// named finds the longest known beginning of a path.
func (w *writing) named(path string) string {
	for head := path; head != ""; head = head[:max(0, strings.LastIndexAny(head, ".["))] {
		if name, ok := w.names[head]; ok {
			return name + path[len(head):]
		}
	}
	return path
}
