package terminal_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

// patience is for a busy machine.
const patience = time.Minute

// terminal is a real one: a shell in a tmux of its own.
type terminal struct {
	t      *testing.T
	socket string
	last   []string // what it showed when somebody looked last
}

func open(t *testing.T, width, height string) *terminal {
	t.Helper()
	need.Command(t, "tmux")
	dir, err := os.MkdirTemp("", "hf-tmux-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	v := &terminal{t: t, socket: filepath.Join(dir, "s")}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the terminal shows\n%s", strings.Join(v.last, "\n"))
		}
		v.tmux("kill-server")
		_ = os.RemoveAll(dir)
	})
	v.tmux("new-session", "-d", "-x", width, "-y", height, "sh")
	return v
}

// tmux gives an order, without anybody's configuration, and returns the answer.
func (v *terminal) tmux(args ...string) string {
	v.t.Helper()
	c := exec.Command("tmux", append([]string{"-S", v.socket, "-f", "/dev/null", "-u"}, args...)...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/", "LC_ALL=C.UTF-8", "TERM=xterm-256color", "SHELL=/bin/sh"}
	out, err := c.CombinedOutput()
	if err != nil {
		v.t.Fatalf("tmux %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// enter types a line.
func (v *terminal) enter(line string) {
	v.t.Helper()
	v.tmux("send-keys", "-l", line)
	v.press("Enter")
}

// press presses keys, by the names tmux has for them.
func (v *terminal) press(keys ...string) {
	v.t.Helper()
	v.tmux(append([]string{"send-keys"}, keys...)...)
}

// state is what the programs in it did to the terminal: "1 0" while one of them
// has a screen of its own and hides the cursor.
func (v *terminal) state() string {
	v.t.Helper()
	return v.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}")
}

// wait waits until it shows something and returns all lines of it.
func (v *terminal) wait(what string, ok func(lines []string) bool) []string {
	v.t.Helper()
	holdfast.Poll(v.t, patience, what, func() bool {
		v.last = strings.Split(v.tmux("capture-pane", "-p"), "\n")
		return ok(v.last)
	})
	return v.last
}

// shows waits for texts that stand there all at once.
func (v *terminal) shows(texts ...string) {
	v.t.Helper()
	v.wait("shown: "+strings.Join(texts, ", "), func(lines []string) bool {
		all := strings.Join(lines, "\n")
		for _, text := range texts {
			if !strings.Contains(all, text) {
				return false
			}
		}
		return true
	})
}
