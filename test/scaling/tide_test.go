package scaling_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"holdfast/test/holdfast"
	"holdfast/test/need"
	"holdfast/test/scaling/tide"
)

const ebbing = `
log: {access: off}
functions:
  work:
    routes: [{path: /api/work/}]
    scaling: %s
    retry: {attempts: 1} # would hide requests to instances that are gone
    platform: {process: {command: [%q, demo-function, --name, work, --id, '{id}', --port, '{port}']}}
`

func TestProcessesComeAndGoWithTheTide(t *testing.T) {
	t.Parallel()
	need.Plain(t)
	tide.Run(t, upScaled(t, tide.Scaling), "work", "/api/work/?slow=200ms")
}

func TestTheScalerLeavesADrillAlone(t *testing.T) {
	t.Parallel()
	need.Plain(t)
	tide.Drill(t, upScaled(t, tide.Calm), "work", "/api/work/")
}

func upScaled(t *testing.T, scaling string) *holdfast.Process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, ebbing, scaling, holdfast.Binary(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	return holdfast.Up(t, "-c", file)
}
