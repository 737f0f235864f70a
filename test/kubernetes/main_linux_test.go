package kubernetes

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/internal/platform"
	driver "holdfast/internal/platform/kubernetes"
	"holdfast/test/kubernetes/cluster"
)

func TestMain(m *testing.M) {
	if version := os.Getenv("TEST_POD"); version != "" {
		os.Exit(playPod(version))
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // most of these tests is waiting
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	cluster.End()
	if code == 0 {
		if err := goleak.Find(
			goleak.IgnoreAnyFunction("net/http.(*http2ClientConn).readLoop"), // client-go keeps connections for good
			goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*clientConnReadLoop).run"),
		); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// playPod is what the container "web" runs: a server that answers with its
// name, after the time that ?slow= says. Version "crash" ends at once.
func playPod(version string) int {
	if version == "crash" {
		return 3
	}
	server := &http.Server{Addr: net.JoinHostPort(os.Getenv("POD_IP"), "8080"), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slow, err := time.ParseDuration(r.FormValue("slow")); err == nil {
			time.Sleep(slow)
		}
		fmt.Fprintln(w, os.Getenv("HOSTNAME"), version)
	})}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	over := make(chan struct{})
	go func() {
		defer close(over)
		<-ctx.Done()
		_ = server.Shutdown(context.WithoutCancel(ctx))
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	<-over
	return 0
}

// patience is how long one thing may take on a busy machine.
const patience = 2 * time.Minute

const webManifest = `
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec:
  selector: {app: NAME}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: apps/v1
kind: KIND
metadata: {name: NAME}
spec:
  replicas: 1
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      terminationGracePeriodSeconds: 5
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: web
          image: IMAGE
          command: [web]
          env:
            - {name: TEST_POD, value: "VERSION"}
            - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /, port: http}}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 1Gi}}
`

// web is a Deployment or StatefulSet with its Service, in a namespace of its own.
type web struct {
	c               *cluster.Cluster
	kind            string
	namespace, name string
}

func newWeb(t *testing.T, kind string) *web {
	t.Helper()
	c := cluster.Shared(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c.Program("web", self)
	w := &web{c: c, kind: kind, namespace: c.Namespace(t), name: "web"}
	w.apply(t, "v1", "web")
	return w
}

// apply applies the manifests, with as many replicas as there are.
func (w *web) apply(t *testing.T, version, image string) {
	t.Helper()
	text := strings.NewReplacer("KIND", w.kind, "NAME", w.name, "VERSION", version, "IMAGE", image).Replace(webManifest)
	if version != "v1" || image != "web" {
		text = strings.Replace(text, "  replicas: 1\n", "", 1)
	}
	if w.kind == "StatefulSet" {
		text = strings.Replace(text, "  template:", "  serviceName: "+w.name+"\n  podManagementPolicy: Parallel\n  template:", 1)
	}
	w.c.Apply(t, w.namespace, text)
}

func (w *web) config() driver.Config {
	return driver.Config{
		Kubeconfig: w.c.Kubeconfig, Namespace: w.namespace, Target: strings.ToLower(w.kind) + "/" + w.name, Service: w.name, Port: "http",
	}
}

func newDriver(t *testing.T, cfg driver.Config) *driver.Driver {
	t.Helper()
	d, err := driver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// told is one thing that a driver told.
type told struct {
	o   platform.Observation
	err error
}

// follow runs a driver until the test ends; the channel has everything it
// tells.
func follow(t *testing.T, d *driver.Driver) <-chan told {
	t.Helper()
	tells := make(chan told, 10_000)
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = d.Run(ctx, func(o platform.Observation, err error) { tells <- told{o, err} })
	}()
	t.Cleanup(func() {
		cancel()
		<-over
	})
	return tells
}

// await waits until something is told that is as wanted.
func await(t *testing.T, tells <-chan told, what string, ok func(told) bool) told {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	var last told
	for {
		select {
		case last = <-tells:
			if ok(last) {
				return last
			}
		case <-limit.C:
			t.Fatalf("waited two minutes until %s; told last: %+v, %v\n%s", what, last.o, last.err, cluster.Shared(t).Log())
		}
	}
}

// runs: exactly n instances run.
func runs(n int) func(told) bool {
	return func(x told) bool {
		if x.err != nil || x.o.Desired != n || len(x.o.Instances) != n {
			return false
		}
		for _, i := range x.o.Instances {
			if i.State != platform.Running {
				return false
			}
		}
		return true
	}
}

func ids(o platform.Observation) []string {
	var out []string
	for _, i := range o.Instances {
		out = append(out, i.ID)
	}
	return out
}
