package gateway

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"holdfast/balancer"
)

// SetInstances makes a function's instances those of specs. An instance whose
// spec is the same stays as it is, with all that is known of it. Removed ones
// get no new exchanges; those under way finish. It returns the instances in
// the order of specs.
func (g *Gateway) SetInstances(function string, specs []balancer.Spec, now time.Time) ([]*balancer.Instance, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := (*g.functions.Load())[function]
	if f == nil {
		return nil, fmt.Errorf("set instances: no function %q", function)
	}
	known := map[string]*balancer.Instance{}
	for _, i := range f.Balancer().Instances() {
		known[i.ID()] = i
	}
	list := make([]*balancer.Instance, len(specs))
	for n, s := range specs {
		list[n] = keepOrMake(known[s.ID], s)
	}
	g.changeInstances(f, list, now)
	maps.DeleteFunc(known, func(_ string, i *balancer.Instance) bool { return slices.Contains(list, i) })
	g.forgetFailed(slices.Collect(maps.Values(known)))
	return list, nil
}

// forgetFailed lets go of instances that will not come back.
func (g *Gateway) forgetFailed(gone []*balancer.Instance) {
	for _, i := range gone {
		g.failed.Delete(i)
	}
}

// keepOrMake keeps an instance whose spec, defaults filled in, is the same.
func keepOrMake(old *balancer.Instance, s balancer.Spec) *balancer.Instance {
	fresh := balancer.NewInstance(s)
	if old != nil && old.Spec() == fresh.Spec() {
		return old
	}
	return fresh
}
