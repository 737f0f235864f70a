package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"holdfast/internal/platform"
)

const (
	// attempts is how often an order is tried while others change the target,
	// with conflictWait, doubled, between.
	attempts     = 6
	conflictWait = 20 * time.Millisecond
)

// Scale is platform.Driver's. An order whose answer got lost is looked up: it
// is taken only if the API says so.
func (d *Driver) Scale(ctx context.Context, o platform.Order) error {
	if o.Instances < 0 || o.Instances > math.MaxInt32 {
		return fmt.Errorf("scale %s to %d: there is no such number of replicas", d.target, o.Instances)
	}
	ctx = quiet(ctx)
	owner, err := d.autoscaler(ctx)
	if err != nil {
		return fmt.Errorf("scale %s: %w", d.target, err)
	}
	if owner != "" {
		return fmt.Errorf("scale %s to %d: %w: %s; delete that, or leave scaling to it", d.target, o.Instances, platform.ErrOwned, owner)
	}
	d.begin()
	taken, err := d.scaleTo(ctx, o)
	d.end(o.Instances, taken)
	if err != nil {
		return fmt.Errorf("scale %s to %d: %w", d.target, o.Instances, err)
	}
	return nil
}

func (d *Driver) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ordering++
}

func (d *Driver) end(replicas int, taken bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ordering--
	if taken {
		d.order = &order{replicas: replicas, at: time.Now()}
	}
}

func (d *Driver) scaleTo(ctx context.Context, o platform.Order) (taken bool, err error) {
	var marked map[string]*string
	defer func() {
		if !taken {
			d.unmark(ctx, marked)
		}
	}()
	wait := conflictWait
	for n := range attempts {
		if n > 0 {
			pause(ctx, wait)
			wait *= 2
		}
		var s scale
		if s, err = d.readScale(ctx); err != nil {
			return false, err
		}
		if s.replicas == o.Instances {
			return true, nil
		}
		if s.replicas > o.Instances && marked == nil && d.Capabilities().PickVictim {
			if marked, err = d.mark(ctx, o.Victims); err != nil {
				return false, err
			}
		}
		if err = d.write(ctx, s, o.Instances); err == nil {
			return true, nil
		}
		if !kerrors.IsConflict(err) {
			return d.lookUp(ctx, o.Instances, err)
		}
	}
	return false, fmt.Errorf("%w, %d times in a row: %w", platform.ErrConflict, attempts, err)
}

// write puts a number into the scale subresource, unless the target changed
// since s was read.
func (d *Driver) write(ctx context.Context, s scale, replicas int) error {
	resource, err := d.targetResource(ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": s.object.GetResourceVersion()},
		"spec":     map[string]any{"replicas": replicas},
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, callTimeout)
	defer stop()
	_, err = d.cluster.of(resource).Patch(ctx, d.target.name, types.MergePatchType, body,
		metav1.PatchOptions{FieldManager: manager}, scaleSub)
	if err == nil || kerrors.IsConflict(err) {
		return err
	}
	return d.gone(err, call{verb: "patch", resource: resource, name: d.target.name, sub: scaleSub})
}

// lookUp decides about an order that failed for cause: an answer that did not
// come, or one of a proxy, leaves open what happened.
func (d *Driver) lookUp(ctx context.Context, replicas int, cause error) (taken bool, err error) {
	s, err := d.readScale(context.WithoutCancel(ctx))
	if err == nil && s.replicas == replicas {
		return true, nil
	}
	return false, cause
}

// mark makes the victims the first to go and returns what they cost before.
func (d *Driver) mark(ctx context.Context, victims []string) (map[string]*string, error) {
	before := map[string]*string{}
	lowest := strconv.Itoa(math.MinInt32)
	for _, name := range victims {
		cost := d.costOf(name)
		err := d.setCost(ctx, name, &lowest)
		if kerrors.IsNotFound(err) {
			continue // it went by itself
		}
		if err != nil {
			d.unmark(ctx, before)
			return nil, d.cluster.explain(err, call{verb: "patch", resource: pods(), name: name})
		}
		before[name] = cost
	}
	return before, nil
}

// unmark gives pods the cost back that they had. It is tried also when ctx has
// ended; where it does not work, the pod goes first at the next order, which is
// no harm worth an error beside that of the order.
func (d *Driver) unmark(ctx context.Context, before map[string]*string) {
	ctx = context.WithoutCancel(ctx)
	for _, name := range names(before) {
		_ = d.setCost(ctx, name, before[name])
	}
}

func (d *Driver) setCost(ctx context.Context, name string, cost *string) error {
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{costAnnotation: cost}},
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, callTimeout)
	defer stop()
	_, err = d.cluster.of(pods()).Patch(ctx, name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: manager})
	return err
}

// costOf is what is known of a pod's cost: nil, none.
func (d *Driver) costOf(name string) *string {
	d.mu.Lock()
	pods := d.pods
	d.mu.Unlock()
	if pods == nil {
		return nil
	}
	all, err := pods.all()
	if err != nil {
		return nil
	}
	return all[name].cost
}
