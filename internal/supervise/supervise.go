package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"holdfast/internal/child"
)

// Limits are what a child may use. Zero is no limit.
type Limits struct {
	// MemoryBytes is what it may hold in memory.
	MemoryBytes int64
	// CPUPercent is what it may use of one core: 150 is one and a half.
	CPUPercent int
	// Background lets it have what nobody else wants: the lowest priority. On a
	// small machine a busy child slows the gateway without it, CPUPercent or not.
	Background bool
	// Nice is a priority between that and Holdfast's own, 1 to 18: for work whose
	// result depends on when it is done, which Background may put off for long.
	Nice int
}

// Heartbeat is how often a child is asked whether it lives (Interval, 1 s), and
// how long it may be silent before it is killed (Timeout, 10 s).
type Heartbeat struct{ Interval, Timeout time.Duration }

// Config says what to run. Name and Command are required.
type Config struct {
	// Name is what the child is called in logs and errors: letters, digits,
	// "-" and "_".
	Name string
	// Command is the program, usually [Self], and its arguments. It must call
	// [Serve].
	Command []string
	// Env is added to the environment, which is Holdfast's own without its
	// settings and secrets.
	Env    []string
	Limits Limits
	// Once lets the child have one life: Run returns why it ended.
	Once bool
	// StartTimeout is how long it may take to answer at first (10 s).
	StartTimeout time.Duration
	// StopTimeout is how long it may take to end after SIGTERM (10 s).
	StopTimeout time.Duration
	Heartbeat   Heartbeat
	// Backoff is the wait before a restart (100 ms up to 30 s, forgotten after
	// 60 s of running).
	Backoff child.Backoff
	// CrashLoop is when restarts become rare (5 failures within 60 s).
	CrashLoop child.CrashLoop
	// CallTimeout bounds a Call whose context has no deadline (30 s).
	CallTimeout time.Duration
	Logger      *slog.Logger // gets what the child prints, too; nil is silence
	// OnEvent is told what happens to the child, in order. It must not wait for
	// the child.
	OnEvent func(Event)
	// Guard kills the child's process group should Holdfast be killed. A child
	// that starts nothing itself does not need it. May be nil.
	Guard *child.Guard
}

// State is where a child is in its life.
type State string

// The states of a child.
const (
	Starting  State = "starting"
	Running   State = "running"    // it answers
	Waiting   State = "waiting"    // for its next start
	CrashLoop State = "crash_loop" // as waiting, at the longest wait
	Stopped   State = "stopped"    // not yet run, or ended on purpose
)

// Event is a change of state.
type Event struct {
	At       time.Time
	Name     string
	From, To State
	PID      int
	Reason   string // one sentence
}

// Status is what is known of a child.
type Status struct {
	Name     string    `json:"name"`
	State    State     `json:"state"`
	Since    time.Time `json:"since"`
	PID      int       `json:"pid,omitempty"`
	Restarts int       `json:"restarts"`
	Reason   string    `json:"reason,omitempty"`
	InForce  InForce   `json:"in_force"`
}

// Child is one supervised child. All methods are safe for concurrent use.
type Child struct {
	config Config
	limits *limiter

	mu      sync.Mutex // guards what follows
	ran     bool
	status  Status
	session *session
	changed chan struct{} // closed and replaced on each change
}

