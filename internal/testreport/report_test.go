package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sample is a module with one package for each way a package can end.
const sample = `
-- go.mod
module sample

go 1.26
-- fine/fine_test.go
package fine

import "testing"

func TestLeafCounts(t *testing.T) { t.Attr("p99", "12ms") }
func TestParentDoesNot(t *testing.T) {
	t.Run("one", func(t *testing.T) {})
	t.Run("two/with/slashes", func(t *testing.T) {})
}
func TestWithoutItsPart(t *testing.T) { t.Skip("nginx is not installed") }
func TestFigures(t *testing.T) { t.Skip("the race detector distorts it") }
-- wrong/wrong_test.go
package wrong

import "testing"

func TestSubtestFails(t *testing.T) {
	t.Run("row", func(t *testing.T) { t.Log("first clue"); t.Fatal("got 1, want 2") })
}
func TestQuiet(t *testing.T) { t.Log("not shown") }
-- dies/dies_test.go
package dies

import "testing"

func TestPanics(t *testing.T) { panic("out of fuel") }
-- leaks/leaks_test.go
package leaks

import ("fmt"; "os"; "testing")

func TestMain(m *testing.M) { m.Run(); fmt.Println("a goroutine is left"); os.Exit(1) }
func TestNothing(t *testing.T) {}
-- broken/broken_test.go
package broken

import "testing"

func TestNever(t *testing.T) { undefined() }
-- bare/bare.go
package bare
`

// unpack writes the files of an archive of "-- name" sections below a new directory.
func unpack(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	for section := range strings.SplitSeq(archive, "\n-- ") {
		name, text, ok := strings.Cut(section, "\n")
		if !ok || name == "" {
			continue
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEveryWayToEndIsReportedAndCounted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := &report{out: &out}
	r.suite(t.Context(), "unit tests", unpack(t, sample), "./...")
	if r.close() {
		t.Error("close reports success")
	}
	text := out.String()
	for _, want := range []string{
		"SKIPPED sample/fine TestWithoutItsPart: nginx is not installed",
		"sample/fine TestLeafCounts: p99 12ms",
		"first clue", "got 1, want 2", "sample/wrong TestSubtestFails/row",
		"panic: out of fuel", "sample/dies TestPanics",
		"a goroutine is left", "sample/leaks: the package failed outside its tests",
		"undefined: undefined", "sample/broken: the package failed outside its tests",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("report lacks %q", want)
		}
	}
	if strings.Contains(text, "not shown") {
		t.Error("report shows the output of a passed test")
	}
	// passed: a leaf, two subtests, TestQuiet, TestNothing. failed: a row, a panic, a leak, a build.
	if want := "\n5 passed, 4 failed, 2 skipped\n"; !strings.HasSuffix(text, want) {
		t.Errorf("report ends with %q, want %q", text[max(0, len(text)-60):], want)
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestATestSkippedUnderTheRaceDetectorCountsByItsSecondRun(t *testing.T) {
	t.Parallel()
	r := &report{skips: []skip{
		{"a", "TestAllocs/small", "the race detector distorts what is measured here"},
		{"b", "TestNginx", "nginx is not installed"},
	}}
	tests, packages := r.wantPlain()
	if len(tests) != 1 || tests[0] != "TestAllocs" || len(packages) != 1 || packages[0] != "a" {
		t.Fatalf("wantPlain() = %v, %v", tests, packages)
	}
	r.countTest(&packageRun{path: "a"}, &testRun{name: "TestAllocs/small", verdict: passed})
	if len(r.skips) != 1 || r.skips[0].test != "TestNginx" {
		t.Errorf("skips after the second run: %v", r.skips)
	}
}

func TestWithSkippingForbiddenASkipIsAFailure(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := &report{out: &out, noSkip: true, passed: 3, skips: []skip{{"p", "TestX", "no docker"}}}
	if r.close() {
		t.Error("close reports success")
	}
	if !strings.HasSuffix(out.String(), "3 passed, 1 failed, 0 skipped\n") {
		t.Error(out.String())
	}
}

func TestASuiteWithoutTestsFails(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := &report{out: &out}
	r.suite(t.Context(), "empty", unpack(t, "\n-- go.mod\nmodule m\n\ngo 1.26\n-- p/p.go\npackage p\n"), "./...")
	if r.close() || !strings.Contains(out.String(), "empty: no test ran") {
		t.Error(out.String())
	}
}

func TestAGoCommandThatCannotStartFails(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := &report{out: &out}
	r.suite(t.Context(), "nowhere", t.TempDir(), "./...")
	if r.close() || !strings.Contains(out.String(), "main module") {
		t.Error(out.String())
	}
}

func TestACheckIsSilentWhenFineAndFullWhenNot(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := &report{out: &out}
	r.check(t.Context(), "fine", "", "sh", "-c", "echo chatter")
	if strings.Contains(out.String(), "chatter") || r.passed != 1 {
		t.Errorf("%d passed: %s", r.passed, &out)
	}
	r.check(t.Context(), "bad", "", "sh", "-c", "echo the reason; exit 3")
	if !strings.Contains(out.String(), "the reason") || len(r.failed) != 1 {
		t.Errorf("failed %v: %s", r.failed, &out)
	}
}
