package kubernetes

import (
	"context"
	"fmt"
	"time"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"holdfast/internal/platform"
)

// askAgain is how long a cluster without a metrics server is not asked again.
const askAgain = 5 * time.Minute

// sample is what the metrics server says of a pod.
type sample struct {
	at   time.Time
	uses usable
}

func readSample(o *unstructured.Unstructured) (sample, error) {
	raw, err := read[struct {
		Timestamp  time.Time `json:"timestamp"`
		Containers []struct {
			Usage map[string]string `json:"usage"`
		} `json:"containers"`
	}](o)
	s := sample{at: raw.Timestamp}
	for _, c := range raw.Containers {
		s.uses.cpu += quantity(c.Usage["cpu"])
		s.uses.memory += quantity(c.Usage["memory"])
	}
	return s, err
}

// Metrics is platform.Driver's: the metrics server's samples (15 to 60 s old)
// against limits, or requests where a container has no limit. A cluster without
// a metrics server is ErrUnsupported once; for a while nothing is known then.
func (d *Driver) Metrics(ctx context.Context) (map[string]platform.Usage, error) {
	ctx = quiet(ctx)
	if d.notYet(time.Now()) {
		return map[string]platform.Usage{}, nil
	}
	selector, err := d.podSelector(ctx)
	if err != nil {
		return nil, err
	}
	resource := schema.GroupVersionResource{Group: "metrics.k8s.io", Version: "v1beta1", Resource: "pods"}
	samples, _, err := list(ctx, source{cluster: d.cluster, resource: resource, labels: selector}, readSample)
	if kerrors.IsNotFound(err) {
		d.askLater(time.Now())
		return nil, fmt.Errorf("measure %s: %w: the cluster serves no metrics.k8s.io, install metrics-server", d.target, platform.ErrUnsupported)
	}
	if err != nil {
		return nil, err
	}
	pods, err := d.knownPods(ctx, selector)
	if err != nil {
		return nil, err
	}
	out := make(map[string]platform.Usage, len(samples))
	for name, s := range samples {
		p, ok := pods[name]
		if ok {
			out[name] = platform.Usage{CPUPercent: percent(s.uses.cpu, p.may.cpu), MemoryPercent: percent(s.uses.memory, p.may.memory), At: s.at}
		}
	}
	return out, nil
}

func percent(used, may float64) float64 {
	if may <= 0 {
		return -1
	}
	return 100 * used / may
}

func (d *Driver) notYet(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return now.Before(d.unasked)
}

func (d *Driver) askLater(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unasked = now.Add(askAgain)
}

// knownPods are those Run follows, or a list where it does not run.
func (d *Driver) knownPods(ctx context.Context, selector string) (map[string]pod, error) {
	d.mu.Lock()
	followed := d.pods
	d.mu.Unlock()
	if followed != nil {
		if all, err := followed.all(); err != nil || all != nil {
			return all, err
		}
	}
	all, _, err := list(ctx, source{cluster: d.cluster, resource: pods(), labels: selector}, readPod)
	return all, err
}
