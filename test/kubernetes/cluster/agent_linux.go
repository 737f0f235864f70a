package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/klog/v2"
)

const nodeName = "node-1"

var podResource = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// agent runs pods.
type agent struct {
	cluster *Cluster
	end     func()
	work    sync.WaitGroup

	mu       sync.Mutex
	pods     map[types.UID]*pod
	next     int               // where the search for a free address begins
	taken    map[int]bool      // last octets of addresses
	held     map[string]int    // namespaces in which nothing becomes ready
	programs map[string]string // paths of the programs that containers name
	images   map[string]*Image
}

// newAgent registers the node.
func newAgent(c *Cluster) (*agent, error) {
	// Pods that go end calls about them, which is no news.
	ctx, end := context.WithCancel(klog.NewContext(context.Background(), logr.Discard()))
	a := &agent{
		cluster: c, end: end, pods: map[types.UID]*pod{}, taken: map[int]bool{}, held: map[string]int{},
		programs: map[string]string{}, images: map[string]*Image{},
	}
	node := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": nodeName},
	}}
	nodes := schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	if _, err := c.Objects.Resource(nodes).Create(ctx, node, metav1.CreateOptions{}); err != nil {
		end()
		return nil, fmt.Errorf("register the node: %w", err)
	}
	a.work.Go(func() { a.follow(ctx) })
	return a, nil
}

// stop ends all pods at once.
func (a *agent) stop() {
	a.end()
	a.work.Wait()
}

// follow acts on each pod as it is and as it changes, through restarts of the
// API server too.
func (a *agent) follow(ctx context.Context) {
	for ctx.Err() == nil {
		if err := a.followOnce(ctx); err != nil && ctx.Err() == nil {
			wait(ctx, 100*time.Millisecond)
		}
	}
}

func (a *agent) followOnce(ctx context.Context) error {
	pods := a.cluster.Objects.Resource(podResource)
	all, err := pods.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	here := map[types.UID]bool{}
	for i := range all.Items {
		here[all.Items[i].GetUID()] = true
		a.see(ctx, &all.Items[i])
	}
	a.mu.Lock()
	for uid, p := range a.pods {
		if !here[uid] {
			p.cancel()
		}
	}
	a.mu.Unlock()
	w, err := pods.Watch(ctx, metav1.ListOptions{ResourceVersion: all.GetResourceVersion()})
	if err != nil {
		return err
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		o, ok := event.Object.(*unstructured.Unstructured)
		if !ok || event.Type == watch.Error {
			return nil
		}
		if event.Type == watch.Deleted {
			a.forget(o.GetUID())
			continue
		}
		a.see(ctx, o)
	}
	return nil
}

func (a *agent) forget(uid types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.pods[uid]; p != nil {
		p.cancel()
	}
}

// see binds a pod that has no node, starts one that is new, and tells one that
// is to go.
func (a *agent) see(ctx context.Context, o *unstructured.Unstructured) {
	node, _, _ := unstructured.NestedString(o.Object, "spec", "nodeName")
	if node == "" {
		a.bind(ctx, o)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.pods[o.GetUID()]
	if p == nil {
		p = a.begin(ctx, o)
	}
	if p != nil && o.GetDeletionTimestamp() != nil {
		p.delete(o)
	}
}

func (a *agent) bind(ctx context.Context, o *unstructured.Unstructured) {
	if o.GetDeletionTimestamp() != nil {
		return
	}
	binding := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Binding", "metadata": map[string]any{"name": o.GetName(), "namespace": o.GetNamespace()},
		"target": map[string]any{"apiVersion": "v1", "kind": "Node", "name": nodeName},
	}}
	// A failure shows as a pod that never starts; a list after the next watch tries again.
	_, _ = a.cluster.Objects.Resource(podResource).Namespace(o.GetNamespace()).Create(ctx, binding, metav1.CreateOptions{}, "binding")
}

// begin starts to run a pod. a.mu is held.
func (a *agent) begin(ctx context.Context, o *unstructured.Unstructured) *pod {
	var spec podSpec
	body, err := json.Marshal(o.Object["spec"])
	if err != nil || json.Unmarshal(body, &spec) != nil || len(spec.Containers) == 0 {
		return nil
	}
	octet := a.address()
	p := &pod{
		agent: a, name: o.GetName(), namespace: o.GetNamespace(), uid: o.GetUID(), labels: o.GetLabels(), spec: spec,
		ip: fmt.Sprintf("%s.%d", a.cluster.net, octet), started: time.Now(), deleted: make(chan struct{}),
	}
	ctx, p.cancel = context.WithCancel(ctx)
	a.pods[p.uid] = p
	a.work.Go(func() {
		p.run(ctx)
		p.cancel()
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.taken, octet)
		delete(a.pods, p.uid)
	})
	return p
}

// address takes the address that was free the longest.
func (a *agent) address() int {
	for range 110 {
		octet := 10 + a.next%110
		a.next++
		if !a.taken[octet] {
			a.taken[octet] = true
			return octet
		}
	}
	panic("more than 110 pods")
}

func (a *agent) isHeld(namespace string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.held[namespace] > 0
}

func (a *agent) program(name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.programs[name]
}

func (a *agent) image(name string) *Image {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.images[name]
}

// running lists the pods, for the metrics server.
func (a *agent) running() []*pod {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Collect(maps.Values(a.pods))
}

// Hold keeps pods of a namespace that are not ready yet from becoming so until
// release is called.
func (c *Cluster) Hold(namespace string) (release func()) {
	a := c.agent
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held[namespace]++
	return sync.OnceFunc(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.held[namespace]--
	})
}

// Program says which file is run where a container's command begins with name.
// What is not said is run as is.
func (c *Cluster) Program(name, path string) {
	c.agent.mu.Lock()
	defer c.agent.mu.Unlock()
	c.agent.programs[name] = path
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
