package swarm_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"holdfast/test/holdfast"
	"holdfast/test/scaling/tide"
)

const ebbing = `
log: {access: off}
functions:
  web:
    routes: [{path: /}]
    scaling: %s
    retry: {attempts: 1}
    platform: {docker-swarm: {host: %q, service: %s, port: %d}}
`

// The real binary, with a load that rises tenfold and falls.
func tasksComeAndGoWithTheTide(t *testing.T, c *cluster) {
	tide.Run(t, c.scaled(t, tide.Scaling), "web", "/?slow=200ms")
}

func aDrillScalesTheService(t *testing.T, c *cluster) {
	tide.Drill(t, c.scaled(t, tide.Calm), "web", "/")
}

// scaled is Holdfast in front of a service of its own.
func (c *cluster) scaled(t *testing.T, scaling string) *holdfast.Process {
	t.Helper()
	name := c.service(t, onHost)
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, ebbing, scaling, c.Host, name, port), 0o600); err != nil {
		t.Fatal(err)
	}
	return holdfast.Up(t, "-c", file)
}
