package process_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/platform"
	"holdfast/internal/platform/process"
)

// spared is child with spares.
func spared(part string, instances, spares int) process.Spec {
	spec := child(part)
	spec.Instances, spec.WarmSpares = instances, spares
	return spec
}

// split are the ids of the instances and of the spares, in order.
func (r *running) split() (instances, spares []string) {
	for _, i := range r.Instances() {
		if i.Spare {
			spares = append(spares, i.ID)
		} else {
			instances = append(instances, i.ID)
		}
	}
	slices.Sort(instances)
	slices.Sort(spares)
	return instances, spares
}

func (r *running) wantSplit(instances, spares string) {
	r.t.Helper()
	gotInstances, gotSpares := r.split()
	if a, b := strings.Join(gotInstances, " "), strings.Join(gotSpares, " "); a != instances || b != spares {
		r.t.Errorf("instances %s, spares %s; want %s and %s", a, b, instances, spares)
	}
}

func TestASpareBecomesAnInstanceAtOnceAndAnotherIsStartedBehindIt(t *testing.T) {
	t.Parallel()
	r := start(t, spared("serve", 1, 1), process.Config{})
	r.awaitState("f-1", platform.Running)
	before := r.awaitState("f-2", platform.Running)
	r.wantSplit("f-1", "f-2")
	asked := time.Now()
	if _, err := r.Order(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	r.wantSplit("f-1 f-2", "f-3")
	after := r.await("f-2", "tells of its promotion", func(i platform.Instance) bool { return !i.Spare })
	if after.PID != before.PID || after.State != platform.Running || after.Restarts != 0 {
		t.Errorf("it was %+v and is %+v, want the same process", before, after)
	}
	r.awaitState("f-3", platform.Running)
	poll(t, "the promotion is told", func() bool {
		return slices.ContainsFunc(r.history(), func(i platform.Instance) bool {
			return i.ID == "f-2" && !i.Spare && strings.Contains(i.Reason, "was a warm spare")
		})
	})
	// A busy machine may take longer for a promotion than for a start: what counts is that the start is not in it.
	started, promoted := r.Boot()
	if most := time.Since(asked); started <= 0 || promoted <= 0 || promoted > most {
		t.Errorf("starts took %s, promotions %s, within %s", started, promoted, most)
	}
	t.Logf("a start takes %s, a promotion %s", started, promoted)
}

func TestMoreThanTheSparesAreStartedAnew(t *testing.T) {
	t.Parallel()
	r := start(t, spared("serve", 0, 2), process.Config{})
	r.awaitState("f-1", platform.Running)
	r.awaitState("f-2", platform.Running)
	if err := r.Scale(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	r.wantSplit("f-1 f-2 f-3", "f-4 f-5")
	r.awaitState("f-3", platform.Running)
	if err := r.Scale(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	r.wantSplit("", "f-4 f-5")
}

func TestASpareThatStartsYetIsTakenToo(t *testing.T) {
	t.Parallel()
	gate := filepath.Join(t.TempDir(), "gate")
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	spec := spared("held", 0, 1)
	spec.Env["GATE"] = gate
	r := start(t, spec, process.Config{})
	pid := r.await("f-1", "has a process", func(i platform.Instance) bool { return i.PID != 0 }).PID
	if err := r.Scale(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	r.wantSplit("f-1", "f-2")
	poll(t, "its promotion is told while it starts", func() bool {
		return slices.ContainsFunc(r.history(), func(i platform.Instance) bool {
			return i.ID == "f-1" && !i.Spare && i.State == platform.Starting
		})
	})
	if err := os.Remove(gate); err != nil {
		t.Fatal(err)
	}
	if i := r.awaitState("f-1", platform.Running); i.PID != pid || i.Spare {
		t.Errorf("%+v, want process %d", i, pid)
	}
}

func TestOfSeveralSparesTheFitOnesComeFirst(t *testing.T) {
	t.Parallel()
	r := start(t, spared("serve", 0, 3), process.Config{Fit: func(id string) bool { return id == "f-3" }})
	for _, id := range []string{"f-1", "f-2", "f-3"} {
		r.awaitState(id, platform.Running)
	}
	if err := r.Scale(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	r.wantSplit("f-3", "f-1 f-2 f-4")
}

func TestASpareThatDiesIsStartedAgainAndStaysASpare(t *testing.T) {
	t.Parallel()
	r := start(t, spared("serve", 0, 1), process.Config{})
	pid := r.awaitState("f-1", platform.Running).PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	i := r.await("f-1", "runs again", func(i platform.Instance) bool { return i.State == platform.Running && i.Restarts > 0 })
	if !i.Spare || i.PID == pid {
		t.Errorf("%+v", i)
	}
}

func TestASpareThatNeverStartsIsPassedOverAndRestartedRarely(t *testing.T) {
	t.Parallel()
	spec := spared("serve", 0, 1)
	spec.Command = []string{"sh", "-c", `[ "$1" != f-1 ] || exit 3; exec "$0"`, self(), "{id}"}
	spec.Backoff = process.Backoff{Base: time.Millisecond, Max: time.Hour}
	r := start(t, spec, process.Config{})
	i := r.awaitState("f-1", platform.CrashLoop)
	if !i.Spare || i.Restarts > 10 {
		t.Errorf("%+v, want few restarts", i)
	}
	if err := r.Scale(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	r.awaitState("f-2", platform.Running)
	r.wantSplit("f-2", "f-1")
}

func TestTheNumberOfSparesFollowsOrders(t *testing.T) {
	t.Parallel()
	r := start(t, spared("serve", 1, 0), process.Config{})
	r.awaitState("f-1", platform.Running)
	if err := r.SetSpares(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	r.awaitState("f-2", platform.Running)
	r.awaitState("f-3", platform.Running)
	r.wantSplit("f-1", "f-2 f-3")
	if err := r.SetSpares(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	poll(t, "one spare is gone", func() bool { _, spares := r.split(); return len(spares) == 1 })
	r.wantSplit("f-1", "f-2")
	if err := r.SetSpares(t.Context(), 1000); err == nil {
		t.Error("1000 spares were taken")
	}
	r.stop() // which sees that no process is left
	if err := r.SetSpares(t.Context(), 1); err == nil {
		t.Error("an ended driver took an order")
	}
}

// What is not wanted any more and what is wanted again meet in any order: there
// is always the number of instances that was ordered last, and of spares.
func TestSparesAndInstancesKeepTheirNumbersUnderManyOrders(t *testing.T) {
	t.Parallel()
	r := start(t, spared("serve", 1, 2), process.Config{Drain: func(ctx context.Context, _ string) error {
		select { // long enough to be called off
		case <-ctx.Done():
		case <-time.After(2 * time.Millisecond):
		}
		return nil
	}})
	for n := range 30 {
		if _, err := r.Order(t.Context(), (n*7)%5); err != nil {
			t.Fatal(err)
		}
		if err := r.SetSpares(t.Context(), (n*3)%4); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Scale(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if err := r.SetSpares(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	poll(t, "three instances and two spares run", func() bool {
		instances, spares := r.split()
		return len(instances) == 3 && len(spares) == 2 && !slices.ContainsFunc(r.Instances(), func(i platform.Instance) bool { return i.State != platform.Running })
	})
}
