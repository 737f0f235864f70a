package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"holdfast/internal/admin"
	"holdfast/internal/event"
	"holdfast/internal/store"
)

// lookAtRunning asks a running Holdfast how it is.
func (d *doctor) lookAtRunning(ctx context.Context) {
	client := newClient(d.g)
	var own admin.OwnHealth
	if err := client.get(ctx, "health", &own); err != nil {
		if d.g.url != "" {
			d.add(problem, "holdfast", err.Error(), "check the address, the token and the certificate (--ca-file)", "api.md#from-another-machine")
			return
		}
		d.ok("holdfast", "none is running with the data directory %s", d.g.dataDirOf())
		return
	}
	d.running = true
	d.ok("holdfast", "version %s, pid %d, up %s, %d MiB, %d goroutines", own.Version, own.PID,
		(time.Duration(own.UptimeSeconds) * time.Second).String(), own.RSSBytes>>20, own.Goroutines)
	d.ownStore(own.Store)
	for _, u := range own.Unfit {
		d.add(problem, "override", u.Path+" does not fit the configuration any more and is not in force: "+u.Problem, "holdfast config unset "+u.Path+", or change the file and reload", "api.md#change-the-configuration-of-a-function")
	}
	var functions admin.Functions
	if err := client.get(ctx, "functions", &functions); err != nil {
		d.add(problem, "functions", err.Error(), "holdfast status", "troubleshooting.md")
		return
	}
	var instances admin.Instances
	if err := client.get(ctx, "instances", &instances); err != nil {
		d.add(problem, "instances", err.Error(), "holdfast instances", "troubleshooting.md")
		return
	}
	for i := range functions.Functions {
		d.function(&functions.Functions[i], instances.Instances)
	}
	for i := range instances.Instances {
		d.instance(&instances.Instances[i])
	}
	d.restless(ctx, client)
	d.scaling(ctx, client)
}

func (d *doctor) ownStore(h *admin.StoreHealth) {
	const page = "troubleshooting.md#the-store-is-down"
	if h == nil {
		return
	}
	var lost uint64
	for _, n := range h.Dropped {
		lost += n
	}
	if h.State == "down" {
		d.add(problem, "store", fmt.Sprintf("down since %s: %s; %d facts wait on the disk, orders are refused", h.Since.Local().Format(time.DateTime), h.Reason, h.Spooled-h.InMemory),
			"mend the store; Holdfast goes on by itself", page)
	}
	switch {
	case h.SpoolReason != "":
		d.add(problem, "store", fmt.Sprintf("the disk takes no records: %s; %d facts are in memory only", h.SpoolReason, h.InMemory),
			"free some space in the data directory", page)
	case h.State != "down":
		d.ok("store", "%s, %d facts wait for it", h.State, h.Queued+h.Spooled)
	}
	if lost > 0 {
		d.add(warning, "store", fmt.Sprintf("%d facts were lost because a bound was reached", lost), "an outage lasted longer than the spool is large", page)
	}
}

func (d *doctor) function(f *admin.RecoveryStatus, instances []admin.Instance) {
	switch {
	case f.Stopped:
		d.add(warning, "function "+f.Name, "monitoring is stopped: nothing is checked, ejected or retried", "holdfast function start "+f.Name, "troubleshooting.md#nothing-heals")
	case !f.Enabled:
		d.add(warning, "function "+f.Name, "it is disabled: recovery and scaling rest", "holdfast function init "+f.Name, "troubleshooting.md#nothing-heals")
	}
	switch {
	case f.Breaker == "open" && f.BreakerNextAttempt.IsZero():
		d.add(problem, "breaker of "+f.Name, "somebody forced it open: every request is refused", "holdfast explain breaker "+f.Name+"; holdfast function reset-breaker "+f.Name, "troubleshooting.md#a-breaker-is-stuck-open")
	case f.Breaker == "open":
		d.add(problem, "breaker of "+f.Name, "open: requests are refused until its next attempt at "+f.BreakerNextAttempt.Local().Format(time.TimeOnly), "holdfast explain breaker "+f.Name+" says why; holdfast function reset-breaker "+f.Name+" closes it now", "troubleshooting.md#a-breaker-is-stuck-open")
	}
	d.platform(f.Name, f.Platform)
	if f.Instances.Available == 0 && !f.AtZero {
		d.add(problem, "function "+f.Name, fmt.Sprintf("none of its %d instances takes traffic", f.Instances.Total), "holdfast instances "+f.Name, "troubleshooting.md#health-checks-fail")
	}
	if f.Instances.Total == 1 {
		d.add(warning, "function "+f.Name, "it has a single instance: nobody takes over for it", "add one: holdfast function scale "+f.Name+" up, or another entry in instances", "troubleshooting.md#load-balancing-issues")
	}
	d.balance(f, instances)
}

// platform says why a platform is not asked or does not follow; p is nil where
// instances are listed.
func (d *doctor) platform(function string, p *admin.PlatformStatus) {
	if p == nil {
		return
	}
	const page = "troubleshooting.md#a-platform-does-not-do-what-it-should"
	if p.Trouble != "" {
		d.add(problem, "platform of "+function, "nothing is known of "+p.Name+": "+p.Trouble, "look at the platform and at functions."+function+".platform; instances stay as they were last seen", page)
	}
	if p.Owner != "" {
		d.add(warning, "platform of "+function, p.Owner+" sets the number of instances too, so Holdfast does not", "remove one of the two", page)
	}
	if p.Failure != "" {
		d.add(problem, "platform of "+function, p.Failure, "holdfast explain scaling "+function, page)
	}
}

