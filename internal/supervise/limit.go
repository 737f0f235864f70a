package supervise

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// How a limit is kept.
const (
	ByCgroup2  = "cgroup v2"   // by the kernel, exactly
	ByCgroup1  = "cgroup v1"   // by the kernel, exactly
	ByWatching = "watching"    // memory: looked at every 100 ms, killed when over
	ByRuntime  = "its runtime" // memory: the child itself, as well as it can (GOMEMLIMIT)
	ByPriority = "priority"    // CPU: nobody else is held up by it, but it is not kept
)

// InForce says which limits are in force, and how.
type InForce struct {
	MemoryBytes int64  `json:"memory_bytes,omitempty"`
	MemoryBy    string `json:"memory_by,omitempty"` // "" without a limit
	CPUPercent  int    `json:"cpu_percent,omitempty"`
	CPUBy       string `json:"cpu_by,omitempty"`
	Background  bool   `json:"background,omitempty"`
	Nice        int    `json:"nice,omitempty"`
	// Note says why the kernel does not keep a limit.
	Note string `json:"note,omitempty"`
}

// String is one line for people.
func (f InForce) String() string {
	var parts []string
	if f.MemoryBy != "" {
		parts = append(parts, fmt.Sprintf("memory %d MiB by %s", f.MemoryBytes>>20, f.MemoryBy))
	}
	if f.CPUBy != "" {
		parts = append(parts, fmt.Sprintf("cpu %d%% by %s", f.CPUPercent, f.CPUBy))
	}
	if f.Background {
		parts = append(parts, "in the background")
	}
	if f.Nice > 0 {
		parts = append(parts, fmt.Sprintf("nice %d", f.Nice))
	}
	if len(parts) == 0 {
		return "no limits"
	}
	line := strings.Join(parts, ", ")
	if f.Note != "" {
		line += " (" + f.Note + ")"
	}
	return line
}

// lowest is the lowest priority.
const lowest = 19

// watchInterval is how often memory is looked at where the kernel does not.
const watchInterval = 100 * time.Millisecond

// limiter keeps the limits of one child, over its lives. Its methods are called
// by Run's goroutine, inForce by anybody.
type limiter struct {
	name   string
	limits Limits
	system system

	mu    sync.Mutex
	force InForce
}

func newLimiter(name string, limits Limits) *limiter {
	l := &limiter{name: name, limits: limits, system: newSystem(name, limits)}
	l.setForce()
	return l
}

// setForce writes down what the system says it keeps.
func (l *limiter) setForce() {
	f := InForce{Background: l.limits.Background, Nice: l.limits.Nice}
	memoryBy, cpuBy, note := l.system.keeps()
	if l.limits.MemoryBytes > 0 {
		f.MemoryBytes, f.MemoryBy = l.limits.MemoryBytes, memoryBy
	}
	if l.limits.CPUPercent > 0 {
		f.CPUPercent, f.CPUBy = l.limits.CPUPercent, cpuBy
	}
	if f.MemoryBy == ByWatching || f.MemoryBy == ByRuntime || f.CPUBy == ByPriority {
		f.Note = note
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.force = f
}

func (l *limiter) inForce() InForce {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.force
}

// prepare makes what the child is started into; done is called once it is.
func (l *limiter) prepare(cmd *exec.Cmd) (done func()) {
	if m := l.limits.MemoryBytes; m > 0 {
		// The rest is for what the Go runtime does not count.
		cmd.Env = append(cmd.Env, "GOMEMLIMIT="+strconv.FormatInt(m/10*9, 10))
	}
	if p := l.limits.CPUPercent; p > 0 {
		cmd.Env = append(cmd.Env, "GOMAXPROCS="+strconv.Itoa((p+99)/100))
	}
	return l.system.prepare(cmd)
}

// apply limits the started child as far as that is done from outside.
func (l *limiter) apply(pid int) {
	l.system.apply(pid)
	l.setForce()
}

// interval is how often over has to be called.
func (l *limiter) interval() time.Duration {
	if l.inForce().MemoryBy == ByWatching {
		return watchInterval
	}
	return time.Hour
}

// over says that the child uses more memory than it may, "" that it does not.
func (l *limiter) over(pid int) string {
	if l.inForce().MemoryBy != ByWatching {
		return ""
	}
	used, err := memoryOf(pid)
	if err != nil || used <= l.limits.MemoryBytes {
		return "" // a child that is gone uses nothing
	}
	return fmt.Sprintf("it held %d MiB of memory, %d are allowed, and was killed", used>>20, l.limits.MemoryBytes>>20)
}

// verdict says that the kernel killed the child for its memory, "" that it did
// not.
func (l *limiter) verdict() string {
	if l.system.killedForMemory() {
		return fmt.Sprintf("it was killed by the kernel for needing more than its %d MiB of memory", l.limits.MemoryBytes>>20)
	}
	return ""
}

// remove cleans up behind a child that is gone.
func (l *limiter) remove() { l.system.remove() }
