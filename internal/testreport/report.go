package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// report gathers what the steps of a run found. Its steps run one after another; it is not safe for concurrent use.
type report struct {
	out    io.Writer
	noSkip bool // a skipped test is a failed one

	stages []stage
	passed int
	failed []string // one line each
	skips  []skip
	figure []string
}

// stage is one line of "what ran".
type stage struct {
	name, result string
	took         time.Duration
}

// skip is a test that did not run, and why.
type skip struct{ pkg, test, reason string }

// check runs a command that is fine when it exits with 0, and then silent.
func (r *report) check(ctx context.Context, name, dir string, args ...string) {
	start := time.Now()
	cmd := command(ctx, dir, args)
	out, err := cmd.CombinedOutput()
	result := "ok"
	if err != nil {
		result = "FAIL"
		r.failed = append(r.failed, fmt.Sprintf("%s: %s", strings.Join(args, " "), err))
		fmt.Fprintf(r.out, "FAIL  %s\n%s", name, indent([]string{string(out)}))
	} else {
		r.passed++
		r.row("ok", name, "", seconds(time.Since(start)))
	}
	r.stages = append(r.stages, stage{name, result, time.Since(start)})
}

// suite runs `go test -json` with args in dir and reads what it says.
func (r *report) suite(ctx context.Context, name, dir string, args ...string) {
	start := time.Now()
	// vet has been a step of its own.
	cmd := command(ctx, dir, append([]string{"go", "test", "-json", "-vet=off"}, args...))
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	s := newSuiteRun(r.packageLine)
	err := s.from(cmd)
	before := len(r.failed)
	ran, packages := r.count(s)
	if err != nil && len(r.failed) == before {
		r.failed = append(r.failed, name+": go test: "+err.Error())
		fmt.Fprintf(r.out, "FAIL  %s: %s\n%s", name, err, indent(append(s.strays, complaints.String())))
	} else if ran == 0 {
		r.failed = append(r.failed, name+": no test ran")
	}
	result := amount(ran, "test") + " in " + amount(packages, "package")
	if n := len(r.failed) - before; n > 0 {
		result += fmt.Sprintf(", %d FAILED", n)
	}
	r.stages = append(r.stages, stage{name, result, time.Since(start)})
}

func (s *suiteRun) from(cmd *exec.Cmd) error {
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	return errors.Join(s.read(pipe), cmd.Wait())
}

// command prepares args in dir. It is interrupted, not killed, when ctx ends, so that go test can end its children.
func command(ctx context.Context, dir string, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	return cmd
}

// count adds the tests of s to the totals and returns how many ran or were skipped, and in how many packages.
func (r *report) count(s *suiteRun) (tests, packages int) {
	for _, path := range sortedKeys(s.packages) {
		p := s.packages[path]
		before, n := len(r.failed), 0
		for _, t := range p.tests {
			n += r.countTest(p, t)
		}
		tests, packages = tests+n, packages+min(n, 1)
		if (p.verdict == failed || p.verdict == unfinished) && len(r.failed) == before {
			r.failed = append(r.failed, path+": the package failed outside its tests")
		}
	}
	return tests, packages
}

// countTest adds one test and returns 1 if it counts: leaves do, and parents that failed by their own doing.
func (r *report) countTest(p *packageRun, t *testRun) int {
	for _, f := range t.figures {
		r.figure = append(r.figure, fmt.Sprintf("%s %s: %s", p.path, t.name, f))
	}
	if t.verdict == passed {
		r.forgive(p.path, t.name)
	}
	if t.parent && (t.verdict == passed || p.blamed(t)) {
		return 0
	}
	switch t.verdict {
	case passed:
		r.passed++
	case skipped:
		r.skips = append(r.skips, skip{p.path, t.name, t.reason()})
	case failed:
		r.failed = append(r.failed, p.path+" "+t.name)
	case unfinished:
		r.failed = append(r.failed, p.path+" "+t.name+": did not end")
	}
	return 1
}

// blamed says whether a subtest of t explains why t did not pass.
func (p *packageRun) blamed(t *testRun) bool {
	return slices.ContainsFunc(p.tests, func(sub *testRun) bool {
		return strings.HasPrefix(sub.name, t.name+"/") && sub.verdict != passed && sub.verdict != skipped
	})
}

// forgive drops the skip of a test that has passed in a later suite.
func (r *report) forgive(pkg, test string) {
	r.skips = slices.DeleteFunc(r.skips, func(s skip) bool { return s.pkg == pkg && s.test == test })
}

// wantPlain names the tests that skipped because of the race detector, and their packages.
func (r *report) wantPlain() (tests, packages []string) {
	for _, s := range r.skips {
		if strings.Contains(strings.ToLower(s.reason), "race detector") {
			top, _, _ := strings.Cut(s.test, "/")
			tests = append(tests, top)
			packages = append(packages, s.pkg)
		}
	}
	slices.Sort(tests)
	slices.Sort(packages)
	return slices.Compact(tests), slices.Compact(packages)
}

func stderrOf(err error) string {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "\n" + string(exit.Stderr)
	}
	return ""
}
