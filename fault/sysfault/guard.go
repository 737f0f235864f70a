package sysfault

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// Guard is the body of the command Config.Guard: it watches over a driver through r, its standard input, until that says
// it is well, or ends because the driver is gone; then it takes back what the driver left. It ignores the signals that
// end the programs of a terminal or a service, since it has to outlive the driver by a moment.
func Guard(r io.Reader) error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	lines := make(chan string)
	go func() { // ends with the process, which this is the whole of
		defer close(lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			lines <- s.Text()
		}
	}()
	path, ok := <-lines
	if !ok || !strings.HasSuffix(path, journalName) {
		return errors.New("guard faults: this command is for the program itself")
	}
	for ok {
		var line string
		if line, ok = waitLine(lines, nextOverdue(path)); line == farewell {
			return nil
		}
		if ok {
			revertOverdue(path, time.Now())
		}
	}
	j, err := openJournal(context.Background(), path)
	if err != nil {
		return err // whoever holds the lock has taken back all, or will
	}
	defer j.close()
	_, err = j.settle()
	return err
}

const (
	farewell = "well"
	changed  = "changed"
	// guardGrace is how much later than the driver the guard takes back what is overdue.
	guardGrace = time.Second
	// guardIdle bounds how long the guard sleeps on nothing.
	guardIdle = time.Hour
)

// waitLine waits for a line or for a time; ok is false when the lines have ended.
func waitLine(lines <-chan string, d time.Duration) (line string, ok bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case line, ok = <-lines:
		return line, ok
	case <-timer.C:
		return "", true
	}
}

// nextOverdue says when the guard has to look again.
func nextOverdue(path string) time.Duration {
	next := guardIdle
	open, _ := readOpen(path) // one that cannot be read is looked at again
	for _, e := range open {
		next = min(next, max(guardGrace/10, time.Until(e.Until.Add(guardGrace))))
	}
	return next
}

// revertOverdue takes back what a driver that hangs should have. The driver may do it again.
func revertOverdue(path string, now time.Time) {
	open, err := readOpen(path)
	if err != nil {
		return
	}
	for _, e := range open {
		if now.Before(e.Until.Add(guardGrace)) || e.Undo.revert() != nil {
			continue // tried again
		}
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return
		}
		_ = (&journal{path: path, file: file}).add(entry{ID: e.ID, Done: true}) // else done again
		_ = file.Close()
	}
}

// guard is a driver's end of its guard process.
type guard struct {
	cmd   *exec.Cmd
	pipe  *os.File
	ended chan struct{} // closed when the process has ended
	err   error         // how; set before
}

// startGuard starts the guard in a session of its own, out of reach of what is done to the driver's group.
func startGuard(command []string, path string) (*guard, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start guard of faults: %w", err)
	}
	cmd := exec.Command(command[0], command[1:]...) //nolint:noctx // it must outlive every context
	cmd.Stdin, cmd.SysProcAttr = r, &syscall.SysProcAttr{Setsid: true}
	cmd.Env = []string{} // it needs none of the driver's secrets
	err = cmd.Start()
	_ = r.Close() // the guard has its own copy
	if err != nil {
		_ = w.Close()
		return nil, fmt.Errorf("start guard of faults: %w", err)
	}
	g := &guard{cmd: cmd, pipe: w, ended: make(chan struct{})}
	go func() { // stop waits for it
		defer close(g.ended)
		g.err = cmd.Wait()
	}()
	g.tell(path)
	return g, nil
}

// tell never waits for long: a guard that does not read is one that somebody froze, and will look when it is thawed.
func (g *guard) tell(line string) {
	_ = g.pipe.SetWriteDeadline(time.Now().Add(time.Second)) // the write tells
	_, _ = g.pipe.WriteString(line + "\n")                   // a guard that is gone is noticed elsewhere
}

const stopGrace = 2 * time.Second

// stop is called when all is taken back.
func (g *guard) stop() {
	g.tell(farewell)
	_ = g.pipe.Close()
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-g.ended:
		return
	case <-timer.C:
	}
	_ = g.cmd.Process.Kill() // gone already is as good
	<-g.ended
}
