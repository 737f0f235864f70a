package kubernetes

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"holdfast/internal/platform"
	"holdfast/test/kubernetes/cluster"
)

// TestTheManifestsRunHoldfast applies deploy/kubernetes as it is. What the
// image holds runs in a root of its own, as the user, with the files and with
// the service account that the manifests say; the autoscaler there is the one
// that starts the second replica.
func TestTheManifestsRunHoldfast(t *testing.T) {
	t.Parallel()
	c := cluster.Shared(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c.Program("web", self)
	c.Image("holdfast", image(t))
	const namespace = "holdfast"
	for _, name := range kustomization(t) {
		for _, o := range documents(t, name) {
			body, err := json.Marshal(o.Object)
			if err != nil {
				t.Fatal(err)
			}
			c.Apply(t, namespace, string(body))
		}
		if name == "namespace.yaml" {
			c.Use(t, namespace)
			c.Apply(t, namespace, `{apiVersion: v1, kind: Secret, metadata: {name: holdfast-store}, stringData: {url: sqlite}}`)
		}
	}
	w := &web{c: c, kind: "Deployment", namespace: namespace, name: "hello"}
	w.apply(t, "v1", "web")

	cfg := w.config()
	cfg.Target, cfg.Service = "deployment/holdfast", "holdfast"
	tells := follow(t, newDriver(t, cfg))
	await(t, tells, "two replicas are there", func(x told) bool {
		if len(x.o.Instances) > 0 && x.o.Instances[0].State == platform.CrashLoop {
			t.Fatalf("Holdfast does not start:\n%s", c.PodLog(x.o.Instances[0].ID))
		}
		return len(x.o.Instances) == 2
	})
	two := await(t, tells, "two replicas are ready", runs(2)).o
	if two.Owner != "HorizontalPodAutoscaler holdfast" {
		t.Errorf("the owner of Holdfast's replicas is %q", two.Owner)
	}
	await(t, follow(t, newDriver(t, w.config())), "the function runs", runs(1))
	for _, i := range two.Instances {
		w.c.Poll(t, "a replica answers for the function", func() bool { return get(t, i.Endpoint+"/") })
	}
	c.Poll(t, "one replica may be disturbed", func() bool {
		budget, err := c.Resource("PodDisruptionBudget", namespace).Get(t.Context(), "holdfast", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		n, _, _ := unstructured.NestedInt64(budget.Object, "status", "disruptionsAllowed")
		return n == 1
	})
}

// get reports whether url answers with 200 and the name of a pod of hello.
func get(t *testing.T, url string) bool {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	r, err := (&http.Client{Transport: transport, Timeout: patience}).Get(url)
	if err != nil {
		t.Logf("%v", err)
		return false
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Logf("%s: %s %s %v", url, r.Status, text, err)
		return false
	}
	return strings.HasPrefix(string(text), "hello-")
}

// kustomization lists the files that kubectl apply -k applies: they are plain
// resources, in an order that works.
func kustomization(t *testing.T) []string {
	t.Helper()
	o := documents(t, "kustomization.yaml")[0]
	files, found, err := unstructured.NestedStringSlice(o.Object, "resources")
	if err != nil || !found {
		t.Fatalf("kustomization.yaml lists no resources: %v", err)
	}
	for key := range o.Object {
		if key != "apiVersion" && key != "kind" && key != "resources" {
			t.Errorf("kustomization.yaml has %s, which this test does not do", key)
		}
	}
	all, err := filepath.Glob(filepath.Join(manifests, "*.yaml"))
	if err != nil || len(all) != len(files)+1 {
		t.Errorf("kustomization.yaml lists %d of the %d files beside it", len(files), len(all)-1)
	}
	return files
}

// image prepares what the image is made of, by the script that makes it.
func image(t *testing.T) cluster.Image {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("../../scripts/image.sh", "test", "-s -w")
	cmd.Env = append(os.Environ(), "IMAGE_CONTEXT="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("prepare the image: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	i := cluster.Image{Program: filepath.Join(dir, "holdfast"), Path: "/holdfast"}
	_, env, ok := strings.Cut(string(text), "\nENV ")
	env, _, _ = strings.Cut(env, "\nEXPOSE")
	if !ok || !strings.Contains(string(text), `ENTRYPOINT ["/holdfast"]`) {
		t.Fatalf("the Dockerfile is not as this test reads it:\n%s", text)
	}
	i.Entrypoint, i.Env = []string{"/holdfast"}, strings.Fields(strings.ReplaceAll(env, "\\\n", " "))
	return i
}
