package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast/balancer"
	"holdfast/internal/admin"
	"holdfast/internal/platform"
	"holdfast/internal/platform/process"
)

// processesOf is how many processes a spec is about.
func processesOf(s *process.Spec) int { return s.Instances + s.WarmSpares }

func withoutSpares(list []platform.Instance) []platform.Instance {
	return slices.DeleteFunc(list, func(i platform.Instance) bool { return i.Spare })
}

func spareCount(s *balancer.Stats) (n int) {
	for i := range s.Instances {
		if s.Instances[i].Lifecycle == balancer.Spare {
			n++
		}
	}
	return n
}

// reasonOf says why an instance is as it is. A spare says that it is one first.
func reasonOf(i *platform.Instance) string {
	switch {
	case !i.Spare:
		return i.Reason
	case i.State == platform.Running:
		return "warm spare"
	}
	return "warm spare, " + i.State.String() + ": " + i.Reason
}

// spare orders another number of spares.
func (g *processGroup) spare(d *processDriver, before, n int) error {
	if before == n {
		return nil
	}
	err := d.SetSpares(g.owner.ctx, n)
	if err == nil || errors.Is(err, process.ErrEnded) || errors.Is(err, context.Canceled) {
		return nil // done, or all of them end
	}
	return fmt.Errorf("keep %d warm spares of %s: %w", n, g.name, err)
}

// fit says whether the checks of an instance pass.
func (g *processGroup) fit(id string) bool {
	fn := g.owner.instances.gateway.Function(g.name)
	if fn == nil {
		return false
	}
	stats := fn.Balancer().Stats(time.Now())
	return slices.ContainsFunc(stats.Instances, func(i balancer.InstanceStats) bool {
		return i.ID == id && i.Health == balancer.HealthUp
	})
}

// boots fills in how long processes take until they are ready.
func (g *processGroup) boots(v *admin.PlatformStatus) {
	all := g.all()
	if len(all) == 0 {
		return
	}
	started, promoted := all[len(all)-1].Boot()
	v.BootMS = 1000 * started.Seconds()
	if wanted := g.wantedSpares(); wanted > 0 {
		v.Spares = &admin.Spares{Wanted: wanted, BootMS: 1000 * promoted.Seconds()}
		for _, i := range all[len(all)-1].Instances() {
			if i.Spare && i.State == platform.Running && g.fit(i.ID) {
				v.Spares.Ready++
			}
		}
	}
}

func (g *processGroup) wantedSpares() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.function == nil || g.function.Platform.Process == nil {
		return 0
	}
	return g.function.Platform.Process.WarmSpares
}
