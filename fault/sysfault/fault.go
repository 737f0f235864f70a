package sysfault

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"holdfast/fault"
)

// ErrUnsupported is what every error is that means: this machine cannot do it, and nothing was changed.
var ErrUnsupported = errors.New("not possible on this machine")

// unsupported says why something cannot be done here.
func unsupported(f fmt.Stringer, reason string) error {
	return fmt.Errorf("inject %s: %w: %s", f, ErrUnsupported, reason)
}

// Fault is something that [Driver.Inject] can do to a machine. The types of this package are all there are, since a guard
// has to know how each is taken back.
type Fault interface {
	fmt.Stringer
	// Check says what is wrong with the fault's fields; it does not look at the machine.
	Check() error

	// plan looks at the machine and changes nothing. id is the fault's own name for what it makes.
	plan(id string) (undo, error)
	// inject does what u takes back; what it leaves half done u takes back too.
	inject(ctx context.Context, u undo) error
}

// Target is whom a fault is about.
type Target struct {
	PID   int
	Group bool // PID is that of a process group, and all its members are meant
}

var errTarget = errors.New("the target must be a process or group with an id above 1 that is not this process or its own group")

// Check says what is wrong with a target. The program itself is none: it has to take the fault back.
func (t Target) Check() error {
	if t.PID <= 1 || t.PID > math.MaxInt32 || !t.Group && t.PID == os.Getpid() || t.Group && t.PID == syscall.Getpgrp() {
		return errTarget
	}
	return nil
}

// String is "process 12" or "group 12".
func (t Target) String() string {
	if t.Group {
		return "group " + strconv.Itoa(t.PID)
	}
	return "process " + strconv.Itoa(t.PID)
}

// signalled is the target as kill(2) takes it.
func (t Target) signalled() int {
	if t.Group {
		return -t.PID
	}
	return t.PID
}

// Freeze stops processes until it is taken back.
type Freeze struct{ Target Target }

// Kill ends processes by a signal. It cannot be taken back; whoever started them may start them anew.
type Kill struct {
	Target Target
	Signal syscall.Signal // 0: SIGKILL
}

// CPU leaves processes a share of one CPU, all together.
type CPU struct {
	Target  Target
	Percent int // 1 to 100
}

// Memory limits what processes hold together of what they allocate from now on. Beyond it the kernel kills one of them.
type Memory struct {
	Target Target
	Bytes  int64 // at least 1 MiB
}

// Way is which packets of a connection are meant.
type Way uint8

// The ways. The zero value is both.
const (
	BothWays Way = iota
	Requests     // to the port: what clients send
	Answers      // from the port: what servers send
)

// Network drops or refuses the packets of a TCP port, at the machine (or namespace) on which it is injected: in what
// arrives, over loopback too, and in what leaves to others.
type Network struct {
	Port      int
	Way       Way
	Refuse    bool    // whoever sends gets RST, instead of silence; with the zero Way: for requests
	Percent   float64 // of the packets, by chance; 0 means all
	Namespace string  // file of a network namespace, as /run/netns/NAME, that stays until the fault is taken back; "": the own one
}

// Redirect sends what this machine's own programs connect to at Port of this machine to the port To of its loopback,
// where a proxy of package fault listens, say. Connections that exist are reset, so that their clients make new ones;
// those that a [Bypass] made go to Port as ever, or the proxy would reach itself.
type Redirect struct{ Port, To int }

// Disk lays a small file system in memory over an existing directory; what is below is untouched and comes back.
type Disk struct {
	Dir   string
	Bytes int64 // 64 KiB to 1 GiB
	Full  bool  // and fills it at once
}

// Fill fills the small file system in memory that holds an existing directory, one of Disk for example. It refuses others,
// which would fill a disk that is not for tests.
type Fill struct{ Dir string }

// The bounds of faults that take memory.
const (
	minMemory = 1 << 20
	minDisk   = 64 << 10
	maxDisk   = 1 << 30
)

