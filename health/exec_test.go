//go:build unix

package health_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/health"
)

func TestExecFollowsTheExitCode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, script string
		ok           bool
		status       int
		reason       string
	}{
		{"well", "exit 0", true, 0, "command ended with exit status 0"},
		{"well with words", "echo one; echo ready", true, 0, "command ended with exit status 0: ready"},
		{"ill", "echo out; echo 'disk full' >&2; exit 3", false, 3, "command ended with exit status 3: disk full"},
		{"killed", "kill -TERM $$", false, -1, "command ended with signal: terminated"},
		{"control characters", `printf 'a\033[31mb\n'; exit 1`, false, 1, "command ended with exit status 1: a [31mb"},
		{"much output", "head -c 300000 /dev/zero | tr '\\0' x; echo; echo end; exit 1", false, 1, "command ended with exit status 1: end"},
		{"a secret", "echo $TOKEN; exit 1", false, 1, "command ended with exit status 1: (output that contains a value of its environment)"},
		{"environment", `test "$TOKEN" = top-secret && test -z "$HOME" && test -n "$PATH"`, true, 0, "command ended with exit status 0"},
		{"too slow", "echo started; sleep 60", false, 0, "command did not end within 400ms*"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			timeout := 20 * time.Second
			if test.name == "too slow" {
				timeout = 400 * time.Millisecond
			}
			e, err := health.NewExec(health.ExecConfig{Command: []string{"sh", "-c", test.script}, Env: []string{"TOKEN=top-secret"}, Timeout: timeout})
			if err != nil {
				t.Fatal(err)
			}
			r := e.Check(t.Context())
			want(t, r, test.ok, test.reason)
			if r.Status != test.status {
				t.Errorf("Status is %d, want %d", r.Status, test.status)
			}
		})
	}
}

func TestATimeoutKillsTheWholeProcessGroup(t *testing.T) {
	t.Parallel()
	pidFile := filepath.Join(t.TempDir(), "pid")
	e, err := health.NewExec(health.ExecConfig{
		Command: []string{"sh", "-c", "sleep 300 & echo $! >" + pidFile + "; wait"}, Timeout: 500 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := e.Check(t.Context())
	want(t, r, false, "command did not end within 500ms")
	if r.Took > 10*time.Second {
		t.Errorf("took %v", r.Took)
	}
	if _, err := os.Stat(pidFile); err != nil {
		t.Skip("the machine was too slow to start the child")
	}
	wantDead(t, pidFile)
}

func TestWhatACommandLeavesInTheBackgroundIsKilled(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{"well": "exit 0", "ill": "exit 3"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pidFile := filepath.Join(t.TempDir(), "pid")
			e, err := health.NewExec(health.ExecConfig{
				Command: []string{"sh", "-c", "sleep 300 >/dev/null 2>&1 & echo $! >" + pidFile + "; " + end}, Timeout: 20 * time.Second,
			})
			if err != nil {
				t.Fatal(err)
			}
			if r := e.Check(t.Context()); r.OK != (name == "well") {
				t.Errorf("%+v", r)
			}
			wantDead(t, pidFile)
		})
	}
}

// wantDead waits until the process whose id is in the file is gone.
func wantDead(t *testing.T, pidFile string) {
	t.Helper()
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); alive(pid); {
		if time.Now().After(deadline) {
			t.Fatalf("process %d survived", pid)
		}
	}
}

// alive says whether the process runs; a zombie nobody reaped does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

func TestAChildThatHoldsTheOutputDoesNotHoldTheCheck(t *testing.T) {
	t.Parallel()
	e, err := health.NewExec(health.ExecConfig{Command: []string{"sh", "-c", "sleep 30 & echo fine"}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	r := e.Check(t.Context())
	// What it said is told unless a busy machine had no time to read it.
	want(t, r, true, "command ended with exit status 0*")
	if r.Took > 25*time.Second {
		t.Errorf("took %v", r.Took)
	}
}

func TestACommandThatCannotStartIsExplained(t *testing.T) {
	t.Parallel()
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for command, reason := range map[string]string{
		"holdfast-no-such-program": "start command: program not found in PATH",
		"/no/such/program":         "start command: no such file or directory",
		plain:                      "start command: permission denied",
	} {
		e, err := health.NewExec(health.ExecConfig{Command: []string{command}})
		if err != nil {
			t.Fatal(err)
		}
		want(t, e.Check(t.Context()), false, reason)
	}
	for _, c := range []health.ExecConfig{{}, {Command: []string{""}}, {Command: []string{"x"}, Env: []string{"novalue"}}} {
		if _, err := health.NewExec(c); err == nil {
			t.Errorf("NewExec takes %v", c)
		}
	}
}

func TestACanceledCommandIsKilled(t *testing.T) {
	t.Parallel()
	e, err := health.NewExec(health.ExecConfig{Command: []string{"sleep", "60"}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	r := e.Check(ctx)
	want(t, r, false, "check canceled")
	if r.Took > 10*time.Second {
		t.Errorf("took %v", r.Took)
	}
}
