package control

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/internal/store"
)

// Set overrides one key of the configuration: functions.public.retry.attempts,
// log.level. Value is JSON.
func (c *Control) Set(ctx context.Context, by store.Actor, path string, value json.RawMessage) error {
	v := decoded(value)
	if v == nil {
		return invalid("value", "unset takes an override back", "must be JSON, and not null")
	}
	if err := c.settable(ctx, path, v); err != nil {
		return err
	}
	return c.key(ctx, by, path, v)
}

// Unset takes the override of a key back.
func (c *Control) Unset(ctx context.Context, by store.Actor, path string) error {
	return c.key(ctx, by, path, nil)
}

func (c *Control) settable(ctx context.Context, path string, v any) error {
	why, block := c.config.Runtime.Settable(path)
	switch {
	case block:
		return invalid("path", "set one of its keys", "%s is a block of keys", path)
	case why != "":
		return &Refusal{
			Kind: Forbidden, Message: "the configuration was not changed",
			Problems: []Problem{{path, why, "put it into the configuration file"}},
		}
	case refers(v):
		return &Refusal{
			Kind: Forbidden, Message: "the configuration was not changed",
			Problems: []Problem{{path, "cannot refer to variables or files (${...}) here", "put it into the configuration file"}},
		}
	}
	if parts := strings.Split(path, "."); len(parts) == 3 && parts[2] == "instances" {
		return c.checkURLs(ctx, path, v)
	}
	return nil
}

// checkURLs keeps instances out of reach that only Holdfast can reach.
func (c *Control) checkURLs(ctx context.Context, path string, v any) error {
	list, ok := v.([]any)
	if !ok {
		return invalid(path, "", "must be a list of instances")
	}
	var problems []Problem
	for n, item := range list {
		m, _ := item.(map[string]any) // anything else has no url and is refused by the loader
		url, ok := m["url"].(string)
		if !ok {
			continue
		}
		if err := c.config.Runtime.CheckURL(ctx, url); err != nil {
			problems = append(problems, Problem{fmt.Sprintf("%s[%d].url", path, n), err.Error(), "addresses the API may set are listed in admin.allow_instances; the configuration file may name any"})
		}
	}
	if problems != nil {
		return &Refusal{Kind: Forbidden, Message: "the configuration was not changed", Problems: problems}
	}
	return nil
}

// key sets or unsets a key where it belongs: in a document of its function,
// or among the overrides.
func (c *Control) key(ctx context.Context, by store.Actor, path string, v any) error {
	function, inside, ok := split(path)
	if !ok {
		return c.override(ctx, by, path, v)
	}
	if _, err := c.function(function); err != nil {
		return err
	}
	w := writing{control: c, function: function, names: map[string]string{}}
	err := c.change(ctx, by, function, actionOf(v), "", func(row *store.FunctionConfig) error {
		if err := keyed(row, path, inside, v); err != nil {
			return err
		}
		return w.check(c.State().with(*row))
	})
	if err == nil {
		c.publish(function, "", actionOf(v), path+", "+because(by, ""))
	}
	return err
}

func actionOf(v any) string {
	if v == nil {
		return "config.unset"
	}
	return "config.set"
}

// split finds the function of a path whose key belongs into a document.
func split(path string) (function string, inside []string, ok bool) {
	parts := strings.Split(path, ".")
	if len(parts) < 3 || parts[0] != "functions" {
		return "", nil, false
	}
	inside = parts[2:]
	long := len(inside) > 1 && (inside[0] == "load_balancing" || inside[0] == "scaling")
	return parts[1], inside, long || slices.Contains(recoveryBlocks(), inside[0])
}

// place sets or, with a nil value, removes a key, and blocks that are empty
// then. False: there was nothing to remove.
func place(m map[string]any, path []string, v any) bool {
	if len(path) == 1 {
		_, had := m[path[0]]
		if v == nil {
			delete(m, path[0])
			return had
		}
		m[path[0]] = v
		return true
	}
	inner, _ := m[path[0]].(map[string]any)
	if inner == nil {
		inner = map[string]any{}
	}
	inner = maps.Clone(inner)
	if !place(inner, path[1:], v) {
		return false
	}
	m[path[0]] = inner
	if len(inner) == 0 {
		delete(m, path[0])
	}
	return true
}

// override is key for what belongs to no document.
func (c *Control) override(ctx context.Context, by store.Actor, path string, v any) error {
	done, err := c.turn.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	o, err := c.overriding(path, v, by.Name)
	if err != nil {
		return err
	}
	s := c.State().withOverride(o)
	w := writing{control: c, names: map[string]string{}}
	if err := w.check(s); err != nil {
		return err
	}
	if err := c.config.Store.SetOverride(ctx, path, o.Value, by); err != nil {
		return err
	}
	if err := c.put(s); err != nil {
		return err
	}
	c.keepCopy(s)
	c.publish("", "", actionOf(v), path+", "+because(by, ""))
	return nil
}

// overriding is the row of an override; with a nil value the one that takes it
// back.
func (c *Control) overriding(path string, v any, by string) (store.Override, error) {
	o := store.Override{Path: path, UpdatedAt: time.Now(), UpdatedBy: by}
	if v == nil {
		if !slices.ContainsFunc(c.State().Overrides, func(x store.Override) bool { return x.Path == path }) {
			return o, notFound("%s is not overridden", path)
		}
		return o, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return o, fmt.Errorf("write override: %w", err)
	}
	o.Value = b
	return o, nil
}