// New checks the config and finds out how limits can be enforced here. Nothing
// runs before Run.
func New(c Config) (*Child, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	l := newLimiter(c.Name, c.Limits)
	return &Child{
		config: c, limits: l, changed: make(chan struct{}),
		status: Status{Name: c.Name, State: Stopped, Since: time.Now(), InForce: l.inForce()},
	}, nil
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.StartTimeout, 10*time.Second)
	def(&c.StopTimeout, 10*time.Second)
	def(&c.CallTimeout, 30*time.Second)
	def(&c.Heartbeat.Interval, time.Second)
	def(&c.Heartbeat.Timeout, 10*time.Second)
	def(&c.Backoff.Base, 100*time.Millisecond)
	def(&c.Backoff.Max, 30*time.Second)
	def(&c.Backoff.ResetAfter, time.Minute)
	def(&c.CrashLoop.Within, time.Minute)
	if c.CrashLoop.Failures == 0 {
		c.CrashLoop.Failures = 5
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

const leastMemory = 16 << 20

func (c Config) validate() error {
	var errs []error
	bad := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf("supervise: "+format, args...))
		}
	}
	name := strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
	bad(c.Name == "" || name != "", "name: %q is no name", c.Name)
	bad(len(c.Command) == 0 || c.Command[0] == "", "command: is empty")
	bad(c.Limits.MemoryBytes != 0 && c.Limits.MemoryBytes < leastMemory, "limits.memory: %d bytes are less than any child needs (%d)", c.Limits.MemoryBytes, leastMemory)
	bad(c.Limits.Nice < 0 || c.Limits.Nice >= lowest, "limits.nice: must lie between 0 and %d, is %d", lowest-1, c.Limits.Nice)
	bad(c.Limits.CPUPercent < 0, "limits.cpu: %d %% is negative", c.Limits.CPUPercent)
	bad(c.Heartbeat.Timeout < c.Heartbeat.Interval, "heartbeat.timeout: %s is below the interval %s", c.Heartbeat.Timeout, c.Heartbeat.Interval)
	bad(c.Backoff.Max < c.Backoff.Base, "backoff.max: %s is below backoff.base %s", c.Backoff.Max, c.Backoff.Base)
	return errors.Join(errs...)
}

// Self is the path of this very binary, for Config.Command. Where the system
// allows it, that stays so when the file is replaced by a newer one: parent and
// child must be of one version.
func Self() (string, error) {
	const link = "/proc/self/exe"
	if _, err := os.Stat(link); err == nil {
		return link, nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find own binary: %w", err)
	}
	return path, nil
}

// Status returns what is known of the child now.
func (c *Child) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Call has the child do something and reads the result into out, which may be
// nil. It waits for a child that is starting. A result of the handler's own is a
// [RemoteError]; after [ErrEnded] it is not known what was done.
func (c *Child) Call(ctx context.Context, method string, in, out any) error {
	ctx, end := context.WithTimeout(ctx, c.callTimeout(ctx))
	defer end()
	result, err := c.call(ctx, method, in)
	if err == nil && out != nil {
		err = json.Unmarshal(result, out)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", c.config.Name, method, err)
	}
	return nil
}

func (c *Child) callTimeout(ctx context.Context) time.Duration {
	if until, ok := ctx.Deadline(); ok {
		return time.Until(until)
	}
	return c.config.CallTimeout
}

func (c *Child) call(ctx context.Context, method string, in any) (json.RawMessage, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	if len(body) > maxFrame {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are sent", errTooLarge, len(body), maxFrame)
	}
	s, err := c.running(ctx)
	if err != nil {
		return nil, err
	}
	return s.call(ctx, method, body, c.callTimeout(ctx))
}

// running returns the session of the running child, waiting while it starts.
func (c *Child) running(ctx context.Context) (*session, error) {
	for {
		c.mu.Lock()
		s, status, changed := c.session, c.status, c.changed
		c.mu.Unlock()
		switch status.State {
		case Running:
			return s, nil
		case Starting:
		case Waiting, CrashLoop, Stopped:
			return nil, fmt.Errorf("%w: it is %s, %s", ErrNotRunning, status.State, status.Reason)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: it is starting: %w", ErrNotRunning, ctx.Err())
		}
	}
}

// set changes the status and tells everybody. Only Run's goroutine calls it.
func (c *Child) set(to State, pid int, s *session, reason string) {
	c.mu.Lock()
	from := c.status.State
	c.status.State, c.status.PID, c.status.Reason, c.status.Since = to, pid, reason, time.Now()
	c.status.InForce = c.limits.inForce()
	c.session = s
	event := Event{At: c.status.Since, Name: c.config.Name, From: from, To: to, PID: pid, Reason: reason}
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	if c.config.OnEvent != nil {
		c.config.OnEvent(event)
	}
}
