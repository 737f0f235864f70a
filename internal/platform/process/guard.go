package process

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// Guard is the body of Config.Guard's command: it reads from r (its standard
// input) which process groups exist, and when r ends because Holdfast is gone,
// however it went, it kills those that are left. Run by Holdfast's own binary
// under a hidden command. It ignores the signals that end a terminal's or a
// service's processes, since it has to outlive Holdfast by a moment.
func Guard(r io.Reader) error {
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

// guard is Holdfast's end of the guard process. A nil guard does nothing.
type guard struct {
	cmd  *exec.Cmd
	pipe *os.File
}

// startGuard starts the guard in a session of its own, so that what is done to
// Holdfast's terminal or process group does not reach it.
func (d *Driver) startGuard() error {
	if len(d.cfg.Guard) == 0 {
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start process guard: %w", err)
	}
	cmd := exec.Command(d.cfg.Guard[0], d.cfg.Guard[1:]...) //nolint:noctx // it must outlive every context
	cmd.Stdin, cmd.SysProcAttr = r, &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	_ = r.Close() // the guard has its own copy
	if err != nil {
		_ = w.Close()
		return fmt.Errorf("start process guard: %w", err)
	}
	d.guard = &guard{cmd: cmd, pipe: w}
	return nil
}

// stopGuard is called when no group is left.
func (d *Driver) stopGuard() {
	if d.guard == nil {
		return
	}
	_ = d.guard.pipe.Close() // what it was to do when the pipe ends is nothing now
	_ = d.guard.cmd.Wait()
}

func (g *guard) add(group int)    { g.tell(group) }
func (g *guard) remove(group int) { g.tell(-group) }

// tell never blocks for long: a line is far smaller than the pipe, and the
// deadline covers a guard that somebody froze. A guard that is gone protects
// nothing, but no child must suffer for that.
func (g *guard) tell(n int) {
	if g == nil {
		return
	}
	_ = g.pipe.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = fmt.Fprintf(g.pipe, "%d\n", n)
}
