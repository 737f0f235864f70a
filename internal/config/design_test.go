package config_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"holdfast/internal/config"
)

// The example of DESIGN.md offers two sources of instances, "or, instead:".
func TestTheDesignExampleLoadsWithEitherSource(t *testing.T) {
	t.Parallel()
	const process = `    platform: {process: {command: ["node", "server.js"], env: {PORT: "{port}"}}}` + "\n"
	text, err := os.ReadFile("testdata/design.yaml")
	if err != nil {
		t.Fatal(err)
	}
	withInstances := string(text)
	rest, _, _ := strings.Cut(withInstances, "    instances:")
	for name, yaml := range map[string]string{"instances": withInstances, "process": rest + process} {
		c, origins, err := load(t, yaml)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		public := c.Functions["public"]
		if public.Health.Type != "http" || public.Retry.Attempts != 2 || public.CircuitBreaker.RecoveryTimeout.Std() != time.Minute {
			t.Errorf("%s: %+v", name, public)
		}
		if at := origins.Of("functions.public.retry.attempts").String(); at != "file holdfast.yaml:10:23" {
			t.Errorf("%s: attempts comes from %s", name, at)
		}
	}
	if _, _, err := load(t, withInstances+process); err == nil {
		t.Error("two sources of instances were accepted")
	}
}

// load reads one file called holdfast.yaml with an empty environment.
func load(tb testing.TB, yaml string, environ ...string) (*config.Config, *config.Origins, error) {
	tb.Helper()
	return config.Load(config.Options{
		Files:    []string{"holdfast.yaml"},
		Environ:  environ,
		ReadFile: readMap(map[string]string{"holdfast.yaml": yaml}),
	})
}

// readMap is a file system in memory.
func readMap(files map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		text, ok := files[name]
		if !ok {
			return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
		}
		return []byte(text), nil
	}
}
