package control_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast/test/holdfast"
)

// What a change would come to is told without making it.
func TestAChangeCanBeTriedBeforeItIsMade(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+function(t, "public", 2, "    scaling: {enabled: true, max_instances: 3}\n")))
	p.Ready(t, ready)
	a := login(t, p)
	const check = "/api/v1/config/check"
	for _, c := range []struct{ body, says string }{
		{`{"path":"functions.public.retry.attempts","value":1}`, "[map[new:1 old:"},
		{`{"function_name":"public","scaling_config":{"max_instances":7}}`, "[map[new:7 old:3 path:functions.public.scaling.max_instances]]"},
		{`{"path":"log.level","value":"warn"}`, "path:log.level"},
	} {
		status, v := a.ask("POST", check, c.body)
		if status != 200 || v["ok"] != true || !strings.Contains(fmt.Sprint(v["changes"]), c.says) || len(v["problems"].([]any)) != 0 {
			t.Errorf("%s: %d %v", c.body, status, v)
		}
	}
	for _, c := range []struct{ body, field string }{
		{`{"path":"functions.public.retry.attempts","value":"many"}`, "functions.public.retry.attempts"},
		{`{"function_name":"public","scaling_config":{"max_instances":0,"min_instances":-1}}`, "scaling_config.min_instances"},
		{`{"path":"listen","value":"1.2.3.4:5"}`, "listen"},
	} {
		status, v := a.ask("POST", check, c.body)
		if status != 200 || v["ok"] != false || !strings.Contains(fmt.Sprint(v["problems"]), "field:"+c.field+" ") {
			t.Errorf("%s: %d %v", c.body, status, v)
		}
	}
	a.refused(400, "POST", check, `{}`, "give path and value of a key")
	a.refused(404, "POST", check, `{"path":"functions.public.retry.attempts"}`, "is not overridden")
	a.refused(404, "POST", check, `{"function_name":"publik","scaling_config":{}}`, "there is no function")
	if _, v := a.ask("GET", "/api/v1/config/history", ""); fmt.Sprint(v["changes"]) != "[]" {
		t.Errorf("something was changed: %v", v)
	}
	const simulate = "/api/v1/functions/public/scaling/simulate"
	a.refused(409, "POST", simulate, `{"scaling":{"max_instances":4}}`, "there is no history of public in the last 7 days yet")
	if v := a.refused(400, "POST", simulate, `{"scaling":{"max_instances":-4}}`, "the scaling cannot be rehearsed"); v["field"] != "scaling.max_instances" {
		t.Errorf("%v", v)
	}
}

// The editor of the page gets the schema of a function with the keys it may set.
func TestTheSchemaOfAFunctionSaysWhatCanBeSet(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+function(t, "public", 1, "")))
	p.Ready(t, ready)
	status, v := login(t, p).ask("GET", "/api/v1/config/schema", "")
	defs, _ := v["$defs"].(map[string]any)
	list, _ := v["x-settable"].([]any)
	keys := fmt.Sprint(list)
	if status != 200 || v["$ref"] != "#/$defs/function" || defs["function"] == nil || defs["scaling"] == nil {
		t.Errorf("%d %v", status, v["$ref"])
	}
	for _, key := range []string{"retry.attempts", "scaling.max_instances", "circuit_breaker.failure_threshold", "load_balancing.strategy", "instances"} {
		if !slices.Contains(list, any(key)) {
			t.Errorf("%s cannot be set: %s", key, keys)
		}
	}
	if strings.Contains(keys, "platform") || strings.Contains(keys, "health.command") {
		t.Errorf("what runs programs can be set: %s", keys)
	}
}