const (
	enoughPicks = 200 // before shares mean anything
	tilted      = 3.0 // times its fair share
)

// balance finds an instance that gets far more than its weight asks for. Spare
// ones, of a higher priority number, are meant to wait.
func (d *doctor) balance(f *admin.RecoveryStatus, instances []admin.Instance) {
	var level []*admin.Instance
	for n := range instances {
		i := &instances[n]
		if i.Function != f.Name || i.Status != "active" {
			continue
		}
		if len(level) > 0 && i.Priority < level[0].Priority {
			level = level[:0]
		}
		if len(level) == 0 || i.Priority == level[0].Priority {
			level = append(level, i)
		}
	}
	weights, picks := 0.0, uint64(0)
	for _, i := range level {
		weights += i.EffectiveWeight
		picks += i.Picks
	}
	if len(level) < 2 || picks < enoughPicks || weights == 0 {
		return
	}
	for _, i := range level {
		fair := 100 * i.EffectiveWeight / weights
		if i.SharePercent < min(tilted*fair, 90) || i.SharePercent <= fair {
			continue
		}
		why, fix := "the others are slower, fail more, or are farther away", "holdfast explain instance "+f.Name+"/"+i.ID+"; compare with the others"
		if f.Sessions > 0 {
			why, fix = fmt.Sprintf("%d sessions keep clients where they are", f.Sessions), "holdfast function clear-sessions "+f.Name+" spreads them anew"
		}
		d.add(warning, "load of "+f.Name, fmt.Sprintf("%s gets %.0f%% of the requests, its weight asks for %.0f%%: %s", i.ID, i.SharePercent, fair, why), fix, "troubleshooting.md#load-balancing-issues")
	}
}

func (d *doctor) instance(i *admin.Instance) {
	name := "instance " + i.Function + "/" + i.ID
	switch {
	case i.Process != nil && i.Process.State.String() == "crash_loop":
		d.add(problem, name, "fails again and again: "+i.Process.Reason, "holdfast explain instance "+i.Function+"/"+i.ID+"; look at what it prints", "troubleshooting.md#health-checks-fail")
	case i.Health == "down":
		d.add(problem, name, "its health check fails: "+i.Reason, "holdfast explain instance "+i.Function+"/"+i.ID+" shows the last checks", "troubleshooting.md#health-checks-fail")
	case i.Ejected:
		d.add(warning, name, "it is ejected by its own results until "+i.EjectedUntil.Local().Format(time.TimeOnly)+": "+i.Reason, "holdfast requests --failed "+i.Function, "troubleshooting.md#load-balancing-issues")
	case i.Draining:
		d.add(warning, name, "it gets no traffic: "+i.Reason, "holdfast function failback "+i.Function+", or undrain "+i.Function+" "+i.ID, "troubleshooting.md#load-balancing-issues")
	}
}

const (
	restlessTime  = 10 * time.Minute
	restlessTimes = 8
)

// restless finds instances that come and go.
func (d *doctor) restless(ctx context.Context, client *client) {
	var v admin.Events
	if client.get(ctx, "events", &v) != nil {
		return
	}
	changes := map[string]int{}
	for i := range v.Events {
		e := &v.Events[i]
		if e.Kind == event.InstanceStatus && e.To == "failed" && time.Since(e.At) < restlessTime {
			changes[e.Function+"/"+e.Instance]++
		}
	}
	for name, n := range changes {
		if n >= restlessTimes {
			d.add(problem, "instance "+name, fmt.Sprintf("it failed and came back %d times in %s", n, restlessTime), "raise health.fall and health.timeout, or find out why it is slow: holdfast explain instance "+name, "troubleshooting.md#thrashing")
		}
	}
}

// scaling finds orders that failed, and instances that are started and stopped
// by turns.
func (d *doctor) scaling(ctx context.Context, client *client) {
	const page = "troubleshooting.md#scaling-does-not-work"
	var v admin.ScalingActions
	if client.get(ctx, "actions", &v) != nil {
		return // the store is down, which was told
	}
	turns, last, failed := map[string]int{}, map[string]*store.ScalingAction{}, map[string]bool{}
	for i := range v.Actions { // newest first
		a := &v.Actions[i]
		if !strings.HasPrefix(a.Action, "scale_") || time.Since(a.CreatedAt) > restlessTime {
			continue
		}
		if last[a.Function] == nil && !a.Success && !failed[a.Function] {
			failed[a.Function] = true
			d.add(problem, "scaling of "+a.Function, fmt.Sprintf("the last order, %d -> %d instances, failed: %s", a.Before, a.After, a.ErrorMessage), "holdfast instances "+a.Function+"; look at what the new one prints", page)
		}
		if before := last[a.Function]; before != nil && before.Action != a.Action {
			turns[a.Function]++
		}
		last[a.Function] = a
	}
	for name, n := range turns {
		if n >= restlessTimes/2 {
			d.add(problem, "scaling of "+name, fmt.Sprintf("up and down by turns %d times in %s", n, restlessTime), "raise scaling.cooldown_period, or move scale_up_threshold and scale_down_threshold apart", "troubleshooting.md#thrashing")
		}
	}
}
