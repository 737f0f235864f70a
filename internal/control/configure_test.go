package control_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"holdfast/internal/control"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

// layer is the configuration a State stands for, as JSON.
func (s *site) layer() string {
	b, err := json.Marshal(s.control.State().Layer())
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func TestDocumentsBecomeKeysOfTheConfiguration(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	if err := s.control.Stop(t.Context(), me, "public", ""); err != nil {
		t.Fatal(err)
	}
	_, err := s.control.Configure(t.Context(), me, "public", control.Documents{
		Recovery:      raw(`{"failure_threshold":3,"circuit_breaker":{"recovery_timeout":60000},"retry":{"attempts":1},"wait_for_instance":"1s"}`),
		LoadBalancing: raw(`{"strategy":"random"}`), Scaling: raw(`{"max_instances":4}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"functions.public.circuit_breaker":{"failure_threshold":3,"recovery_timeout":60000},"functions.public.load_balancing":{"strategy":"random"},` +
		`"functions.public.retry":{"attempts":1},"functions.public.scaling":{"max_instances":4},"functions.public.wait_for_instance":"1s"}`
	if got := s.layer(); got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
	if s.control.State().Orders("public").Stopped == nil {
		t.Error("the configuration took an order back")
	}
	// What is not given stays; {} takes back.
	if _, err := s.control.Configure(t.Context(), me, "public", control.Documents{Recovery: raw(`{}`)}); err != nil {
		t.Fatal(err)
	}
	if got := s.layer(); contains(got, "retry") || !contains(got, "random") {
		t.Errorf("%s", got)
	}
	if err := s.control.Disable(t.Context(), me, "public"); err != nil || !contains(s.layer(), `"functions.public.enabled":false`) {
		t.Errorf("%s %v", s.layer(), err)
	}
}

func TestProblemsCarryTheNamesOfTheCaller(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	s.problems = []control.Problem{
		{Field: "functions.public.circuit_breaker.failure_threshold", Message: "must be positive"},
		{Field: "functions.public.circuit_breaker.recovery_timeout", Message: "must be shorter"},
		{Field: "functions.public.scaling.max_instances", Message: "must be larger"},
		{Field: "functions.public.retry.statuses[1]", Message: "must be a status"},
		{Field: "functions.other.retry", Message: "is of another function"},
	}
	_, err := s.control.Configure(t.Context(), me, "public", control.Documents{
		Recovery: raw(`{"failure_threshold":-1,"circuit_breaker":{"recovery_timeout":1},"retry":{"statuses":[500,1]}}`), Scaling: raw(`{"max_instances":0}`),
	})
	for _, want := range []string{
		"recovery_config.failure_threshold: must", "recovery_config.circuit_breaker.recovery_timeout: must", "scaling_config.max_instances: must",
		"recovery_config.retry.statuses[1]: must", "functions.other.retry: is",
	} {
		s.refused(err, control.Invalid, want)
	}
	if s.layer() != "{}" || len(s.audit()) != 0 {
		t.Errorf("something was kept: %s %v", s.layer(), s.audit())
	}
}

func TestWhatCannotBeSetIsRefusedBeforeAnythingIsAsked(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	for _, c := range []struct {
		docs control.Documents
		kind control.Kind
		says string
	}{
		{control.Documents{}, control.Invalid, "nothing is to be changed"},
		{control.Documents{Recovery: raw(`null`)}, control.Invalid, "nothing is to be changed"},
		{control.Documents{Recovery: raw(`[]`)}, control.Invalid, "recovery_config: must be a JSON object"},
		{control.Documents{Scaling: raw(`"x"`)}, control.Invalid, "scaling_config: must be a JSON object"},
		{control.Documents{Recovery: raw(`{"platform":{}}`)}, control.Invalid, "recovery_config.platform: is not a known key"},
		{control.Documents{Recovery: raw(`{"operator":{}}`)}, control.Invalid, "recovery_config.operator: is not a known key"},
		{control.Documents{Recovery: raw(`{"health":{"command":["sh"]}}`)}, control.Forbidden, "recovery_config.health.command: cannot be set"},
		{control.Documents{Recovery: raw(`{"fallback":{"body":"${file:/etc/shadow}"}}`)}, control.Forbidden, "recovery_config.fallback.body: cannot refer"},
		{control.Documents{Recovery: raw(`{"fallback":{"headers":{"a":["${X}"]}}}`)}, control.Forbidden, "cannot refer"},
		{control.Documents{Recovery: raw(`{"failure_threshold":1,"circuit_breaker":{"failure_threshold":2}}`)}, control.Invalid, "is given twice"},
	} {
		_, err := s.control.Configure(t.Context(), me, "public", c.docs)
		s.refused(err, c.kind, c.says)
	}
	if s.checked != 0 || s.put != nil {
		t.Error("the configuration was looked at")
	}
}

func TestKeysAreSetInTheDocumentTheyBelongTo(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	ctx := t.Context()
	for path, value := range map[string]string{
		"functions.public.retry.attempts": `1`, "functions.public.load_balancing.strategy": `"random"`,
		"functions.public.scaling.max_instances": `3`, "functions.public.routes": `[{"path":"/x/"}]`, "log.level": `"debug"`,
	} {
		if err := s.control.Set(ctx, me, path, raw(value)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	row := s.control.State().Of("public")
	if string(row.Recovery) != `{"retry":{"attempts":1}}` || string(row.LoadBalancing) != `{"strategy":"random"}` || string(row.Scaling) != `{"max_instances":3}` {
		t.Errorf("%s %s %s", row.Recovery, row.LoadBalancing, row.Scaling)
	}
	if o := s.control.State().Overrides; len(o) != 2 || o[0].Path != "functions.public.routes" || o[1].UpdatedBy != "tester" {
		t.Errorf("%+v", o)
	}
	before := s.layer()
	s.restart()
	if got := s.layer(); got != before {
		t.Errorf("after a restart\n%s, before\n%s", got, before)
	}
	for _, path := range []string{"functions.public.retry.attempts", "functions.public.load_balancing.strategy", "functions.public.scaling.max_instances", "functions.public.routes", "log.level"} {
		if err := s.control.Unset(ctx, me, path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		s.refused(s.control.Unset(ctx, me, path), control.NotFound, "is not overridden")
	}
	if s.layer() != "{}" {
		t.Errorf("%s", s.layer())
	}
	s.refused(s.control.Set(ctx, me, "functions.public.retry", raw(`{}`)), control.Invalid, "is a block of keys")
	s.refused(s.control.Set(ctx, me, "functions.public.health.command", raw(`["sh"]`)), control.Forbidden, "cannot be set")
	s.refused(s.control.Set(ctx, me, "functions.public.instances", raw(`[{"url":"http://10.0.0.1"}]`)), control.Forbidden, "instances[0].url: is not allowed")
	s.refused(s.control.Set(ctx, me, "log.level", raw(`null`)), control.Invalid, "value")
	s.refused(s.control.Set(ctx, me, "functions.nobody.retry.attempts", raw(`1`)), control.NotFound, "no function")
}

// FuzzConfigure puts documents of every kind: none may panic, and what is kept
// must give back the same configuration after a restart, orders untouched.
func FuzzConfigure(f *testing.F) {
	f.Add(`{"failure_threshold":3}`, `{"strategy":"p2c"}`, `{"max_instances":2}`)
	f.Add(`{"circuit_breaker":{"window":{"calls":3}},"growth":1e400}`, `null`, `{}`)
	f.Add(`{"operator":{"stopped":{}}}`, `[]`, `"`)
	f.Add(`{"retry":null,"health":"x","fallback":{"headers":{"a":"${b}"}}}`, `{"a.b":{"c":1}}`, `{"":1}`)
	s := open(f, pair()...)
	if err := s.control.Stop(f.Context(), me, "public", ""); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, recovery, balancing, scaling string) {
		docs := control.Documents{Recovery: raw(recovery), LoadBalancing: raw(balancing), Scaling: raw(scaling)}
		_, err := s.control.Configure(t.Context(), me, "public", docs)
		if s.control.State().Orders("public").Stopped == nil {
			t.Fatal("an order was taken back")
		}
		if err != nil {
			return
		}
		before := s.control.State().Layer()
		again := s.another(s.store)
		if err := again.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := again.State().Layer(); !reflect.DeepEqual(before, after) {
			t.Errorf("before %v, after a restart %v", before, after)
		}
	})
}

// FuzzSet sets keys of every name.
func FuzzSet(f *testing.F) {
	f.Add("functions.public.retry.attempts", `1`)
	f.Add("functions.public", `{}`)
	f.Add("functions..retry.attempts", `[1,{"a":null}]`)
	f.Add("functions.public.load_balancing", `1`)
	f.Add("", `"x"`)
	f.Add("functions.public.scaling.", `{"":{"":1}}`)
	s := open(f, pair()...)
	f.Fuzz(func(t *testing.T, path, value string) {
		if err := s.control.Set(t.Context(), me, path, raw(value)); err != nil {
			return
		}
		if _, ok := s.control.State().Layer()[""]; ok && path != "" {
			t.Error("a key without a name")
		}
		if err := s.control.Unset(t.Context(), me, path); err != nil {
			t.Errorf("set %q to %s and it cannot be unset: %v", path, value, err)
		}
	})
}
