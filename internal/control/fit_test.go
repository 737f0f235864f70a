package control_test

import (
	"encoding/json"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/control"
	"holdfast/internal/store"
)

// stateOf has keys in documents of a function and among the overrides.
func stateOf(recovery, scaling string, overrides map[string]string) *control.State {
	s := &control.State{Functions: map[string]store.FunctionConfig{
		"a": {Function: "a", Enabled: true, Recovery: raw(recovery), Scaling: raw(scaling)},
	}}
	for path, v := range overrides {
		s.Overrides = append(s.Overrides, store.Override{Path: path, Value: raw(v)})
	}
	return s
}

// rule finds fault with a State when bad is among what it holds.
func rule(field string, bad func(layer string) bool) func(*control.State) []control.Problem {
	return func(s *control.State) []control.Problem {
		b, _ := json.Marshal(s.Layer())
		if bad(string(b)) {
			return []control.Problem{{Field: field, Message: "does not fit"}}
		}
		return nil
	}
}

func has(part string) func(string) bool {
	return func(layer string) bool { return strings.Contains(layer, part) }
}

func TestOnlyWhatDoesNotFitIsSetAside(t *testing.T) {
	t.Parallel()
	all := func(rules ...func(*control.State) []control.Problem) func(*control.State) []control.Problem {
		return func(s *control.State) (list []control.Problem) {
			for _, r := range rules {
				list = append(list, r(s)...)
			}
			return list
		}
	}
	for name, c := range map[string]struct {
		check func(*control.State) []control.Problem
		want  []string
	}{
		"nothing is wrong":           {all(), nil},
		"a key of a block":           {rule("functions.a.retry.attempts", has(`"attempts"`)), []string{"functions.a.retry.attempts"}},
		"an override":                {rule("log.level", has(`"log.level"`)), []string{"log.level"}},
		"an element of a list":       {rule("functions.a.instances[0].url", has(`"functions.a.instances"`)), []string{"functions.a.instances"}},
		"blamed on another key":      {rule("functions.a.scaling.max_instances", has(`"min_instances"`)), []string{"functions.a.scaling.min_instances"}},
		"blamed on the whole":        {rule("functions", has(`"base_delay"`)), []string{"functions.a.retry.base_delay"}},
		"two, one of them in hiding": {all(rule("functions.a.retry.attempts", has(`"attempts"`)), rule("x", has(`"min_instances"`))), []string{"functions.a.retry.attempts", "functions.a.scaling.min_instances"}},
	} {
		s := stateOf(`{"retry":{"attempts":3,"base_delay":"1s"},"operator":{"stopped":{"by":"x"}}}`, `{"min_instances":6}`,
			map[string]string{"log.level": `"debug"`, "functions.a.instances": `[{"url":"http://192.0.2.1"}]`})
		got, problems := s.Fit(c.check)
		var paths []string
		for _, u := range got.Unfit {
			paths = append(paths, u.Path)
			if u.Problem == "" {
				t.Errorf("%s: %s is set aside without a reason", name, u.Path)
			}
		}
		if problems != nil || !slices.Equal(paths, c.want) || len(c.check(got)) != 0 {
			t.Errorf("%s: %v set aside, want %v; %v", name, paths, c.want, problems)
		}
		if got.Orders("a").Stopped == nil || len(got.Whole().Layer()) != 4 {
			t.Errorf("%s: something was lost", name)
		}
	}
}

func TestAFaultyFileIsNotBlamedOnOverrides(t *testing.T) {
	t.Parallel()
	s := stateOf(`{"retry":{"attempts":3}}`, `{}`, nil)
	got, problems := s.Fit(rule("listen", func(string) bool { return true }))
	if len(problems) != 1 || got != s {
		t.Errorf("%+v %v", got, problems)
	}
}

func TestWhatIsSetAsideComesBackWhenItIsSetAnew(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	for _, path := range []string{"functions.public.retry.attempts", "functions.public.retry.body_limit"} {
		if err := s.control.Set(t.Context(), me, path, raw("3")); err != nil {
			t.Fatal(err)
		}
	}
	s.check = rule("functions.public.retry.attempts", has(`"attempts":3`))
	s.restart()
	if problems := s.control.Fit(); problems != nil || strings.Contains(s.layer(), "attempts") || !strings.Contains(s.layer(), "body_limit") {
		t.Fatalf("%v %s", problems, s.layer())
	}
	events := s.events.Since(0)
	if last := events[len(events)-1]; last.Source != "override" || !strings.Contains(last.Reason, "retry.attempts is not in force") {
		t.Errorf("nobody was told: %+v", last)
	}
	// Another order does not stumble over it, nor does it bring it back.
	if err := s.control.Stop(t.Context(), me, "public", ""); err != nil || strings.Contains(s.layer(), "attempts") {
		t.Errorf("%v %s", err, s.layer())
	}
	if err := s.control.Set(t.Context(), me, "functions.public.retry.attempts", raw("2")); err != nil || !strings.Contains(s.layer(), `"attempts":2`) || len(s.control.State().Unfit) != 0 {
		t.Errorf("%v %s", err, s.layer())
	}
}

func TestWhatAnotherNodeSetIsSetAsideWhenItDoesNotFitHere(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	s.check = rule("functions.public.retry.attempts", has(`"attempts":3`))
	_, _, err := s.store.EditFunctionConfig(t.Context(), "public", "config.set", "", me, func(row *store.FunctionConfig) error {
		row.Recovery, row.Enabled = raw(`{"retry":{"attempts":3,"body_limit":5}}`), true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.run()
	for until := time.Now().Add(10 * time.Second); ; {
		layer := s.layer()
		if strings.Contains(layer, "body_limit") && !strings.Contains(layer, "attempts") {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("in force: %s", layer)
		}
		runtime.Gosched()
	}
}
