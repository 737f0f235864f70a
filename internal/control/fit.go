package control

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"holdfast/internal/event"
)

// Unfit is an overridden key that does not fit the configuration any more,
// since its files say something else than when it was set. It stays in the
// store and is not in force.
type Unfit struct {
	Path    string `json:"path"`
	Problem string `json:"problem"`
}

// moreThanEnough bounds how often set-aside keys are tried again one by one:
// each try reads the whole configuration.
const moreThanEnough = 3

// Fit returns a State in which as few keys as possible are set aside so that
// check finds no problem. When there is one that no key has to do with, the
// State is returned as it is, and the problems.
func (s *State) Fit(check func(*State) []Problem) (*State, []Problem) {
	first := check(s.without(nil))
	problems, aside := first, map[string]string{}
	all := slices.Sorted(maps.Keys(s.leaves()))
	for len(problems) > 0 {
		before := len(aside)
		for _, path := range all {
			if why, ok := about(problems, path); ok && aside[path] == "" {
				aside[path] = why
			}
		}
		if len(aside) == before { // a problem elsewhere, that one of them may have caused
			if before == len(all) {
				return s, problems
			}
			for _, path := range all {
				if aside[path] == "" {
					aside[path] = sentence(&problems[0])
				}
			}
		}
		problems = check(s.without(aside))
	}
	s.bringBack(check, aside)
	return s.without(aside), nil
}

// bringBack puts keys into force that fit on their own. A key may need another
// one, so that it is tried again as long as that changes something.
func (s *State) bringBack(check func(*State) []Problem, aside map[string]string) {
	for range moreThanEnough {
		progress := false
		for _, path := range slices.Sorted(maps.Keys(aside)) {
			why := aside[path]
			delete(aside, path)
			if problems := check(s.without(aside)); len(problems) > 0 {
				aside[path] = why
				if own, ok := about(problems, path); ok {
					aside[path] = own
				}
				continue
			}
			progress = true
		}
		if !progress {
			return
		}
	}
}

// about returns what problems say of a key, what is in it and what it is in.
func about(problems []Problem, path string) (string, bool) {
	for i := range problems {
		p := &problems[i]
		if p.Field == path || within(p.Field, path) || within(path, p.Field) {
			return sentence(p), true
		}
	}
	return "", false
}

func sentence(p *Problem) string {
	if p.Field == "" {
		return p.Message
	}
	return p.Field + ": " + p.Message
}

func within(path, block string) bool {
	rest, ok := strings.CutPrefix(path, block)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

// without returns the same State with other keys set aside.
func (s *State) without(aside map[string]string) *State {
	next := &State{Functions: s.Functions, Overrides: s.Overrides}
	for _, path := range slices.Sorted(maps.Keys(aside)) {
		next.Unfit = append(next.Unfit, Unfit{path, aside[path]})
	}
	return next
}

// Whole returns the State with nothing set aside.
func (s *State) Whole() *State { return s.without(nil) }

// leaves are the overridden keys with their values, also those set aside.
func (s *State) leaves() map[string]any {
	out := map[string]any{}
	for path, v := range s.Whole().Layer() {
		leavesOf(out, path, v)
	}
	return out
}

// Keys lists the overridden keys that are in force.
func (s *State) Keys() []string {
	out := map[string]any{}
	for path, v := range s.Layer() {
		leavesOf(out, path, v)
	}
	return slices.Sorted(maps.Keys(out))
}

func leavesOf(out map[string]any, path string, v any) {
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 {
		out[path] = v
		return
	}
	for key, inner := range m {
		leavesOf(out, path+"."+key, inner)
	}
}

// pruned is a value without the keys that are set aside; false: nothing is left.
func (s *State) pruned(path string, v any) (any, bool) {
	if slices.ContainsFunc(s.Unfit, func(u Unfit) bool { return u.Path == path }) {
		return nil, false
	}
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 {
		return v, true
	}
	out := make(map[string]any, len(m))
	for key, inner := range m {
		if left, ok := s.pruned(path+"."+key, inner); ok {
			out[key] = left
		}
	}
	return out, len(out) > 0
}

// carry sets aside in s what was set aside in old and still says the same.
func (s *State) carry(old *State) *State {
	if old == nil || len(old.Unfit) == 0 {
		return s
	}
	was, is := old.leaves(), s.leaves()
	s.Unfit = nil
	for _, u := range old.Unfit {
		if v, ok := is[u.Path]; ok && sameValue(v, was[u.Path]) {
			s.Unfit = append(s.Unfit, u)
		}
	}
	return s
}

func sameValue(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// Fit sets aside what does not fit the configuration any more, tells of it,
// and returns what is wrong with the configuration apart from that. It is for
// the start, before the State is in force.
func (c *Control) Fit() []Problem {
	c.turn <- struct{}{} // at the start nobody has it for long
	defer func() { <-c.turn }()
	s, problems := c.State().Fit(c.config.Runtime.Check)
	if problems == nil {
		c.tell(s)
		c.state.Store(s)
	}
	return problems
}

// Restored makes a State the one in force that differs from before only in
// what is set aside. It is for who reads the configuration again; false: an
// order came in between, and nothing was changed.
func (c *Control) Restored(before, s *State) bool { return c.state.CompareAndSwap(before, s) }

// tell says what is set aside that was not before.
func (c *Control) tell(s *State) {
	before := c.State().Unfit
	for _, u := range s.Unfit {
		if slices.ContainsFunc(before, func(b Unfit) bool { return b.Path == u.Path }) {
			continue
		}
		c.config.Logger.Error("an override does not fit the configuration any more and is not in force", "setting", u.Path, "problem", u.Problem)
		c.config.Events.Publish(event.Event{
			Kind: event.Config, To: "refused", Source: "override", Function: functionOf(u.Path),
			Reason: u.Path + " is not in force: " + u.Problem,
		})
	}
}

// functionOf is the function a key belongs to; empty: none.
func functionOf(path string) string {
	rest, ok := strings.CutPrefix(path, "functions.")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, ".")
	return name
}
