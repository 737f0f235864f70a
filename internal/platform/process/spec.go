package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"holdfast/internal/child"
	"holdfast/internal/platform"
)

// maxInstances bounds one function's children: a typo must not fork a machine
// to death.
const maxInstances = 1000

// maxSpares bounds what runs for nothing.
const maxSpares = 100

// Spec says what to run. Durations and counts that are zero take the default
// named at the field.
type Spec struct {
	// Function is the function's name; instances are called NAME-1, NAME-2...
	Function string
	// Command is the program and its arguments. {port} and {id} are replaced.
	// No shell is involved. A program without a slash is looked up in PATH.
	Command []string
	// Env is added to Holdfast's environment; {port} and {id} are replaced in
	// the values. PORT (the port) and HOST (127.0.0.1) are set when not given.
	Env map[string]string
	// Dir is the working directory; "" is Holdfast's own.
	Dir string
	// Instances is how many run at first; 0 is none. Scale changes it.
	Instances int
	// WarmSpares is how many more run, ready but without traffic, to become
	// instances at once when more are wanted; see Driver.SetSpares.
	WarmSpares int
	// Ports is where ports come from; zero: any that is free.
	Ports Range
	// ReadyTimeout is how long a child may take to accept a connection (10 s).
	ReadyTimeout time.Duration
	// StopTimeout is how long a child may take to end after SIGTERM (10 s).
	StopTimeout time.Duration
	Backoff     Backoff
	CrashLoop   CrashLoop
	Output      Output
}

// Range is a range of TCP ports, both ends included.
type Range struct{ From, To int }

// Backoff is the wait before a restart: Base (100 ms) after the first failure,
// doubled by each further one up to Max (30 s). ResetAfter (30 s) of running
// well makes the next failure a first one again.
type Backoff = child.Backoff

// CrashLoop is when failures are called a crash loop: Failures (5) within
// Within (60 s). Restarts then wait Backoff.Max.
type CrashLoop = child.CrashLoop

// Output is what is kept of a child's standard output and error.
type Output struct {
	// Lines is how many of the latest lines are kept per instance (200).
	Lines int
	// File also receives the lines, with the time before each; {id} is
	// replaced. Without {id} all instances share the file, and each line has
	// the instance's id behind the time. "" is no file. At FileLimit bytes
	// (10 MiB) it is renamed to FILE.1, replacing the one before, and begun anew.
	File      string
	FileLimit int64
}

// Config is how the driver is tied to the rest of Holdfast. The zero value
// works.
type Config struct {
	// Logger receives starts, ends and crash loops; nil is silence.
	Logger *slog.Logger
	// OnChange is told every change, in order for one instance and possibly at
	// the same time for several. It must not call Scale or Restart.
	OnChange func(platform.Instance)
	// Output is told each line a child writes, in order for one instance. The
	// child waits while it runs.
	Output func(id, line string)
	// Drain lets a running instance finish its requests before Scale or
	// Restart stops it. Its state is Stopping by then. It returns when the
	// instance is idle or ctx ends: ctx is the caller's, and ends too when the
	// instance dies meanwhile. An error is logged and the stop goes on.
	Drain func(ctx context.Context, id string) error
	// Fit says whether the checks of a spare pass: of several, those that are fit
	// become instances first. Nil: all are.
	Fit func(id string) bool
	// Environ is the environment children inherit, as os.Environ gives it;
	// nil is Holdfast's own without HOLDFAST_* and the variables by which
	// systemd addresses one process.
	Environ []string
	// Guard is a command (program and arguments) that runs [child.RunGuard] on its
	// standard input: it kills the children's groups should Holdfast be
	// killed. Empty is no guard.
	Guard []string
}

func (s Spec) withDefaults() Spec {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&s.ReadyTimeout, 10*time.Second)
	def(&s.StopTimeout, 10*time.Second)
	def(&s.Backoff.Base, 100*time.Millisecond)
	def(&s.Backoff.Max, 30*time.Second)
	def(&s.Backoff.ResetAfter, 30*time.Second)
	def(&s.CrashLoop.Within, time.Minute)
	if s.CrashLoop.Failures == 0 {
		s.CrashLoop.Failures = 5
	}
	if s.Output.Lines == 0 {
		s.Output.Lines = 200
	}
	if s.Output.FileLimit == 0 {
		s.Output.FileLimit = 10 << 20
	}
	return s
}

// validate says everything that is wrong at once, each naming the field.
func (s Spec) validate() error {
	var errs []error
	bad := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf("process spec: "+format, args...))
		}
	}
	bad(s.Function == "" || strings.ContainsAny(s.Function, "/\x00"), "function: %q is no name", s.Function)
	bad(len(s.Command) == 0 || s.Command[0] == "", "command: is empty; name the program and its arguments")
	bad(s.Instances < 0 || s.Instances > maxInstances, "instances: %d is not in 0..%d", s.Instances, maxInstances)
	bad(s.WarmSpares < 0 || s.WarmSpares > maxSpares, "warm_spares: %d is not in 0..%d", s.WarmSpares, maxSpares)
	s.validatePorts(bad)
	for name, d := range map[string]time.Duration{
		"ready_timeout": s.ReadyTimeout, "stop_timeout": s.StopTimeout, "backoff.base": s.Backoff.Base,
		"backoff.max": s.Backoff.Max, "backoff.reset_after": s.Backoff.ResetAfter, "crash_loop.within": s.CrashLoop.Within,
	} {
		bad(d < 0, "%s: %s is negative", name, d)
	}
	bad(s.Backoff.Max < s.Backoff.Base, "backoff.max: %s is below backoff.base %s", s.Backoff.Max, s.Backoff.Base)
	bad(s.CrashLoop.Failures < 0, "crash_loop.failures: %d is negative", s.CrashLoop.Failures)
	bad(s.Output.Lines < 0 || s.Output.Lines > 100_000, "output.lines: %d is not in 0..100000", s.Output.Lines)
	bad(s.Output.FileLimit < 0, "output.file_limit: %d is negative", s.Output.FileLimit)
	for key, value := range s.Env {
		bad(key == "" || strings.ContainsAny(key, "=\x00"), "env: %q is no variable name", key)
		bad(strings.Contains(value, "\x00"), "env.%s: contains a zero byte", key)
	}
	return errors.Join(errs...)
}

func (s Spec) validatePorts(bad func(is bool, format string, args ...any)) {
	from, to := s.Ports.From, s.Ports.To
	if s.Ports == (Range{}) {
		return
	}
	bad(from < 1 || to > 65535 || from > to, "ports: %d-%d is no range of ports", from, to)
	bad(to-from+1 < s.Instances+s.WarmSpares, "ports: %d-%d has fewer ports than the %d instances and %d spares need", from, to, s.Instances, s.WarmSpares)
}
