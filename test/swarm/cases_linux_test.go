package swarm_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/platform"
	"holdfast/internal/platform/swarm"
	"holdfast/test/docker"
)

// A scale overwrites what swarm would go back to; the command is what differs.
func rollsBackTheCommandAfterAScale(t *testing.T, c *cluster) {
	name := c.service(t, onHost)
	var mu sync.Mutex
	var kept []byte
	cfg := swarm.Config{Host: c.Host, Service: name, ProvenAfter: time.Millisecond, Keep: func(b []byte) {
		mu.Lock()
		defer mu.Unlock()
		kept = b
	}}
	d := newDriver(t, cfg)
	s := run(t, d)
	first := s.running(1)
	says(t, first, "one")
	c.update(t, name, "--args", "two")
	second := s.await("version two", func(o platform.Observation, err error) bool {
		return err == nil && o.Version != first.Version && settled(o, 1)
	})
	says(t, second, "two")
	scale(t, d, 2)
	s.running(2)
	if out := c.Docker(t, "service", "inspect", "--format", "{{.PreviousSpec.TaskTemplate.ContainerSpec.Args}}", name); out != "[two]" {
		t.Fatalf("the swarm would go back to %s: this test shows nothing", out)
	}
	// One that was started again goes back as well.
	mu.Lock()
	cfg.Kept = slices.Clone(kept)
	mu.Unlock()
	again := newDriver(t, cfg)
	if err := again.Rollback(t.Context()); err != nil {
		t.Fatalf("roll back: %v", err)
	}
	back := s.await("version one", func(o platform.Observation, err error) bool {
		return err == nil && o.Version == first.Version && settled(o, 2)
	})
	says(t, back, "one")
	if err := again.Rollback(t.Context()); !errors.Is(err, platform.ErrNoEarlier) {
		t.Errorf("what was rolled back would come again: %v", err)
	}
}

// A version that never ran is left for the one that did.
func rollsBackAVersionThatCrashes(t *testing.T, c *cluster) {
	name := c.service(t, onHost, "--update-failure-action=continue")
	d := newDriver(t, swarm.Config{Host: c.Host, Service: name, ProvenAfter: time.Millisecond})
	s := run(t, d)
	first := s.running(1)
	c.update(t, name, "--args", "crash")
	o := s.await("a crash loop", func(o platform.Observation, err error) bool { return err == nil && count(o, platform.CrashLoop) == 1 })
	if i := o.Instances[0]; i.Restarts < 3 || !strings.Contains(i.Reason, "non-zero exit (1)") || o.Version == first.Version {
		t.Errorf("the crash loop is told as %+v", o)
	}
	if err := d.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	back := s.await("version one", func(o platform.Observation, err error) bool {
		return err == nil && o.Version == first.Version && settled(o, 1)
	})
	says(t, back, "one")
}

// Only a container that runs is told as running, and only once.
func neverRunsWhatCrashes(t *testing.T, c *cluster) {
	name := "crashing"
	c.create(t, name, onHost, "function", "crash")
	s := run(t, newDriver(t, swarm.Config{Host: c.Host, Service: name}))
	s.await("a crash loop", func(o platform.Observation, err error) bool { return err == nil && count(o, platform.CrashLoop) == 1 })
	for _, o := range s.everything() {
		if count(o, platform.Running) > 0 {
			t.Errorf("what crashes at once was told as running: %+v", o)
		}
	}
}

// somebody changes the service right before each update gets to the engine, as
// often as there is left.
type somebody struct {
	mu   sync.Mutex
	left int
	met  int
}

func (b *somebody) before(t *testing.T, c *cluster, name string) func(*http.Request) {
	t.Helper()
	return func(r *http.Request) {
		if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/update") {
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.left == 0 {
			return
		}
		b.left--
		b.met++
		if _, err := c.Try("service", "update", "--detach", "--no-resolve-image", "--label-add", "n="+time.Now().String(), name); err != nil {
			t.Error(err)
		}
	}
}

