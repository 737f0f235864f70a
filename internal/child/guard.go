package child

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// RunGuard is the body of the command given to [StartGuard]: it reads from r (its standard
// input) which process groups exist, and when r ends because Holdfast is gone,
// however it went, it kills those that are left. Run by Holdfast's own binary
// under a hidden command. It ignores the signals that end a terminal's or a
// service's processes, since it has to outlive Holdfast by a moment.
func RunGuard(r io.Reader) error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	groups := make(map[int]bool)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		if err != nil || n == 0 || n == 1 || n == -1 {
			return fmt.Errorf("guard process groups: unexpected line %q", lines.Text())
		}
		if n > 0 {
			groups[n] = true
		} else {
			delete(groups, -n)
		}
	}
	for group := range groups {
		_ = syscall.Kill(-group, syscall.SIGKILL) // gone already is as good
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("guard process groups: %w", err)
	}
	return nil
}

// Guard is Holdfast's end of the guard process: it outlives Holdfast by a
// moment and kills the children's groups should Holdfast be killed. A guard
// process that ends is replaced. A nil Guard does nothing.
type Guard struct {
	command []string
	lost    func(error)
	stop    chan struct{} // closed, under mu, by Stop
	done    chan struct{} // closed when no guard process is left

	mu      sync.Mutex // guards what follows
	process *os.Process
	pipe    *os.File
	groups  map[int]bool // what the guard process was told
}

const (
	// guardPause is how long the first replacement of a guard process waits, and
	// how long one has to live to be a first one. It doubles up to guardPauseMax.
	guardPause    = time.Second
	guardPauseMax = time.Minute
)

// StartGuard starts command, whose body is [RunGuard], in a session of its own,
// so that what is done to Holdfast's terminal or process group does not reach
// it. Without a command there is no guard, and no error. lost, which may be nil,
// is told when the guard process ended by itself or could not be replaced.
func StartGuard(command []string, lost func(error)) (*Guard, error) {
	if len(command) == 0 {
		return nil, nil //nolint:nilnil // a nil Guard is one that does nothing
	}
	if lost == nil {
		lost = func(error) {}
	}
	g := &Guard{command: command, lost: lost, stop: make(chan struct{}), done: make(chan struct{}), groups: map[int]bool{}}
	cmd, err := g.start()
	if err != nil {
		return nil, err
	}
	go g.keep(cmd) // Stop waits for it
	return g, nil
}

// keep replaces the guard process until Stop.
func (g *Guard) keep(cmd *exec.Cmd) {
	defer close(g.done)
	pause := guardPause
	for cmd != nil {
		began := time.Now()
		err := fmt.Errorf("the process guard ended: %w", cmp.Or(cmd.Wait(), errGuardEnded))
		if time.Since(began) > guardPauseMax {
			pause = guardPause
		}
		for cmd = nil; cmd == nil && g.rest(pause); pause = min(2*pause, guardPauseMax) {
			g.lost(err)
			cmd, err = g.start()
		}
	}
}

var (
	errGuardEnded   = errors.New("exit status 0")
	errGuardStopped = errors.New("start process guard: it was stopped")
)

// rest waits; false: Stop was called.
func (g *Guard) rest(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-g.stop:
		return false
	case <-timer.C:
		return true
	}
}

// start starts a guard process. What it has to guard is in the pipe before it
// runs, so that no moment is left in which it knows less than it must.
func (g *Guard) start() (*exec.Cmd, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.stop:
		return nil, errGuardStopped
	default:
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start process guard: %w", err)
	}
	for group := range g.groups {
		write(w, group)
	}
	cmd := exec.Command(g.command[0], g.command[1:]...) //nolint:noctx // it must outlive every context
	cmd.Stdin, cmd.SysProcAttr = r, &syscall.SysProcAttr{Setsid: true}
	cmd.Env = Inheritable(os.Environ()) // it needs none of Holdfast's secrets
	err = cmd.Start()
	_ = r.Close() // the guard has its own copy
	if err != nil {
		_ = w.Close()
		return nil, fmt.Errorf("start process guard: %w", err)
	}
	if g.pipe != nil {
		_ = g.pipe.Close() // of the one that is gone
	}
	g.process, g.pipe = cmd.Process, w
	return cmd, nil
}

// Stop is called when no group is left. A guard process that does not end with
// its pipe, since somebody froze it, is killed.
func (g *Guard) Stop() {
	if g == nil {
		return
	}
	g.mu.Lock()
	close(g.stop)
	_ = g.pipe.Close() // what it was to do when the pipe ends is nothing now
	process := g.process
	g.mu.Unlock()
	timer := time.NewTimer(killGrace)
	defer timer.Stop()
	select {
	case <-g.done:
		return
	case <-timer.C:
	}
	_ = process.Kill() // gone already is as good
	<-g.done
}

func (g *Guard) add(group int) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.groups[group] = true
	write(g.pipe, group)
}

func (g *Guard) remove(group int) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.groups, group)
	write(g.pipe, -group)
}

// write tells a guard process of a group. It never blocks for long, though under
// the mutex that keeps the lines in order: a line is far smaller than the pipe, and
// the deadline covers a guard that somebody froze. One that is gone will be
// replaced, and told then.
func write(pipe *os.File, n int) {
	_ = pipe.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = fmt.Fprintf(pipe, "%d\n", n)
}
