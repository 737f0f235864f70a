package swarm_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"holdfast/test/holdfast"
)

// deploy/swarm as it is delivered, with the image as it is delivered.
func deploysTheStack(t *testing.T, c *cluster) {
	build := exec.CommandContext(t.Context(), "../../scripts/image.sh", "test", "-s -w")
	build.Env = c.Environ()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the image: %v\n%s", err, out)
	}
	create := c.Command("secret", "create", "holdfast-store", "-")
	create.Stdin = strings.NewReader("sqlite")
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("create the secret: %v\n%s", err, out)
	}
	c.deploy(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.Docker(t, "service", "ps", "--no-trunc", "holdfast_holdfast", "holdfast_hello"))
			if out, err := c.Try("service", "logs", "--raw", "holdfast_holdfast"); err == nil {
				t.Log(out)
			}
		}
		c.Docker(t, "stack", "rm", "holdfast")
		c.gone(t, "holdfast_holdfast", "holdfast_hello")
	})
	c.asks(t)
	if got := c.instances(t); len(got) != 1 || got[0].Status != "active" {
		t.Errorf("Holdfast has %+v", got)
	}
	c.exec(t, "function", "scale", "hello", "3")
	holdfast.Poll(t, patience, "three instances are active", func() bool {
		list := c.instances(t)
		active := 0
		for _, i := range list {
			if i.Status == "active" {
				active++
			}
		}
		return len(list) == 3 && active == 3
	})
	if n := c.Docker(t, "service", "inspect", "--format", "{{.Spec.Mode.Replicated.Replicas}}", "holdfast_hello"); n != "3" {
		t.Errorf("the swarm was told of %s", n)
	}
	c.asks(t)
	c.deploy(t)
	if n := c.Docker(t, "service", "inspect", "--format", "{{.Spec.Mode.Replicated.Replicas}}", "holdfast_hello"); n != "1" {
		t.Errorf("to deploy without a number makes it %s, and docs/swarm.md says 1", n)
	}
}

func (c *cluster) deploy(t *testing.T) {
	t.Helper()
	socket := strings.TrimPrefix(c.Host, "unix://")
	info, err := os.Stat(socket)
	if err != nil {
		t.Fatal(err)
	}
	group := strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Gid))
	cmd := c.Command("stack", "deploy", "--compose-file", "../../deploy/swarm/stack.yaml", "--resolve-image=never", "holdfast")
	cmd.Env = append(cmd.Env, "HOLDFAST_IMAGE=holdfast:test", "DOCKER_GID="+group, "DOCKER_SOCKET="+socket)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("deploy the stack: %v\n%s", err, out)
	}
}

// gateway is the container of Holdfast, empty while there is none.
func (c *cluster) gateway(t *testing.T) string {
	t.Helper()
	return c.Docker(t, "ps", "--quiet", "--no-trunc", "--filter", "label=com.docker.swarm.service.name=holdfast_holdfast", "--filter", "health=healthy")
}

// asks sends a request through Holdfast. The container is asked itself: the
// routing mesh needs IPVS, which not every kernel has.
func (c *cluster) asks(t *testing.T) {
	t.Helper()
	var last string
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last answer: %s", last)
		}
	})
	holdfast.Poll(t, patience, "hello answers through Holdfast", func() bool {
		id := c.gateway(t)
		if id == "" {
			return false
		}
		address := c.Docker(t, "network", "inspect", "--format", `{{(index .Containers "`+id+`").IPv4Address}}`, "docker_gwbridge")
		host, _, _ := strings.Cut(address, "/")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+":8080/api/hello/hello", http.NoBody)
		if err != nil {
			last = err.Error()
			return false
		}
		r.Close = true
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			last = err.Error()
			return false
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		last = res.Status + " " + string(b)
		return err == nil && res.StatusCode == http.StatusOK && strings.Contains(string(b), `"function":"hello"`)
	})
}

func (c *cluster) exec(t *testing.T, args ...string) string {
	t.Helper()
	return c.Docker(t, append([]string{"exec", c.gateway(t), "/holdfast"}, args...)...)
}

type toldInstance struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

func (c *cluster) instances(t *testing.T) []toldInstance {
	t.Helper()
	text := c.exec(t, "instances", "-o", "json")
	var told struct{ Instances []toldInstance }
	if err := json.Unmarshal([]byte(text), &told); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return told.Instances
}

// gone waits until services have no tasks and the engine no containers of them.
func (c *cluster) gone(t *testing.T, names ...string) {
	t.Helper()
	holdfast.Poll(t, patience, "the stack is gone", func() bool {
		for _, name := range names {
			if out, err := c.Try("ps", "--all", "--quiet", "--filter", "label=com.docker.swarm.service.name="+name); err != nil || out != "" {
				return false
			}
		}
		return true
	})
}
