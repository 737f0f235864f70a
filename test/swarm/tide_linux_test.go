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
	name := c.service(t, onHost)
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, ebbing, tide.Scaling, c.Host, name, port), 0o600); err != nil {
		t.Fatal(err)
	}
	tide.Run(t, holdfast.Up(t, "-c", file), "web", "/?slow=200ms")
}
