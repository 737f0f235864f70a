package control_test

import (
	"fmt"
	"testing"

	"holdfast/test/holdfast"
)

// `defaults` and `include` are no keys of the running configuration but of
// files, from which keys come: who could set them could set everything.
func TestTheAPISetsNoDefaultsAndIncludesNothing(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+function(t, "public", 1, "")))
	p.Ready(t, ready)
	a := login(t, p)
	for path, value := range map[string]string{
		"defaults.health.command": `["sh"]`, "defaults.health.type": `"exec"`, "defaults.platform.process.command": `["sh"]`, "defaults.retry.attempts": `3`,
		"defaults": `{"health":{"command":["sh"]}}`, "include": `["/etc/hostname"]`, "include[0]": `"x"`, "functions.public.health": `{"command":["sh"]}`,
		"functions.public.health.command.0": `"sh"`, "functions.public.platform.process.env.PATH": `"x"`, "functions": `{"public":{"health":{"command":["sh"]}}}`, "functions.public": `{"health":{"command":["sh"]}}`,
	} {
		status, v := a.ask("PUT", "/api/v1/config/values", fmt.Sprintf(`{"path":%q,"value":%s}`, path, value))
		if status != 403 && status != 400 {
			t.Errorf("%s = %s: %d %v", path, value, status, v)
		}
		if _, list := a.ask("GET", "/api/v1/config/history?limit=1", ""); len(list["changes"].([]any)) != 0 {
			t.Fatalf("%s = %s is kept: %v", path, value, list)
		}
	}
}
