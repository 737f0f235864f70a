//go:build linux

package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/test/need"
)

// TestMain lets the test binary be Holdfast's generator, which a run starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == generateVerb {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestEveryToolsAnswersAreRight(t *testing.T) { //nolint:paralleltest // it measures
	for _, program := range []string{"nginx", "wrk", "h2load"} {
		need.Command(t, program)
	}
	names := append([]string{reference, "h2load", ours}, built(t)...)
	var out, diagnostics bytes.Buffer
	args := []string{"-tools", strings.Join(names, ","), "-cases", "closed", "-rounds", "1", "-time", "1s", "-users", "8"}
	if err := run(t.Context(), args, &out, &diagnostics); err != nil {
		t.Fatal(err, diagnostics.String())
	}
	t.Log("\n" + out.String()) // the ratios; nothing is asserted about time
	for _, name := range names {
		if !strings.Contains(out.String(), "\n"+name+" ") {
			t.Errorf("no row of %s", name)
		}
	}
}

// built are the tools that are in the cache: building them takes minutes.
func built(t *testing.T) (names []string) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range tools() {
		found, err := filepath.Glob(filepath.Join(cache, "holdfast-bench", tool.name+"-*"))
		if err != nil {
			t.Fatal(err)
		}
		if tool.module != "" && len(found) > 0 && !strings.HasSuffix(found[0], ".new") {
			names = append(names, tool.name)
		}
	}
	return names
}

func TestAWrongAnswerMakesARunFail(t *testing.T) {
	t.Parallel()
	j := &job{Users: 2, Threads: 1, Seconds: 1, URL: "http://127.0.0.1:1/", Dir: t.TempDir()} // nobody listens
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range tools() {
		if tool.name != ours {
			continue
		}
		if _, err := perform(t.Context(), &tool, self, j); !errors.Is(err, errBadAnswers) {
			t.Error(err)
		}
	}
	r := &report{bouts: []*bout{{name: "closed", entries: []*entry{{tool: tool{name: "k6"}, missing: "it ended"}}}}}
	if err := r.missing(); !errors.Is(err, errMissing) || !strings.Contains(err.Error(), "closed, k6: it ended") {
		t.Error(err)
	}
}

func TestWhatToolsPrintIsRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text      string
		good, bad int64
	}{
		"wrk":    {"Running\n\nresult 100 3 1000000\n", 97, 3},
		"h2load": {"requests: 24402 total, 24466 started, 24402 done, 24400 succeeded, 2 failed, 0 errored, 0 timeout\n", 24400, 2},
		"hey": {"Summary:\n  Total:\t1.0080 secs\n\nStatus code distribution:\n  [200]\t5928 responses\n\nError distribution:\n" +
			"  [3]\tGet http://a: refused\n", 5928, 3},
		"vegeta":   {`{"duration":1000000000,"requests":10,"status_codes":{"0":1,"200":9},"errors":["refused"]}`, 9, 1},
		"k6":       {`{"metrics":{"http_reqs":{"count":10,"rate":5},"http_req_failed":{"passes":2,"fails":8,"value":0.2}}}`, 8, 2},
		"holdfast": {`{"Good":7,"Bad":1,"Elapsed":1000000000,"Why":""}`, 7, 1},
	} {
		for _, tool := range tools() {
			if tool.name != name {
				continue
			}
			o, err := tool.read(&job{Seconds: 1}, []byte(c.text))
			if err != nil || o.Good != c.good || o.Bad != c.bad || o.Elapsed <= 0 {
				t.Errorf("%s: %+v, %v", name, o, err)
			}
			if _, err := tool.read(&job{Seconds: 1}, []byte("killed")); !errors.Is(err, errUnread) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestAPlanIsCheckedBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-tools", "wrk,ab"}, {"-cases", "half"}, {"-rounds", "0"}, {"-time", "1500ms"}, {"-users", "1"}, {"-crowd", "3"}, {"-unknown"},
	} {
		if _, err := readPlan(args, new(bytes.Buffer)); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}

func TestAReportGoesBetweenItsMarks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "performance.md")
	if err := os.WriteFile(path, []byte("before\n"+startMark+"\nlast report\n"+endMark+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	two := func(cpu ...float64) (list []sample) {
		for _, v := range cpu {
			list = append(list, sample{CPU: v, Rate: 1000})
		}
		return list
	}
	r := &report{plan: &plan{rounds: 2, round: time.Second}, started: time.Now(), bouts: []*bout{{
		name: "closed", against: reference, users: 8,
		entries: []*entry{{tool: tool{name: reference}, rounds: two(10, 20)}, {tool: tool{name: ours}, rounds: two(15, 40)}},
	}}}
	if err := r.writeDocs(dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n", "\nafter\n", "| holdfast | 27.5 | 1.75 | 1.50 .. 2.00 | 1000 |"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %q in %s", want, page)
		}
	}
	if strings.Contains(string(page), "last report") {
		t.Error("the last report is still there")
	}
	if err := os.WriteFile(path, []byte("no marks"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.writeDocs(dir); !errors.Is(err, errMarks) {
		t.Error(err)
	}
}
