package kubernetes_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"holdfast/internal/platform"
	"holdfast/internal/platform/kubernetes"
)

// What needs a cluster is tested in test/kubernetes, against a real one.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kubeconfig writes one for a server and returns its path.
func kubeconfig(t *testing.T, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := `{apiVersion: v1, kind: Config, current-context: here,
clusters: [{name: here, cluster: {server: "` + server + `"}}],
contexts: [{name: here, context: {cluster: here, namespace: shop}}]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatCannotWorkIsRefusedWithAWayOut(t *testing.T) {
	t.Parallel()
	good := kubernetes.Config{Kubeconfig: kubeconfig(t, "http://127.0.0.1:1"), Target: "deployment/hello", Service: "hello"}
	for name, c := range map[string]struct {
		change func(*kubernetes.Config)
		want   string
	}{
		"no kind":       {func(c *kubernetes.Config) { c.Target = "hello" }, "write KIND/NAME, as deployment/hello"},
		"no name":       {func(c *kubernetes.Config) { c.Target = "deployment/" }, "write KIND/NAME, as deployment/hello"},
		"no group":      {func(c *kubernetes.Config) { c.Target = "rollout/hello" }, "name the API group"},
		"no service":    {func(c *kubernetes.Config) { c.Service = "" }, "name the Service"},
		"scheme":        {func(c *kubernetes.Config) { c.Scheme = "ftp" }, "use http or https"},
		"port":          {func(c *kubernetes.Config) { c.Port = "70000" }, "use 1 to 65535, or a name"},
		"no file":       {func(c *kubernetes.Config) { c.Kubeconfig = "/no/such/file" }, "/no/such/file"},
		"other context": {func(c *kubernetes.Config) { c.Context = "there" }, `"there"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			c.change(&cfg)
			if _, err := kubernetes.New(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("New: %v, want %q", err, c.want)
			}
		})
	}
	if _, err := kubernetes.New(good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestCapabilitiesAreThoseOfTheKind(t *testing.T) {
	t.Parallel()
	file := kubeconfig(t, "http://127.0.0.1:1")
	for target, want := range map[string]struct{ pick, rollback bool }{
		"deployment/a": {true, true}, "Deployments.apps/a": {true, true}, "sts/a": {false, true},
		"replicaset/a": {true, false}, "rollouts.argoproj.io/a": {false, false},
	} {
		d, err := kubernetes.New(kubernetes.Config{Kubeconfig: file, Target: target, Service: "a"})
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		c := d.Capabilities()
		if !c.Scale || !c.Pause || c.PickVictim != want.pick || c.Rollback != want.rollback {
			t.Errorf("%s can %+v", target, c)
		}
		if err := d.Rollback(t.Context()); !want.rollback && !errors.Is(err, platform.ErrUnsupported) {
			t.Errorf("%s rolled back: %v", target, err)
		}
	}
}
