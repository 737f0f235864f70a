package health

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	keptOutput = 4 << 10
	// waitDelay is how long output is awaited after the command has ended or
	// was killed, in case something else holds its standard output open.
	waitDelay = 200 * time.Millisecond
)

// ExecConfig describes a check by a command.
type ExecConfig struct {
	// Command is the program and its arguments; no shell is involved. Required.
	Command []string
	// Env is the command's environment as NAME=value. It inherits only PATH,
	// so that secrets of this process do not reach it. Values never appear in
	// reasons, unless they are shorter than four bytes.
	Env []string
	// Dir is the working directory; "" is this process's.
	Dir string
	// Timeout bounds a check. 0 is the context's deadline, or 2s when it has none.
	Timeout time.Duration
}

// Exec checks a target by a command that exits with 0 when all is well. Its
// process group is killed with it on timeout, and when it ends: what it left in
// the background would add up with every check.
type Exec struct {
	config  ExecConfig
	secrets []string
}

var _ Checker = (*Exec)(nil)

// NewExec returns the check, or an error naming the field that is wrong. The
// program is looked up with every check, since it may be installed later.
func NewExec(c ExecConfig) (*Exec, error) {
	if len(c.Command) == 0 || c.Command[0] == "" {
		return nil, errors.New("exec check: the command is missing")
	}
	e := &Exec{config: c}
	e.config.Command = slices.Clone(c.Command)
	e.config.Env = []string{"PATH=" + os.Getenv("PATH")}
	for _, pair := range c.Env {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("exec check: environment entry %q is not NAME=value", name)
		}
		e.config.Env = append(e.config.Env, pair)
		if name != "PATH" {
			e.secrets = append(e.secrets, value)
		}
	}
	return e, nil
}

// Check runs the command. The last line of its output becomes the reason's end.
func (e *Exec) Check(ctx context.Context) Result {
	start := time.Now()
	deadline := deadlineOf(ctx, e.config.Timeout, start)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	var out output
	cmd := exec.CommandContext(ctx, e.config.Command[0], e.config.Command[1:]...)
	cmd.Env, cmd.Dir = e.config.Env, e.config.Dir
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = waitDelay
	inOwnGroup(cmd)
	err := cmd.Start()
	if err == nil {
		err = waitForGroup(cmd)
	}
	return timed(e.judge(ctx, cmd, err, &out, deadline.Sub(start)), start)
}

func (e *Exec) judge(ctx context.Context, cmd *exec.Cmd, err error, out *output, budget time.Duration) Result {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return failed(canceled)
	case ctx.Err() != nil:
		return failed("command did not end within " + rounded(budget) + e.said(out))
	case cmd.ProcessState == nil:
		return failed("start command: " + startError(ctx, err))
	}
	code := cmd.ProcessState.ExitCode()
	if errors.Is(err, exec.ErrWaitDelay) && code == 0 {
		err = nil // it ended well; a child of its own holds the output open
	}
	if err != nil {
		return Result{Status: code, Reason: "command ended with " + cmd.ProcessState.String() + e.said(out)}
	}
	return Result{OK: true, Reason: "command ended with exit status 0" + e.said(out)}
}

// startError describes why nothing was started, without the path.
func startError(ctx context.Context, err error) string {
	if errors.Is(err, exec.ErrNotFound) {
		return "program not found in PATH"
	}
	return cause(ctx, err, 0)
}

// said returns the last line of the output, unless it contains a secret.
func (e *Exec) said(out *output) string {
	text := strings.TrimSpace(out.String())
	if text == "" {
		return ""
	}
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	if mentions(text, e.secrets) {
		return ": (output that contains a value of its environment)"
	}
	return ": " + tail(text, 200)
}

// output keeps the end of what a command writes.
type output struct {
	mu  sync.Mutex // after WaitDelay, os/exec may still be copying
	end []byte
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end = append(o.end, p[max(0, len(p)-keptOutput):]...)
	if over := len(o.end) - keptOutput; over > 0 {
		o.end = append(o.end[:0], o.end[over:]...)
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.end)
}
