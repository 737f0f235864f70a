package child

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
// moment and kills the children's groups should Holdfast be killed. A nil Guard
// does nothing.
type Guard struct {
	cmd  *exec.Cmd
	pipe *os.File
}

// StartGuard starts command, whose body is [RunGuard], in a session of its own,
// so that what is done to Holdfast's terminal or process group does not reach
// it. Without a command there is no guard, and no error.
func StartGuard(command []string) (*Guard, error) {
	if len(command) == 0 {
		return nil, nil //nolint:nilnil // a nil Guard is one that does nothing
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start process guard: %w", err)
	}
	cmd := exec.Command(command[0], command[1:]...) //nolint:noctx // it must outlive every context
	cmd.Stdin, cmd.SysProcAttr = r, &syscall.SysProcAttr{Setsid: true}
	cmd.Env = Inheritable(os.Environ()) // it needs none of Holdfast's secrets
	err = cmd.Start()
	_ = r.Close() // the guard has its own copy
	if err != nil {
		_ = w.Close()
		return nil, fmt.Errorf("start process guard: %w", err)
	}
	return &Guard{cmd: cmd, pipe: w}, nil
}

// Stop is called when no group is left.
func (g *Guard) Stop() {
	if g == nil {
		return
	}
	_ = g.pipe.Close() // what it was to do when the pipe ends is nothing now
	_ = g.cmd.Wait()
}

func (g *Guard) add(group int)    { g.tell(group) }
func (g *Guard) remove(group int) { g.tell(-group) }

// tell never blocks for long: a line is far smaller than the pipe, and the
// deadline covers a guard that somebody froze. A guard that is gone protects
// nothing, but no child must suffer for that.
func (g *Guard) tell(n int) {
	if g == nil {
		return
	}
	_ = g.pipe.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = fmt.Fprintf(g.pipe, "%d\n", n)
}
