package kubernetes

import (
	"context"
	"fmt"
	"strings"
	"time"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// reference is what an autoscaler says it scales.
type reference struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	APIVersion string `json:"apiVersion"`
}

type autoscaler struct {
	refers reference
	owner  string // what made it, as KIND NAME
}

func readAutoscaler(o *unstructured.Unstructured) (autoscaler, error) {
	raw, err := read[struct {
		Spec struct {
			ScaleTargetRef reference `json:"scaleTargetRef"`
		} `json:"spec"`
	}](o)
	a := autoscaler{refers: raw.Spec.ScaleTargetRef}
	for _, r := range o.GetOwnerReferences() {
		if r.Controller != nil && *r.Controller {
			a.owner = r.Kind + " " + r.Name
		}
	}
	return a, err
}

// autoscaler looks for an autoscaler of the platform that scales the target and
// names it; "" is none. KEDA need not be installed.
func (d *Driver) autoscaler(ctx context.Context) (string, error) {
	for _, k := range []struct {
		name     string
		resource schema.GroupVersionResource
		optional bool
	}{
		{"ScaledObject", schema.GroupVersionResource{Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"}, true},
		{"HorizontalPodAutoscaler", schema.GroupVersionResource{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"}, false},
	} {
		all, _, err := list(ctx, source{cluster: d.cluster, resource: k.resource}, readAutoscaler)
		if k.optional && kerrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("look for autoscalers: %w", err)
		}
		for _, name := range names(all) {
			if a := all[name]; d.target.is(a.refers) {
				return strings.TrimSuffix(fmt.Sprintf("%s %s of %s", k.name, name, a.owner), " of "), nil
			}
		}
	}
	return "", nil
}

// is reports whether r is the target. KEDA leaves out kind and API version for
// a Deployment.
func (t target) is(r reference) bool {
	if r.Name != t.name {
		return false
	}
	group, _, _ := strings.Cut(r.APIVersion, "/")
	word := strings.ToLower(r.Kind)
	if t.kind != other {
		return builtin[word] == t.kind && (r.APIVersion == "" || group == appsGroup) || r.Kind == "" && t.kind == deployment
	}
	return strings.HasPrefix(t.word, word) && group == t.group // rollouts, as a word for kind Rollout
}

// rivalFor is how long somebody who changed the number is left alone. After that
// Holdfast orders again; who resets it again is named again.
const rivalFor = 10 * time.Minute

// rival names who changed the number away from what this driver ordered; "" is
// nobody. What was read before an order was taken says nothing about it.
func (d *Driver) rival(s scale, t scaled) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.order
	if o == nil || d.ordering > 0 || s.asked.Before(o.at) {
		return ""
	}
	if s.replicas == o.replicas || t.writer == manager {
		o.changed = time.Time{}
		return ""
	}
	if o.changed.IsZero() {
		o.changed = s.asked
	}
	if s.asked.Sub(o.changed) > rivalFor {
		d.order = nil
		return ""
	}
	writer := t.writer
	if writer == "" {
		writer = "somebody"
	}
	return fmt.Sprintf("%s (set replicas to %d, Holdfast had ordered %d)", writer, s.replicas, o.replicas)
}
