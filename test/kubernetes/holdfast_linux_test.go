package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"holdfast/test/holdfast"
)

const configuration = `
log: {access: off}
functions:
  web:
    routes: [{path: /}]
    retry: {attempts: 1}
    platform:
      kubernetes: {kubeconfig: %q, namespace: %s, target: deployment/web, service: web, port: http}
`

// TestOrdersMovePodsAndNoRequestFails: the real binary, with a load that does
// not pause while instances come and go. There are no retries, which would hide
// requests to instances that are gone.
func TestOrdersMovePodsAndNoRequestFails(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "Deployment")
	path := filepath.Join(t.TempDir(), "holdfast.yaml")
	file(t, path, fmt.Sprintf(configuration, w.c.Kubeconfig, w.namespace))
	p := holdfast.Up(t, "-c", path)
	p.Ready(t, patience)
	w.answerFrom(t, p, 1)

	load := newLoad(t, p.Gateway+"/")
	w.scale(t, p, 3)
	w.answerFrom(t, p, 3)
	w.scale(t, p, 1)
	w.answerFrom(t, p, 1)
	asked, failed := load.stop()
	if failed != "" || asked < 100 {
		t.Errorf("of %d requests failed: %s", asked, failed)
	}
}

// TestAnOrderRollsTheVersionBack is also what testdata/script cannot show, which
// has no cluster.
func TestAnOrderRollsTheVersionBack(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "Deployment")
	path := filepath.Join(t.TempDir(), "holdfast.yaml")
	file(t, path, fmt.Sprintf(configuration, w.c.Kubeconfig, w.namespace))
	p := holdfast.Up(t, "-c", path)
	p.Ready(t, patience)
	first, pod := w.template(t), w.answerFrom(t, p, 1)[0]
	w.apply(t, "v2", "web")
	w.c.Poll(t, "the second version alone takes traffic", func() bool { return w.answerFrom(t, p, 1)[0] != pod })
	if w.template(t) == first {
		t.Fatal("the second version is the first one")
	}
	out, err := holdfast.Command(t.Context(), t, "function", "rollback", "web", "--reason", "twice as slow", "-o", "json", "--data-dir", p.Data).Output()
	var told struct {
		Function string `json:"function_name"`
		From     string `json:"from_version"`
		Reason   string `json:"reason"`
	}
	if err != nil || json.Unmarshal(out, &told) != nil || told.Function != "web" || told.From == "" || !strings.HasSuffix(told.Reason, ": twice as slow") {
		t.Fatalf("function rollback: %v\n%s", err, out)
	}
	w.c.Poll(t, "the first version is asked for again", func() bool { return w.template(t) == first })
	w.answerFrom(t, p, 1)
}

// template is what the Deployment's pods are made of.
func (w *web) template(t *testing.T) string {
	t.Helper()
	o, err := w.c.Resource("Deployment", w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	template, _, _ := unstructured.NestedMap(o.Object, "spec", "template", "spec")
	text, err := json.Marshal(template)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// scale orders as a person does, and waits until Kubernetes has the number.
func (w *web) scale(t *testing.T, p *holdfast.Process, n int) {
	t.Helper()
	out, err := holdfast.Command(t.Context(), t, "function", "scale", "web", fmt.Sprint(n), "--data-dir", p.Data).CombinedOutput()
	if err != nil {
		t.Fatalf("function scale: %v\n%s", err, out)
	}
	w.c.Poll(t, fmt.Sprintf("%d replicas are ordered", n), func() bool {
		o, err := w.c.Resource("Deployment", w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		replicas, _, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
		return replicas == int64(n)
	})
}

// answerFrom waits until Holdfast takes exactly n instances for ready, and
// returns their ids.
func (w *web) answerFrom(t *testing.T, p *holdfast.Process, n int) []string {
	t.Helper()
	var ids []string
	w.c.Poll(t, fmt.Sprintf("%d instances take traffic", n), func() bool {
		var v struct {
			Instances []struct {
				ID     string
				Status string
			}
		}
		if err := p.API("/api/v1/instances?function=web", &v); err != nil {
			t.Fatal(err)
		}
		ids = nil
		for _, i := range v.Instances {
			if i.Status != "active" {
				return false
			}
			ids = append(ids, i.ID)
		}
		return len(ids) == n
	})
	return ids
}

// load is a few users that send one request after another.
type load struct {
	end    func()
	users  sync.WaitGroup
	asked  atomic.Int64
	failed atomic.Pointer[string]
}

func newLoad(t *testing.T, url string) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{end: cancel}
	t.Cleanup(func() { l.stop() })
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: patience}
	for range 4 {
		l.users.Go(func() {
			for ctx.Err() == nil {
				l.ask(client, url)
			}
		})
	}
	return l
}

func (l *load) ask(client *http.Client, url string) {
	l.asked.Add(1)
	r, err := client.Get(url)
	if err == nil {
		var text []byte
		text, err = io.ReadAll(r.Body)
		r.Body.Close()
		if err == nil && r.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", r.Status, text)
		}
	}
	if err != nil {
		text := err.Error()
		l.failed.CompareAndSwap(nil, &text)
	}
}

// stop ends the load and returns how many requests there were and how the first
// one failed; "" is that none did.
func (l *load) stop() (asked int64, failed string) {
	l.end()
	l.users.Wait()
	if text := l.failed.Load(); text != nil {
		failed = *text
	}
	return l.asked.Load(), failed
}
