package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"holdfast/internal/platform"
)

// Driver looks after one service. It is safe for concurrent use.
type Driver struct {
	cfg     Config
	target  target
	cluster *cluster

	mu       sync.Mutex
	resource schema.GroupVersionResource // of the target; empty: not resolved yet
	selector string                      // of its pods, as last seen
	pods     *followed[pod]              // while Run runs
	order    *order                      // the last that was taken
	ordering int                         // orders under way
	unasked  time.Time                   // metrics are not asked for before
}

// order is a number of replicas that this driver wrote, and when the API had
// taken it.
type order struct {
	replicas int
	at       time.Time
	changed  time.Time // when somebody was first seen to have changed it; zero: nobody
}

var _ platform.Driver = (*Driver)(nil)

// New prepares a driver. It reads the kubeconfig and asks the cluster nothing,
// so that one which cannot be reached now does not keep Holdfast from starting.
func New(cfg Config) (*Driver, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	t, err := parseTarget(cfg.Target)
	if err != nil {
		return nil, err
	}
	connection, namespace, err := cfg.connect()
	if err != nil {
		return nil, err
	}
	c, err := newCluster(connection, namespace)
	if err != nil {
		return nil, err
	}
	d := &Driver{cfg: cfg, target: t, cluster: c}
	switch t.kind {
	case deployment:
		d.resource = apps("deployments")
	case statefulSet:
		d.resource = apps("statefulsets")
	case replicaSet:
		d.resource = apps("replicasets")
	case other: // asked for when it is needed
	}
	return d, nil
}

// Capabilities says what can be done with the target's kind. Metrics are there
// if the cluster has a metrics server, which Metrics finds out.
func (d *Driver) Capabilities() platform.Capabilities {
	k := d.target.kind
	return platform.Capabilities{
		Scale: true, Pause: true, Metrics: true, BootEstimate: true,
		PickVictim: k == deployment || k == replicaSet,
		Rollback:   k == deployment || k == statefulSet,
	}
}

// targetResource is the API resource of the target.
func (d *Driver) targetResource(ctx context.Context) (schema.GroupVersionResource, error) {
	d.mu.Lock()
	known := d.resource
	d.mu.Unlock()
	if known.Resource != "" {
		return known, nil
	}
	found, err := d.cluster.resolve(ctx, d.target)
	if err != nil {
		return found, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.resource = found
	return found, nil
}

// scale is a scale subresource that was read.
type scale struct {
	object   *unstructured.Unstructured
	replicas int
	selector string
	asked    time.Time // the number is at least as new as this
}

// readScale reads the target's scale subresource: the number, whatever the kind
// calls it.
func (d *Driver) readScale(ctx context.Context) (scale, error) {
	resource, err := d.targetResource(ctx)
	if err != nil {
		return scale{}, err
	}
	ctx, stop := context.WithTimeout(ctx, callTimeout)
	defer stop()
	s := scale{asked: time.Now()}
	s.object, err = d.cluster.of(resource).Get(ctx, d.target.name, metav1.GetOptions{}, scaleSub)
	if err != nil {
		return s, d.gone(err, call{verb: "get", resource: resource, name: d.target.name, sub: scaleSub})
	}
	replicas, _, err := unstructured.NestedInt64(s.object.Object, "spec", "replicas")
	if err != nil {
		return s, fmt.Errorf("read the scale of %s: %w", d.target, err)
	}
	s.replicas = int(replicas)
	s.selector, _, err = unstructured.NestedString(s.object.Object, "status", "selector")
	if err != nil {
		return s, fmt.Errorf("read the scale of %s: %w", d.target, err)
	}
	return s, nil
}

var errNoSelector = errors.New("it tells no selector in its scale subresource, so that its pods cannot be found")

// podSelector is the selector of the target's pods.
func (d *Driver) podSelector(ctx context.Context) (string, error) {
	d.mu.Lock()
	known := d.selector
	d.mu.Unlock()
	if known != "" {
		return known, nil
	}
	s, err := d.readScale(ctx)
	if err != nil {
		return "", err
	}
	if s.selector == "" {
		return "", fmt.Errorf("read %s: %w", d.target, errNoSelector)
	}
	return s.selector, nil
}
