package kubernetes

import (
	"fmt"
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
    retry: {attempts: 1} # would hide requests to instances that are gone
    platform:
      kubernetes: {kubeconfig: %q, namespace: %s, target: deployment/web, service: web, port: http}
`

// The real binary, with a load that rises tenfold and falls.
func TestPodsComeAndGoWithTheTide(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "Deployment")
	path := filepath.Join(t.TempDir(), "holdfast.yaml")
	file(t, path, fmt.Sprintf(ebbing, tide.Scaling, w.c.Kubeconfig, w.namespace))
	tide.Run(t, holdfast.Up(t, "-c", path), "web", "/?slow=200ms")
}
