package child

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Not parallel: it makes this process the parent of every orphan below it, as
// the first process of a container is.
func TestOrphansAreTakenInAndOwnChildrenLeftAlone(t *testing.T) { //nolint:paralleltest // as it says
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Skipf("this kernel has no subreapers: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var reaper sync.WaitGroup
	defer reaper.Wait()
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", "-c", "setsid sleep 0.05 >/dev/null & echo $!").Output()
	if err != nil {
		t.Fatal(err)
	}
	orphan, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	poll(t, "the orphan is dead and ours", func() bool { return isCorpse(orphan) })
	reaper.Go(func() { reapOrphans(ctx, 50*time.Millisecond) })
	for range 20 {
		if err := exec.CommandContext(ctx, "true").Run(); err != nil {
			t.Errorf("a child of our own was taken away: %v", err)
		}
	}
	poll(t, "the orphan is taken in", func() bool { return !isCorpse(orphan) })
}

func isCorpse(pid int) bool {
	for _, c := range deadChildren() {
		if c.pid == pid {
			return true
		}
	}
	return false
}

func poll(t *testing.T, what string, yes func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited too long until %s", what)
		}
	}
}
