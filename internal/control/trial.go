package control

import (
	"context"
	"encoding/json"
	"fmt"

	"holdfast/internal/store"
)

// Trial returns the State that Configure would put in force, or why it would
// refuse. Nothing is changed.
func (c *Control) Trial(function string, d Documents) (*State, error) {
	if _, err := c.function(function); err != nil {
		return nil, err
	}
	w := writing{control: c, function: function, names: map[string]string{}}
	docs := w.read(d)
	if len(w.problems) > 0 {
		return nil, w.refusal()
	}
	row := c.State().Of(function)
	if err := docs.into(&row); err != nil {
		return nil, err
	}
	if err := c.enable(&row); err != nil {
		return nil, err
	}
	s := c.State().with(row)
	return s, w.check(s)
}

// TrialOfKey returns the State that Set, or with no value Unset, would put in
// force, or why they would refuse. Nothing is changed.
func (c *Control) TrialOfKey(ctx context.Context, path string, value json.RawMessage) (*State, error) {
	v := decoded(value)
	if v != nil {
		if err := c.settable(ctx, path, v); err != nil {
			return nil, err
		}
	}
	w := writing{control: c, names: map[string]string{}}
	function, inside, ok := split(path)
	if !ok {
		o, err := c.overriding(path, v, "")
		if err != nil {
			return nil, err
		}
		s := c.State().withOverride(o)
		return s, w.check(s)
	}
	if _, err := c.function(function); err != nil {
		return nil, err
	}
	row := c.State().Of(function)
	if err := keyed(&row, path, inside, v); err != nil {
		return nil, err
	}
	s := c.State().with(row)
	return s, w.check(s)
}

// keyed sets a key in the document of a row where it belongs, or with a nil
// value takes it out.
func keyed(row *store.FunctionConfig, path string, inside []string, v any) error {
	doc, rest := &row.Recovery, inside
	switch inside[0] {
	case "load_balancing":
		doc, rest = &row.LoadBalancing, inside[1:]
	case "scaling":
		doc, rest = &row.Scaling, inside[1:]
	case "enabled":
		row.Enabled = true // the document says it
	}
	m := documentOf(*doc)
	if !place(m, rest, v) {
		return notFound("%s is not overridden", path)
	}
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write override: %w", err)
	}
	*doc = b
	return nil
}
