package control_test

import (
	"encoding/json"
	"testing"

	"holdfast/internal/control"
)

// FuzzCopy reads orders.json, from which a start without the store takes the
// orders. Whatever it holds, reading it ends in an error or in a State whose
// questions all have answers, and which is written as it was read.
func FuzzCopy(f *testing.F) {
	f.Add(`{}`, "public")
	f.Add(`{"functions":{"public":{"function_name":"public","enabled":false,"recovery_config":{"operator":{"stopped":{"by":"x"},"weights":{"a":-1}}}}}}`, "public")
	f.Add(`{"functions":{"":{"recovery_config":[1],"load_balancing_config":"x","scaling_config":{"a":{"b":null}}}},"overrides":[{"path":"","value":null}]}`, "")
	f.Add(`{"functions":null,"overrides":[{"path":"log.level","value":"debug"},{"path":"log.level","value":1e999}]}`, "x")
	f.Add(`[`, "x")
	f.Fuzz(func(t *testing.T, text, function string) {
		var s control.State
		if json.Unmarshal([]byte(text), &s) != nil {
			return
		}
		layer := s.Layer()
		for path := range layer {
			if path == "functions."+function+".operator" {
				t.Errorf("orders became a key of the configuration: %v", layer)
			}
		}
		_ = s.Orders(function)
		b, err := json.Marshal(&s)
		if err != nil {
			t.Fatalf("read, but cannot be written: %v", err)
		}
		var again control.State
		if err := json.Unmarshal(b, &again); err != nil {
			t.Fatalf("written as %s: %v", b, err)
		}
		if len(again.Layer()) != len(layer) {
			t.Errorf("%v became %v", layer, again.Layer())
		}
	})
}
