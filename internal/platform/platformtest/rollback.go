package platformtest

import (
	"context"
	"errors"
	"slices"

	"holdfast/internal/platform"
)

// rolledBack scales between the two versions: on some platforms that
// overwrites what they remember as the one before.
func rolledBack(w *watched) {
	t := w.t
	ctx, stop := context.WithTimeout(t.Context(), w.Slowest)
	defer stop()
	if !w.Driver.Capabilities().Rollback {
		refused(t, "Rollback", func() error { return w.Driver.Rollback(ctx) })
		return
	}
	first := w.running(1)
	if first.Version == "" {
		t.Fatal("the version is not told")
	}
	if err := w.Driver.Rollback(ctx); !errors.Is(err, platform.ErrNoEarlier) {
		t.Errorf("without an earlier version Rollback ends with %v", err)
	}
	w.NewVersion(t)
	second := w.await("the new version runs", func(o *platform.Observation) bool {
		return o.Version != first.Version && settled(o, 1)
	})
	w.order(platform.Order{Instances: 2})
	w.await("the new version is scaled", func(o *platform.Observation) bool { return o.Version == second.Version && settled(o, 2) })
	if err := w.Driver.Rollback(ctx); err != nil {
		t.Fatalf("roll back: %v", err)
	}
	back := w.await("the version before runs again", func(o *platform.Observation) bool {
		return o.Version == first.Version && settled(o, 2)
	})
	answers(t, back.Instances[0])
}

// settled: exactly n instances run, all of the version that should.
func settled(o *platform.Observation, n int) bool {
	return !o.Deploying && o.Desired == n && len(o.Instances) == n && !slices.ContainsFunc(o.Instances, func(i platform.Instance) bool {
		return i.State != platform.Running || i.Version != o.Version
	})
}
