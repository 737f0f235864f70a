// Package terminal_test uses commands that fill a terminal in a real one.
package terminal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"holdfast/test/holdfast"
	"holdfast/test/port"
)

// backend starts one instance that Holdfast does not start again.
func backend(t *testing.T) (kill func(), url string) {
	t.Helper()
	n, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	c := holdfast.Command(t.Context(), t, "demo-function", "--name", "bakery", "--port", strconv.Itoa(n))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = c.Process.Kill() // twice does no harm
		_ = c.Wait()         // it was killed
	}
	t.Cleanup(kill)
	return kill, fmt.Sprintf("http://127.0.0.1:%d", n)
}

// many are more functions than a terminal has lines: bakery with two instances,
// and others with one.
func many(t *testing.T, first, second string) string {
	t.Helper()
	text := fmt.Sprintf("functions:\n  bakery: {routes: [{path: /api/bakery/}], health: {interval: 200ms, suspect_interval: 200ms, rise: 1}, instances: [{url: %q}, {url: %q}]}\n", first, second)
	for i := range 30 {
		text += fmt.Sprintf("  shop-%02d: {routes: [{path: /api/shop-%02d/}], health: {disabled: true}, instances: [{url: %q}]}\n", i, i, first)
	}
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// row is a function in the view: name, instances, breaker, rate and share of
// failed exchanges stand on one line.
var row = regexp.MustCompile(`^(bakery|shop-\d\d) +\d/\d +(closed|open|half-open) +\S+ +\S+`)

// fits says whether a view fills a terminal of this size with as many columns as
// go onto a line, and nothing is broken or pushed out.
func fits(lines []string, height int, columns string) bool {
	if len(lines) != height || !strings.HasPrefix(lines[0], "holdfast ") && lines[0] != "ready" || !strings.HasPrefix(lines[height-1], "q quit") {
		return false
	}
	for i, line := range lines {
		if strings.Join(strings.Fields(line), " ") != columns {
			continue
		}
		names := 0
		for ; row.MatchString(lines[i+1+names]); names++ {
			if len(strings.Fields(lines[i+1+names])) != len(strings.Fields(columns)) {
				return false
			}
		}
		return names >= 3 && lines[i+1+names] == ""
	}
	return false
}

// The size decides what there is room for.
const (
	narrow = "FUNCTION INST BREAKER REQ/S FAILED"
	usual  = narrow + " P50 P95 P99 INFL WAIT"
	wide   = usual + " FAILING RETRIES BUDGET STRATEGY"
)

// Whoever watches in a real terminal sees what changes, at any size, and gets the
// terminal back as it was.
func TestTheStatusIsWatchedInARealTerminal(t *testing.T) {
	t.Parallel()
	_, first := backend(t)
	kill, second := backend(t)
	file := many(t, first, second)
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, patience)
	v := open(t, "120", "30")
	modes := filepath.Join(t.TempDir(), "modes")
	v.enter("echo what was there; stty -g >" + modes)
	watch := holdfast.Binary(t) + " status --watch --interval 100ms --data-dir " + p.Data + `; echo "ended with $?"`
	v.enter(watch)

	v.wait("watched", func(lines []string) bool { return fits(lines, 30, wide) })
	v.wait("the state of each", func(lines []string) bool {
		return has(lines, `^bakery +2/2 +closed `) && has(lines, `^shop-03 +1/1 +closed `)
	})
	if got := v.state(); got != "1 0" {
		t.Errorf("own screen and cursor: %s, want 1 0", got)
	}
	resized(v)
	scrolled(v)
	v.tmux("resize-window", "-x", "120", "-y", "30")
	changed(t, v, p, kill)
	restarted(t, v, p, file)

	v.press("q")
	v.shows("what was there", "ended with 0")
	asBefore(t, v, modes)
	v.enter(watch)
	v.wait("watched again", func(lines []string) bool { return fits(lines, 30, wide) })
	v.press("C-c")
	v.shows("ended with 0")
	asBefore(t, v, modes)
}

func has(lines []string, pattern string) bool {
	return regexp.MustCompile("(?m)" + pattern).MatchString(strings.Join(lines, "\n"))
}

// resized makes the terminal smaller while something is shown.
func resized(v *terminal) {
	v.t.Helper()
	for _, size := range []struct {
		width, height int
		columns       string
	}{{80, 24, usual}, {60, 20, narrow}} {
		v.tmux("resize-window", "-x", strconv.Itoa(size.width), "-y", strconv.Itoa(size.height))
		v.wait(fmt.Sprintf("as wide as %d and as high as %d", size.width, size.height), func(lines []string) bool { return fits(lines, size.height, size.columns) })
	}
}

// scrolled looks at what is further down.
func scrolled(v *terminal) {
	v.t.Helper()
	v.shows("scroll: 1 to ", " of 31 functions")
	v.press("Down", "Down", "j")
	v.wait("three further down", func(lines []string) bool {
		return !has(lines, "^bakery ") && !has(lines, "^shop-01 ") && has(lines, "^shop-02 ")
	})
	v.press("Up")
	v.wait("one up", func(lines []string) bool { return has(lines, "^shop-01 ") && !has(lines, "^shop-00 ") })
	for range 20 {
		v.press("NPage")
	}
	v.shows("shop-29 ", " to 31 of 31 functions")
	v.press("Home")
	v.wait("at the top again", func(lines []string) bool { return has(lines, "^bakery ") })
}

// changed lets an instance die and a breaker open.
func changed(t *testing.T, v *terminal, p *holdfast.Process, kill func()) {
	t.Helper()
	kill()
	v.wait("one of two", func(lines []string) bool {
		return fits(lines, 30, wide) && has(lines, "^bakery +1/2 +closed ") && has(lines, `^! .*bakery: 1 of 2 instances failed`) && has(lines, `bakery/.* active -> failed`)
	})
	run := func(args ...string) {
		t.Helper()
		if out, err := holdfast.Command(t.Context(), t, append(args, "--data-dir", p.Data)...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	run("function", "open-breaker", "bakery", "--reason", "wrong bread")
	v.wait("open", func(lines []string) bool { return has(lines, "^bakery +1/2 +open ") && has(lines, "wrong bread") })
	run("function", "reset-breaker", "bakery")
	v.wait("closed", func(lines []string) bool { return has(lines, "^bakery +1/2 +closed ") })
}

// restarted takes Holdfast away and brings it back.
func restarted(t *testing.T, v *terminal, p *holdfast.Process, file string) {
	t.Helper()
	if err := p.Stop(patience); err != nil {
		t.Fatal(err)
	}
	v.shows("no answer since ", "asking again", "bakery")
	p.Again(t, "-c", file)
	v.wait("there again", func(lines []string) bool {
		return fits(lines, 30, wide) && has(lines, "started anew at ") && !has(lines, "no answer since")
	})
}

// asBefore says that the shell has its terminal back.
func asBefore(t *testing.T, v *terminal, modes string) {
	t.Helper()
	if got := v.state(); got != "0 1" {
		t.Errorf("own screen and cursor afterwards: %s, want 0 1", got)
	}
	after := modes + "-after"
	v.enter("stty -g >" + after + "; echo written")
	v.wait("written", func(lines []string) bool { return has(lines, "^written$") })
	want, err := os.ReadFile(modes)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(after); err != nil || string(got) != string(want) {
		t.Errorf("the modes of the terminal were %s and are %s, %v", want, got, err)
	}
	v.enter("clear")
	v.wait("cleared", func(lines []string) bool { return !has(lines, "written") })
}
