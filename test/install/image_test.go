// Package install_test installs Holdfast in the ways docs/install.md describes:
// as a container, as a service, from an archive.
package install_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/test/docker"
	"holdfast/test/holdfast"
	"holdfast/test/port"
)

// freePort returns a port nobody listens on, nor gets by chance.
func freePort(t *testing.T) string {
	t.Helper()
	n, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(n)
}

func TestTheImageServesAsNobodyAndStopsWhenTold(t *testing.T) {
	t.Parallel()
	engine := docker.Start(t, docker.Config{})
	build := exec.CommandContext(t.Context(), "../../scripts/image.sh", "test", "-s -w")
	build.Env = engine.Environ()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the image: %v\n%s", err, out)
	}
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	// The demo's own server is in the image too, which lets it be tried without anything else.
	text := "functions:\n  web:\n    routes: [{path: /}]\n    platform: {process: {instances: 2, command: [/holdfast, demo-function, --name, web, --id, '{id}', --port, '{port}']}}\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	port, adminPort := freePort(t), freePort(t)
	id := engine.Docker(t, "run", "--detach", "--network=host", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges",
		"--volume", "state:/data", "--volume", file+":/etc/holdfast/holdfast.yaml:ro",
		"--env", "HOLDFAST_LISTEN=0.0.0.0:"+port, "--env", "HOLDFAST_ADMIN__LISTEN=0.0.0.0:"+adminPort, "holdfast:test")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the container's log:\n%s", engine.Logs(id))
		}
	})
	serves(t, "http://127.0.0.1:"+port+"/api/web/hello")
	admin(t, "https://127.0.0.1:"+adminPort+"/healthz")
	runsAsNobody(t, engine, id)
	if out := engine.Docker(t, "exec", id, "/holdfast", "healthcheck", "--ready"); out != "ready" {
		t.Errorf("healthcheck in the container: %q", out)
	}
	holdfast.Poll(t, 60*time.Second, "healthy", func() bool {
		out, err := engine.Try("inspect", "--format", "{{.State.Health.Status}}", id)
		return err == nil && out == "healthy"
	})
	began := time.Now()
	engine.Docker(t, "stop", "--time", "30", id)
	took := time.Since(began)
	if code := engine.Docker(t, "inspect", "--format", "{{.State.ExitCode}} {{.State.OOMKilled}}", id); code != "0 false" {
		t.Errorf("it ended with %s", code)
	}
	if took > 10*time.Second {
		t.Errorf("it took %v to stop", took)
	}
	t.Attr("stop", took.Round(10*time.Millisecond).String())
	t.Attr("image_size", engine.Docker(t, "images", "--format", "{{.Size}}", "holdfast:test"))
	// What it keeps is in the volume: a second one has the same token.
	engine.Docker(t, "start", id)
	serves(t, "http://127.0.0.1:"+port+"/api/web/hello")
}

func serves(t *testing.T, url string) {
	t.Helper()
	var last string
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last answer of %s: %s", url, last)
		}
	})
	holdfast.Poll(t, 30*time.Second, "served", func() bool {
		res, err := http.Get(url)
		if err != nil {
			last = err.Error()
			return false
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		last = fmt.Sprint(res.StatusCode, string(b), err)
		return res.StatusCode == http.StatusOK && strings.Contains(string(b), `"function":"web"`)
	})
}

// admin asks the admin listener, which beyond loopback speaks TLS with a
// certificate that it made itself.
func admin(t *testing.T, url string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, //nolint:gosec // it is the test's own
	}}
	res, err := client.Get(url)
	if err != nil {
		t.Errorf("ask the admin listener: %v", err)
		return
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("the admin listener answers %d", res.StatusCode)
	}
	plain, err := http.Get(strings.Replace(url, "https:", "http:", 1))
	if err == nil {
		plain.Body.Close()
		if plain.StatusCode == http.StatusOK {
			t.Error("the admin listener answers without TLS beyond loopback")
		}
	}
}

// runsAsNobody looks at the process from outside the container.
func runsAsNobody(t *testing.T, engine *docker.Engine, id string) {
	t.Helper()
	pid := engine.Docker(t, "inspect", "--format", "{{.State.Pid}}", id)
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		switch fields[0] {
		case "Uid:", "Gid:":
			if strings.Join(fields[1:], " ") != "65532 65532 65532 65532" {
				t.Errorf("it runs with %s", line)
			}
		case "CapEff:":
			if fields[1] != "0000000000000000" {
				t.Errorf("it has capabilities: %s", line)
			}
		}
	}
	var config struct {
		User    string
		Volumes map[string]any
	}
	if err := json.Unmarshal([]byte(engine.Docker(t, "image", "inspect", "--format", "{{json .Config}}", "holdfast:test")), &config); err != nil {
		t.Fatal(err)
	}
	if _, ok := config.Volumes["/data"]; !ok || config.User != "65532:65532" {
		t.Errorf("the image says %+v", config)
	}
}
