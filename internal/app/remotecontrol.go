package app

import (
	"context"
	"fmt"
	"time"

	"holdfast/internal/admin"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/platform"
)

// rests says why the scaler leaves a function alone now; empty: it does not.
func (r *remote) rests() string {
	o, trouble, ok := r.current(time.Now())
	where := r.where()
	switch {
	case !ok:
		return "nothing is known of " + where + " now: " + trouble
	case o.Owner != "":
		return o.Owner + " sets the number of instances on " + where
	}
	return ""
}

func (r *remote) where() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at.Name()
}

// scalingOf is what an order for another number is bound by. The number is the
// platform's to remember: no order holds it.
func (o *orders) scalingOf(r *remote, f *config.Function) control.Scaling {
	out := control.Scaling{
		Platform: r.where(), Remembers: true, Wanted: r.desired(), Ready: o.ready(r.name),
		Min: f.Scaling.MinInstances, Max: f.Scaling.MaxInstances, ReadyIn: f.Platform.ReadyTimeout().Std(),
	}
	out.Configured, out.Unordered = out.Wanted, out.Wanted
	present := 0
	for _, i := range r.list() {
		if staying(&i) {
			present++
		}
		if i.State == platform.CrashLoop {
			out.Trouble = i.ID + ": " + i.Reason
		}
	}
	if present > out.Wanted {
		out.Ready = present // they are still going
	}
	if why := r.failed(); why != "" {
		out.Trouble = why
	}
	return out
}

// failed says why the last order was not taken; empty: it was.
func (r *remote) failed() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure == nil {
		return ""
	}
	return fmt.Sprintf("%s did not take the order for %d instances: %s", r.at.Name(), r.failure.instances, r.failure.reason)
}

// Order implements control.Runtime.
func (o *orders) Order(function string, n int) error {
	r := o.app.remotes.find(function)
	if r == nil {
		return fmt.Errorf("scale %s: %w", function, platform.ErrUnsupported)
	}
	r.forgive()
	return r.scale(n)
}

// forgive forgets a failure: whoever orders wants to hear of this order alone.
func (r *remote) forgive() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failure = nil
}

// Rollback implements control.Runtime.
func (o *orders) Rollback(ctx context.Context, function string) (from string, err error) {
	r := o.app.remotes.find(function)
	if r == nil {
		return "", fmt.Errorf("roll back %s: %w", function, platform.ErrUnsupported)
	}
	seen, trouble, ok := r.current(time.Now())
	d := r.driver()
	if !ok || d == nil {
		return "", fmt.Errorf("nothing is known of %s now: %s", r.where(), trouble)
	}
	return seen.Version, d.Rollback(ctx)
}

// driver is the one at work, or nil.
func (r *remote) driver() platform.Driver {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watch == nil {
		return nil
	}
	return r.watch.driver
}

// platformOf tells the admin interface about a function's platform.
func (a *App) platformOf(function string) (admin.PlatformStatus, bool) {
	f := a.config.Load().Functions[function]
	if f == nil || f.Platform.Name() == "" {
		return admin.PlatformStatus{}, false
	}
	v := admin.PlatformStatus{Name: f.Platform.Name()}
	r := a.remotes.find(function)
	if r == nil {
		v.Desired = a.orders.Scaling(function).Wanted
		if g := a.processes.find(function); g != nil {
			g.boots(&v)
		}
		return v, true
	}
	o, trouble, _ := r.current(time.Now())
	v.Desired, v.Version, v.Deploying, v.Owner, v.Trouble, v.SeenAt = r.desired(), o.Version, o.Deploying, o.Owner, trouble, o.At
	v.Failure, v.BootMS = r.failed(), 1000*o.Boot.Seconds()
	return v, true
}
