package process_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"holdfast/internal/platform"
	"holdfast/internal/platform/process"
)

func TestTheLatestOutputIsKeptInBoundedCleanLines(t *testing.T) {
	t.Parallel()
	spec := child("noisy")
	spec.Output.Lines = 10
	spec.Output.File = filepath.Join(t.TempDir(), "{id}.log")
	var mu sync.Mutex
	var forwarded []string
	r := start(t, spec, process.Config{Output: func(id, line string) {
		mu.Lock()
		defer mu.Unlock()
		forwarded = append(forwarded, id+": "+line)
	}})
	r.awaitState("f-1", platform.Running)
	var kept []string
	poll(t, "the last line", func() bool {
		kept = r.Output("f-1")
		return len(kept) > 0 && kept[len(kept)-1] == "from stderr"
	})
	if len(kept) != 10 || kept[0] != "line 43" {
		t.Errorf("kept are %d lines from %q on", len(kept), kept[0])
	}
	if long := kept[7]; len(long) > 4200 || !strings.HasSuffix(long, "[line cut]") {
		t.Errorf("the long line is %d bytes", len(long))
	}
	if junk := kept[8]; junk != "red \ufffd\ufffd\ufffd\ufffd junk" || !utf8.ValidString(junk) {
		t.Errorf("the junk is %q", junk)
	}
	r.stop()
	if last := forwarded[len(forwarded)-1]; len(forwarded) != 54 || last != "f-1: no end" {
		t.Errorf("%d lines were passed on, the last one %q", len(forwarded), last)
	}
	file, err := os.ReadFile(strings.ReplaceAll(spec.Output.File, "{id}", "f-1"))
	if err != nil || strings.Count(string(file), "\n") != 54 || !strings.HasSuffix(string(file), " no end\n") {
		t.Errorf("the file has %d lines, %v", strings.Count(string(file), "\n"), err)
	}
}

func TestInstancesShareAFileWithoutMixingLines(t *testing.T) {
	t.Parallel()
	spec := child("noisy")
	spec.Instances = 3
	spec.Output.File = filepath.Join(t.TempDir(), "all.log")
	r := start(t, spec, process.Config{})
	for _, id := range []string{"f-1", "f-2", "f-3"} {
		r.awaitState(id, platform.Running)
	}
	r.stop()
	file, err := os.ReadFile(spec.Output.File)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"f-1", "f-2", "f-3"} {
		if n := strings.Count(string(file), "Z "+id+" "); n != 54 {
			t.Errorf("%d lines are of %s", n, id)
		}
	}
	if n := strings.Count(string(file), "\n"); n != 3*54 {
		t.Errorf("there are %d lines", n)
	}
}

func TestOutputOfEarlierLivesIsKept(t *testing.T) {
	t.Parallel()
	r := start(t, child("crash"), process.Config{})
	r.await("f-1", "has failed often", func(i platform.Instance) bool { return i.Restarts > 2 })
	if kept := r.Output("f-1"); len(kept) < 2 || kept[0] != kept[1] {
		t.Errorf("kept is %q", kept)
	}
	if r.Output("f-9") != nil {
		t.Error("there is output of nobody")
	}
}
