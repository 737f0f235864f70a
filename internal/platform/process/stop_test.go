package process_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/platform"
	"holdfast/internal/platform/process"
)

func TestAChildThatIgnoresSIGTERMIsKilledAfterTheTimeout(t *testing.T) {
	t.Parallel()
	spec := child("deaf")
	spec.StopTimeout = 100 * time.Millisecond
	r := start(t, spec, process.Config{})
	r.awaitState("f-1", platform.Running)
	began := time.Now()
	r.stop()
	if took := time.Since(began); took < spec.StopTimeout {
		t.Errorf("it had only %s to end", took)
	}
}

func TestAFrozenChildCanBeStopped(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"serve", "deaf"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			spec := child(part)
			if part == "deaf" {
				spec.StopTimeout = 100 * time.Millisecond
			}
			r := start(t, spec, process.Config{})
			i := r.awaitState("f-1", platform.Running)
			if err := syscall.Kill(i.PID, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			r.stop()
			if took := time.Since(began); part == "serve" && took > 9*time.Second {
				t.Errorf("a frozen child that obeys took %s: it was killed", took)
			}
		})
	}
}

func TestHelpersOfAChildEndWithItsGroup(t *testing.T) {
	t.Parallel()
	spec := child("with helper") // the helper ignores SIGTERM
	spec.StopTimeout = 200 * time.Millisecond
	r := start(t, spec, process.Config{})
	helper := getPID(t, r.awaitState("f-1", platform.Running), "/helper")
	r.stop()
	if !dead(helper) {
		t.Errorf("helper %d is left over", helper)
	}
}

func TestHelpersMayFinishAfterTheChildHasEnded(t *testing.T) {
	t.Parallel()
	spec := child("with busy helper")
	spec.Env["GATE"] = fifo(t)
	r := start(t, spec, process.Config{})
	i := r.awaitState("f-1", platform.Running)
	helper := getPID(t, i, "/helper")
	r.cancel()
	poll(t, "the child ends", func() bool { return reaped(i.PID) })
	select {
	case <-r.done:
		t.Error("the driver ended before the helper")
		r.done <- nil
	case <-time.After(200 * time.Millisecond):
	}
	openGate(t, spec.Env["GATE"])
	r.stop()
	if !dead(helper) {
		t.Errorf("helper %d is left over", helper)
	}
}

func TestHelpersLeftByACrashAreKilledBeforeTheRestart(t *testing.T) {
	t.Parallel()
	r := start(t, child("dies before helper"), process.Config{})
	before := r.awaitState("f-1", platform.Running)
	helper := getPID(t, before, "/helper")
	_, _ = tryGet(t, before, "/exit?code=1")
	r.await("f-1", "starts again", func(i platform.Instance) bool { return i.Restarts == 1 })
	if !dead(helper) {
		t.Errorf("helper %d is left over", helper)
	}
}

func TestChildrenDieWhenHoldfastIsKilled(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		part    string
		guarded bool
	}{
		"direct children":        {part: "deaf"},
		"helpers, with a guard":  {part: "with helper", guarded: true},
		"children, with a guard": {part: "serve", guarded: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			middle := exec.CommandContext(t.Context(), self())
			middle.Env = append(os.Environ(), childEnv+"=driver", "PART="+test.part)
			if test.guarded {
				middle.Env = append(middle.Env, "GUARDED=1")
			}
			out, err := middle.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := middle.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			var pids []int
			for len(pids) < 2 && lines.Scan() {
				var child platform.Instance
				if _, err := fmt.Sscan(lines.Text(), &child.PID, &child.Endpoint); err != nil {
					t.Fatalf("%v in %q", err, lines.Text())
				}
				pids = append(pids, child.PID)
				if test.part == "with helper" {
					pids = append(pids, getPID(t, child, "/helper"))
				}
			}
			if len(pids) < 2 || slices.ContainsFunc(pids, dead) {
				t.Fatalf("the children do not run: %v", pids)
			}
			if err := middle.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = middle.Wait()
			poll(t, "no child is left", func() bool { return !slices.ContainsFunc(pids, func(pid int) bool { return !dead(pid) }) })
		})
	}
}

func TestAGuardThatEndsIsReplacedByOneThatKnowsTheChildren(t *testing.T) {
	t.Parallel()
	middle := exec.CommandContext(t.Context(), self())
	middle.Env = append(os.Environ(), childEnv+"=driver", "PART=with helper", "GUARDED=1")
	out, err := middle.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := middle.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var helpers []int
	for len(helpers) < 2 && lines.Scan() {
		var child platform.Instance
		if _, err := fmt.Sscan(lines.Text(), &child.PID, &child.Endpoint); err != nil {
			t.Fatalf("%v in %q", err, lines.Text())
		}
		helpers = append(helpers, getPID(t, child, "/helper"))
	}
	first := guardOf(t, middle.Process.Pid, childEnv+"=guard")
	if first == 0 {
		t.Fatal("there is no guard")
	}
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	poll(t, "another guard", func() bool {
		now := guardOf(t, middle.Process.Pid, childEnv+"=guard")
		return now != 0 && now != first
	})
	if slices.ContainsFunc(helpers, dead) {
		t.Fatalf("the helpers suffered: %v", helpers)
	}
	if err := middle.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = middle.Wait()
	poll(t, "no helper is left", func() bool { return dead(helpers[0]) && dead(helpers[1]) })
}

// guardOf is the guard process of a Holdfast with an entry in its environment; 0:
// there is none.
func guardOf(t *testing.T, parent int, entry string) int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(env), entry+"\x00") {
			continue
		}
		dir := filepath.Dir(file)
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); err == nil && len(fields) > 1 && fields[0] != "Z" && fields[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			return pid
		}
	}
	return 0
}

func TestAFrozenGuardDoesNotHoldUpItsDriver(t *testing.T) {
	t.Parallel()
	r := start(t, child("serve"), process.Config{Guard: []string{"/usr/bin/env", childEnv + "=guard", "FROZEN=" + t.Name(), self()}})
	r.awaitState("f-1", platform.Running)
	var guard int
	poll(t, "the guard runs", func() bool { guard = guardOf(t, os.Getpid(), "FROZEN="+t.Name()); return guard != 0 })
	if err := syscall.Kill(guard, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	r.stop()
	if !reaped(guard) {
		t.Errorf("guard %d is left over", guard)
	}
}

func TestAGuardEndsWithItsDriver(t *testing.T) {
	t.Parallel()
	r := start(t, child("serve"), process.Config{Guard: []string{"/usr/bin/env", childEnv + "=guard", self()}})
	r.awaitState("f-1", platform.Running)
	r.stop() // waits for the guard, which would be a leaked process otherwise
}
