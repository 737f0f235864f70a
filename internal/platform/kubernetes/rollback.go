package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"holdfast/internal/platform"
)

// Rollback is platform.Driver's. Kubernetes has no call for it: the template
// becomes again what an earlier ReplicaSet or ControllerRevision holds, which
// makes that one the newest; a second Rollback therefore undoes the first.
func (d *Driver) Rollback(ctx context.Context) error {
	ctx = quiet(ctx)
	rollBack := map[kind]func(context.Context) error{deployment: d.rollBackDeployment, statefulSet: d.rollBackStatefulSet}[d.target.kind]
	if rollBack == nil {
		return fmt.Errorf("roll back %s: %w", d.target, platform.ErrUnsupported)
	}
	wait := conflictWait
	var err error
	for n := range attempts {
		if n > 0 {
			pause(ctx, wait)
			wait *= 2
		}
		if err = rollBack(ctx); !errors.Is(err, platform.ErrConflict) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("roll back %s: %w", d.target, err)
	}
	return nil
}

func (d *Driver) rollBackDeployment(ctx context.Context) error {
	o, err := d.readTarget(ctx)
	if err != nil {
		return err
	}
	if paused, _, _ := unstructured.NestedBool(o.Object, "spec", "paused"); paused {
		return errors.New("its rollouts are paused, nothing would happen: kubectl rollout resume")
	}
	all, err := d.versions(ctx, apps("replicasets"), o)
	if err != nil {
		return err
	}
	before, err := earlier(all, func(rs *unstructured.Unstructured) bool {
		return rs.GetAnnotations()[revisionAnnotation] == o.GetAnnotations()[revisionAnnotation]
	}, annotated)
	if err != nil {
		return err
	}
	template, _, err := unstructured.NestedMap(before.Object, "spec", "template")
	if err != nil {
		return fmt.Errorf("read the template of ReplicaSet %s: %w", before.GetName(), err)
	}
	unstructured.RemoveNestedField(template, "metadata", "labels", templateHash)
	return d.patch(ctx, types.JSONPatchType, []map[string]any{
		{"op": "replace", "path": "/metadata/resourceVersion", "value": o.GetResourceVersion()},
		{"op": "replace", "path": "/spec/template", "value": template},
	})
}

func (d *Driver) rollBackStatefulSet(ctx context.Context) error {
	o, err := d.readTarget(ctx)
	if err != nil {
		return err
	}
	update, _, err := unstructured.NestedString(o.Object, "status", "updateRevision")
	if err != nil {
		return fmt.Errorf("read its status: %w", err)
	}
	all, err := d.versions(ctx, apps("controllerrevisions"), o)
	if err != nil {
		return err
	}
	before, err := earlier(all, func(r *unstructured.Unstructured) bool { return r.GetName() == update }, numbered)
	if err != nil {
		return err
	}
	patch, _, err := unstructured.NestedMap(before.Object, "data") // a patch that replaces the template
	if err != nil {
		return fmt.Errorf("read ControllerRevision %s: %w", before.GetName(), err)
	}
	patch["metadata"] = map[string]any{"resourceVersion": o.GetResourceVersion()}
	return d.patch(ctx, types.StrategicMergePatchType, patch)
}

// annotated and numbered are the revisions of ReplicaSets and of
// ControllerRevisions; 0: none.
func annotated(rs *unstructured.Unstructured) int64 {
	n, _ := strconv.ParseInt(rs.GetAnnotations()[revisionAnnotation], 10, 64)
	return n
}

func numbered(r *unstructured.Unstructured) int64 {
	n, _, _ := unstructured.NestedInt64(r.Object, "revision")
	return n
}

func (d *Driver) readTarget(ctx context.Context) (*unstructured.Unstructured, error) {
	resource, err := d.targetResource(ctx)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(ctx, callTimeout)
	defer stop()
	o, err := d.cluster.of(resource).Get(ctx, d.target.name, metav1.GetOptions{})
	if err != nil {
		return nil, d.gone(err, call{verb: "get", resource: resource, name: d.target.name})
	}
	return o, nil
}

// versions lists the objects that the platform keeps of the target's versions.
func (d *Driver) versions(ctx context.Context, resource schema.GroupVersionResource, of *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	selector, err := d.podSelector(ctx)
	if err != nil {
		return nil, err
	}
	whole := func(o *unstructured.Unstructured) (*unstructured.Unstructured, error) { return o, nil }
	all, _, err := list(ctx, source{cluster: d.cluster, resource: resource, labels: selector}, whole)
	if err != nil {
		return nil, err
	}
	var own []*unstructured.Unstructured
	for _, name := range names(all) {
		if metav1.IsControlledBy(all[name], of) {
			own = append(own, all[name])
		}
	}
	return own, nil
}

// earlier finds the version with the highest revision below that of the
// current one.
func earlier(all []*unstructured.Unstructured, current func(*unstructured.Unstructured) bool, revision func(*unstructured.Unstructured) int64) (*unstructured.Unstructured, error) {
	at := slices.IndexFunc(all, current)
	if at < 0 {
		return nil, fmt.Errorf("%w: the platform has not taken in the present one yet", platform.ErrNoEarlier)
	}
	now := revision(all[at])
	var best *unstructured.Unstructured
	for _, o := range all {
		if n := revision(o); n < now && (best == nil || n > revision(best)) {
			best = o
		}
	}
	if best == nil {
		return nil, fmt.Errorf("%w: nothing ran before it, or revisionHistoryLimit is 0", platform.ErrNoEarlier)
	}
	return best, nil
}

func (d *Driver) patch(ctx context.Context, kind types.PatchType, patch any) error {
	resource, err := d.targetResource(ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, callTimeout)
	defer stop()
	_, err = d.cluster.of(resource).Patch(ctx, d.target.name, kind, body, metav1.PatchOptions{FieldManager: manager})
	if kerrors.IsConflict(err) {
		return fmt.Errorf("%w: %w", platform.ErrConflict, err)
	}
	if err != nil {
		return d.gone(err, call{verb: "patch", resource: resource, name: d.target.name})
	}
	return nil
}
