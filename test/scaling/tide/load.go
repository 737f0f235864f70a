package tide

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"holdfast/test/holdfast"
)

// load is one `holdfast load`, which goes on until it is interrupted.
type load struct {
	cmd       *exec.Cmd
	out, errs bytes.Buffer
	over      chan error
}

func begin(t *testing.T, url string, rate int) *load {
	t.Helper()
	l := &load{over: make(chan error, 1)}
	l.cmd = holdfast.Command(t.Context(), t, "load", url, "--rate", strconv.Itoa(rate), "--duration", "30m",
		"--timeout", answerIn.String(), "--check", "status 2xx", "--output", "json")
	l.cmd.Stdout, l.cmd.Stderr = &l.out, &l.errs
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { l.over <- l.cmd.Wait() }()
	t.Cleanup(func() {
		_ = l.cmd.Process.Kill() // it has ended, unless the test failed
		select {
		case <-l.over:
		case <-time.After(answerIn):
			t.Error("the load has not ended")
		}
	})
	return l
}

// end interrupts the load as Ctrl-C does. None of its requests may have failed.
func (l *load) end(t *testing.T) {
	t.Helper()
	if err := l.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := <-l.over
	l.over <- nil // for the cleanup
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("holdfast load ended with %v\n%s", err, l.errs.String())
	}
	var report struct {
		Total struct {
			OK, Failed int
			Classes    map[string]int
			Statuses   map[string]int
		}
	}
	if err := json.Unmarshal(l.out.Bytes(), &report); err != nil {
		t.Fatalf("%v\n%s%s", err, l.out.String(), l.errs.String())
	}
	if r := report.Total; r.Failed > 0 || r.OK < 20 {
		t.Errorf("of %d requests %d failed: %v, %v", r.OK+r.Failed, r.Failed, r.Classes, r.Statuses)
	} else {
		t.Logf("%d requests, all answered", r.OK)
	}
}