func triesAgainWhenSomebodyWasFaster(t *testing.T, c *cluster) {
	name := c.service(t, onHost)
	var other somebody
	engine := c.fronted(t, other.before(t, c, name))
	d := newDriver(t, swarm.Config{Host: "tcp://" + engine.address, TLS: engine.tls, Service: name})
	other.left = 3
	scale(t, d, 2)
	if other.met != 3 {
		t.Errorf("%d changes came in between, not 3", other.met)
	}
	s := run(t, d)
	s.running(2)
	other.mu.Lock()
	other.left = 1 << 20
	other.mu.Unlock()
	if err := d.Scale(t.Context(), platform.Order{Instances: 3}); !errors.Is(err, platform.ErrConflict) {
		t.Errorf("with a change before each update the order ends with %v", err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	if err := d.Scale(ctx, platform.Order{Instances: 3}); err == nil {
		t.Error("an order nobody took is told as taken")
	}
	if o := s.running(2); o.Owner != "" {
		t.Errorf("the number is nobody else's, and told as of %q", o.Owner)
	}
}

// The client of Docker would make "function" "function:latest", and a new
// version of it.
func leavesAllButTheNumberAsItIs(t *testing.T, c *cluster) {
	name := "untagged"
	text := `{"Name": "untagged", "Labels": {"a": "b"}, "Mode": {"Replicated": {"Replicas": 1}},
		"TaskTemplate": {"ContainerSpec": {"Image": "function", "Env": ["A=<b>&"]}, "ForceUpdate": 3},
		"EndpointSpec": {"Ports": [{"TargetPort": 9000, "PublishMode": "host"}]}}`
	c.call(t, http.MethodPost, "/services/create", text)
	t.Cleanup(func() { c.Docker(t, "service", "rm", name) })
	d := newDriver(t, swarm.Config{Host: c.Host, Service: name})
	s := run(t, d)
	first := s.running(1)
	before := c.spec(t, name)
	scale(t, d, 3)
	o := s.running(3)
	if !slices.ContainsFunc(o.Instances, func(i platform.Instance) bool { return i.ID == first.Instances[0].ID }) {
		t.Errorf("the instance was replaced: it was %+v, and now there are %+v", first.Instances, o.Instances)
	}
	after := c.spec(t, name)
	if want := strings.Replace(before, `"Replicas":1`, `"Replicas":3`, 1); after != want || want == before {
		t.Errorf("the service was\n%s\nand is\n%s", before, after)
	}
	if o.Version != first.Version || o.Deploying {
		t.Errorf("a scale is told as a version: %+v", o)
	}
}

// What gets its signal to end is told as stopping while it still answers.
func tellsWhoIsToEndBeforeItEnds(t *testing.T, c *cluster) {
	gate := newGate(t)
	name := c.service(t, onHost, "--stop-grace-period=10m", gate.mount())
	d := newDriver(t, swarm.Config{Host: c.Host, Service: name})
	s := run(t, d)
	s.running(1)
	scale(t, d, 2)
	s.running(2)
	release := gate.shut(t) // who is told to end waits for it
	scale(t, d, 1)
	o := s.await("one is stopping", func(o platform.Observation, err error) bool {
		return err == nil && count(o, platform.Stopping) == 1 && count(o, platform.Running) == 1
	})
	if o.Desired != 1 || o.Owner != "" {
		t.Errorf("the order is told as %+v", o)
	}
	for _, i := range o.Instances {
		if text := answer(t, i.Endpoint); text != "one" {
			t.Errorf("%s, which is %s, says %q", i.ID, i.State, text)
		}
	}
	release()
	s.running(1)
}

// The test is not on the network: the driver knows the address and says what is
// wrong with it.
func knowsTheAddressOnAnOverlay(t *testing.T, c *cluster) {
	c.Docker(t, "network", "create", "--driver=overlay", "--subnet=10.77.0.0/24", "over")
	t.Cleanup(func() { c.removeNetwork(t, "over") })
	name := c.service(t, "--network=over", "--endpoint-mode=dnsrr")
	s := run(t, newDriver(t, swarm.Config{Host: c.Host, Service: name, Network: "over"}))
	o := s.await("an address nobody can connect to", func(o platform.Observation, err error) bool {
		return err == nil && len(o.Instances) == 1 && strings.Contains(o.Instances[0].Reason, "does not accept connections")
	})
	i := o.Instances[0]
	if i.State != platform.Starting || !strings.HasPrefix(i.Endpoint, "http://10.77.0.") || !strings.HasSuffix(i.Endpoint, ":9000") {
		t.Errorf("it is told as %+v", i)
	}
	wrong := run(t, newDriver(t, swarm.Config{Host: c.Host, Service: name, Network: "other"}))
	wrong.fails("are not on network other: name one of theirs under network (over)")
	none := run(t, newDriver(t, swarm.Config{Host: c.Host, Service: name}))
	none.fails("does not publish port 9000 with mode=host: publish it, or name the overlay network on which to reach the tasks under network (over)")
}

func reachesTasksOnTheNetworkOfTheHost(t *testing.T, c *cluster) {
	name := c.service(t, "--network=host")
	s := run(t, newDriver(t, swarm.Config{Host: c.Host, Service: name}))
	o := s.running(1)
	if want := "http://" + net.JoinHostPort(docker.NodeAddress, "9000"); o.Instances[0].Endpoint != want {
		t.Errorf("it is at %s, not %s", o.Instances[0].Endpoint, want)
	}
	says(t, o, "one")
}

func measuresProcessorAndMemory(t *testing.T, c *cluster) {
	name := c.service(t, onHost, "--limit-memory=64m", "--limit-cpu=0.5")
	d := newDriver(t, swarm.Config{Host: c.Host, Service: name})
	s := run(t, d)
	id := s.running(1).Instances[0].ID
	first := usage(t, d, id)
	if first.CPUPercent >= 0 {
		t.Errorf("with one measurement the processor is told as %g %%", first.CPUPercent)
	}
	u := usage(t, d, id)
	if u.CPUPercent < 0 || u.CPUPercent > 100 || u.MemoryPercent <= 0.1 || u.MemoryPercent > 100 || !u.At.After(first.At) {
		t.Errorf("it is measured as %+v, then %+v", first, u)
	}
}

func usage(t *testing.T, d *swarm.Driver, id string) platform.Usage {
	t.Helper()
	all, err := d.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, ok := all[id]
	if !ok {
		t.Fatalf("%s is not among %v", id, all)
	}
	return u
}

func saysWhatIsInTheWay(t *testing.T, c *cluster) {
	c.create(t, "everywhere", onHost, "--mode=global", "function")
	c.create(t, "mesh", "--publish=target=9000", "function")
	for _, x := range []struct{ service, host, says string }{
		{"everywhere", c.Host, "service everywhere runs in mode global, whose number of tasks cannot be set: create it with --mode replicated"},
		{"mesh", c.Host, "publish their port with --publish mode=host,target=9000"},
		{"none", c.Host, "there is no such service as none in the swarm of " + c.Host + ": `docker service ls` shows those there are"},
		{"none", "unix:///nowhere/docker.sock", "the Docker Engine at unix:///nowhere/docker.sock does not answer, is it running there?"},
		{"none", "tcp://127.0.0.1:1", "the Docker Engine at tcp://127.0.0.1:1 does not answer, is it running there?"},
	} {
		d := newDriver(t, swarm.Config{Host: x.host, Service: x.service})
		run(t, d).fails(x.says)
		err := d.Scale(t.Context(), platform.Order{Instances: 2})
		if err == nil || !strings.Contains(err.Error(), x.says) {
			t.Errorf("to scale %s of %s ends with %v", x.service, x.host, err)
		}
		if errors.Is(err, platform.ErrGone) != (x.host == c.Host && x.service == "none") {
			t.Errorf("whether %s is gone: %v", x.service, err)
		}
	}
}

// call asks the engine past every client, which would change what it is sent.
func (c *cluster) call(t *testing.T, method, path, body string) []byte {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", strings.TrimPrefix(c.Host, "unix://"))
	}}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://docker/v1.41"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= http.StatusBadRequest {
		t.Fatalf("%s %s: %s %s %v", method, path, res.Status, text, err)
	}
	return text
}

func (c *cluster) spec(t *testing.T, name string) string {
	t.Helper()
	var s struct{ Spec json.RawMessage }
	if err := json.Unmarshal(c.call(t, http.MethodGet, "/services/"+name, ""), &s); err != nil {
		t.Fatal(err)
	}
	return string(s.Spec)
}

func scale(t *testing.T, d *swarm.Driver, n int) {
	t.Helper()
	if err := d.Scale(t.Context(), platform.Order{Instances: n}); err != nil {
		t.Fatal(err)
	}
}

func says(t *testing.T, o platform.Observation, want string) {
	t.Helper()
	for _, i := range o.Instances {
		if text := answer(t, i.Endpoint); text != want {
			t.Errorf("%s says %q, not %q", i.ID, text, want)
		}
	}
}