var (
	errSignal  = errors.New("the signal is unknown")
	errShare   = errors.New("the share of a CPU must lie between 1 and 100 percent")
	errMemory  = errors.New("the memory must be at least 1MiB")
	errPort    = errors.New("the port must lie between 1 and 65535")
	errSelf    = errors.New("the port to redirect to must be another one")
	errWay     = errors.New("the way is unknown: use both, requests or answers")
	errPackets = errors.New("the share of packets must be at least 0.01 and at most 100 percent, or 0 for all")
	errPath    = errors.New("the path must be absolute and clean")
	errDisk    = errors.New("the size must lie between 64KiB and 1GiB")
)

// Check implements Fault.
func (f Freeze) Check() error { return checked(f, f.Target.Check()) }

// Check implements Fault.
func (f Kill) Check() error {
	if f.Signal < 0 || f.Signal > 64 {
		return checked(f, errSignal)
	}
	return checked(f, f.Target.Check())
}

// Check implements Fault.
func (f CPU) Check() error {
	if f.Percent < 1 || f.Percent > 100 {
		return checked(f, errShare)
	}
	return checked(f, f.Target.Check())
}

// Check implements Fault.
func (f Memory) Check() error {
	if f.Bytes < minMemory || f.Bytes > fault.MaxBytes {
		return checked(f, errMemory)
	}
	return checked(f, f.Target.Check())
}

// Check implements Fault.
func (f Network) Check() error {
	switch {
	case f.Port < 1 || f.Port > 65535:
		return checked(f, errPort)
	case f.Way > Answers:
		return checked(f, errWay)
	case f.Percent != 0 && !(f.Percent >= 0.01 && f.Percent <= 100): // NaN too
		return checked(f, errPackets)
	case f.Namespace != "" && !clean(f.Namespace):
		return checked(f, errPath)
	}
	return nil
}

// Check implements Fault.
func (f Redirect) Check() error {
	switch {
	case min(f.Port, f.To) < 1 || max(f.Port, f.To) > 65535:
		return checked(f, errPort)
	case f.Port == f.To:
		return checked(f, errSelf)
	}
	return nil
}

// Check implements Fault.
func (f Disk) Check() error {
	switch {
	case !clean(f.Dir):
		return checked(f, errPath)
	case f.Bytes < minDisk || f.Bytes > maxDisk:
		return checked(f, errDisk)
	}
	return nil
}

// Check implements Fault.
func (f Fill) Check() error {
	if !clean(f.Dir) {
		return checked(f, errPath)
	}
	return nil
}

func clean(path string) bool {
	return filepath.IsAbs(path) && filepath.Clean(path) == path && path != "/"
}

func checked(f fmt.Stringer, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("check %s: %w", f, err)
}

// String says what is done to whom.
func (f Freeze) String() string { return "freeze of " + f.Target.String() }

// String says what is done to whom.
func (f Kill) String() string { return fmt.Sprintf("signal %d to %s", f.signal(), f.Target) }

func (f Kill) signal() syscall.Signal {
	if f.Signal == 0 {
		return syscall.SIGKILL
	}
	return f.Signal
}

// String says what is done to whom.
func (f CPU) String() string { return fmt.Sprintf("CPU limit of %d%% for %s", f.Percent, f.Target) }

// String says what is done to whom.
func (f Memory) String() string {
	return fmt.Sprintf("memory limit of %s for %s", fault.FormatSize(f.Bytes), f.Target)
}

// String says what is done to whom.
func (f Network) String() string {
	what, way, share := "drop", "", ""
	if f.Refuse {
		what = "refusal"
	}
	switch f.Way {
	case Requests:
		way = " requests to"
	case Answers:
		way = " answers from"
	case BothWays:
	}
	if f.Percent != 0 {
		share = strconv.FormatFloat(f.Percent, 'f', -1, 64) + "% of "
	}
	text := fmt.Sprintf("%s of %spackets:%s port %d", what, share, way, f.Port)
	if f.Namespace != "" {
		text += " in " + f.Namespace
	}
	return text
}

// String says what is done to whom.
func (f Redirect) String() string {
	return fmt.Sprintf("redirection of port %d to port %d", f.Port, f.To)
}

// String says what is done to whom.
func (f Disk) String() string {
	full := ""
	if f.Full {
		full = ", full,"
	}
	return fmt.Sprintf("file system of %s%s over %s", fault.FormatSize(f.Bytes), full, f.Dir)
}

// String says what is done to whom.
func (f Fill) String() string { return "fill of " + f.Dir }
