package supervise_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"holdfast/internal/supervise"
	"holdfast/test/need"
)

func TestALeakIsStopped(t *testing.T) {
	t.Parallel()
	need.Plain(t) // the detector needs the memory itself
	r := start(t, "good", func(c *supervise.Config) { c.Limits.MemoryBytes = 64 << 20 })
	if err := r.Call(t.Context(), "leak", 4096, nil); !errors.Is(err, supervise.ErrEnded) {
		t.Errorf("the call ends with %v", err)
	}
	if reason := r.failed(t); !strings.Contains(reason, "64") || !strings.Contains(reason, "memory") {
		t.Errorf("the reason is %q", reason)
	}
	t.Logf("in force: %s", r.Status().InForce)
	t.Attr("limits_here", strings.ReplaceAll(r.Status().InForce.String(), " ", "_"))
	r.pid(t)
}

func TestASpinningChildGetsItsShareAndStillAnswers(t *testing.T) {
	t.Parallel()
	need.Plain(t)
	r := start(t, "good", func(c *supervise.Config) { c.Limits.CPUPercent = 20 })
	var used time.Duration
	const length = 2 * time.Second
	if err := r.Call(t.Context(), "spin", length, &used); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := r.Call(t.Context(), "echo", "still there?", &got); err != nil || got != "still there?" {
		t.Errorf("while it spins it answers %q, %v", got, err)
	}
	percent := 100 * used.Seconds() / length.Seconds()
	t.Logf("it used %.0f %% of a core; in force: %s", percent, r.Status().InForce)
	if by := r.Status().InForce.CPUBy; by != supervise.ByPriority && percent > 25 {
		t.Errorf("it used %.0f %% of a core, 20 are allowed by %s", percent, by)
	}
}
