package process

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTwoDriversNeverHoldTheSamePort(t *testing.T) {
	t.Parallel()
	free, hold, err := newPortSource(Range{}).take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	narrow := newPortSource(Range{From: free, To: free})
	if port, _, err := narrow.take(t.Context()); err == nil {
		t.Errorf("port %d was given twice", port)
	}
	if err := hold.Close(); err != nil {
		t.Fatal(err)
	}
	port, again, err := narrow.take(t.Context())
	if err != nil || port != free {
		t.Fatalf("the port was not given back: %d, %v", port, err)
	}
	_ = again.Close()
}

func TestPortsOfARangeAreGivenInOrderUntilNoneIsLeft(t *testing.T) {
	t.Parallel()
	var begin int
	for _, hold := range holdThree(t, &begin) {
		defer func() { _ = hold.Close() }()
	}
	_, _, err := newPortSource(Range{From: begin, To: begin + 2}).take(t.Context())
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("no port of %d-%d is free", begin, begin+2)) {
		t.Errorf("the fourth of three ports gives %v", err)
	}
}

// holdThree takes three ports in a row.
func holdThree(t *testing.T, begin *int) []interface{ Close() error } {
	t.Helper()
	for from := 18000; from < 19000; from += 3 {
		source := newPortSource(Range{From: from, To: from + 2})
		var holds []interface{ Close() error }
		for i := range 3 {
			port, hold, err := source.take(t.Context())
			if err == nil {
				holds = append(holds, hold)
			}
			if err != nil || port != from+i {
				break
			}
		}
		if len(holds) == 3 {
			*begin = from
			return holds
		}
		for _, hold := range holds {
			_ = hold.Close()
		}
	}
	t.Fatal("no three free ports in a row")
	return nil
}

func TestWithoutAWindowTheKernelChoosesThePort(t *testing.T) {
	t.Parallel()
	source := portSource{window: Range{From: 2, To: 1}, random: true}
	port, hold, err := source.take(t.Context())
	if err != nil || port == 0 {
		t.Fatalf("it gave %d, %v", port, err)
	}
	_ = hold.Close()
}

func TestOutputFilesAreOfBoundedSize(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out.log")
	f := newLineFile("f-1", Output{File: path, FileLimit: 200}, slog.New(slog.DiscardHandler))
	for i := range 100 {
		f.write("f-1", fmt.Sprintf("line %d", i))
	}
	f.close()
	var all string
	for _, name := range []string{path + ".1", path} {
		text, err := os.ReadFile(name)
		if err != nil || len(text) > 200 || len(text) == 0 {
			t.Errorf("%s has %d bytes, %v", name, len(text), err)
		}
		all += string(text)
	}
	if !strings.HasSuffix(all, "line 99\n") || strings.Count(all, "\n") < 5 {
		t.Errorf("the files say %q", all)
	}
}

func TestAFileThatWasMovedAwayIsBegunAnew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out.log")
	f := newLineFile("f-1", Output{File: path, FileLimit: 200}, slog.New(slog.DiscardHandler))
	defer f.close()
	f.write("f-1", "before")
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	f.write("f-1", "after")
	if text, err := os.ReadFile(path); err != nil || !strings.HasSuffix(string(text), "f-1 after\n") {
		t.Errorf("the file says %q, %v", text, err)
	}
}

func TestOnlyFilesAreMovedAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	device, link := filepath.Join(dir, "null"), filepath.Join(dir, "link")
	if err := os.Symlink("/dev/null", device); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "target"), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{device, link} {
		f := newLineFile("f-1", Output{File: path, FileLimit: 100}, slog.New(slog.DiscardHandler))
		for range 10 {
			f.write("f-1", "a line of some length")
		}
		f.close()
		if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s was moved: %v", path, err)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "target.1")); err != nil || info.Size() > 100 {
		t.Errorf("the file behind the link was not moved: %v", err)
	}
}

func TestAFileThatCannotBeMovedDoesNotGrow(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out.log")
	if err := os.MkdirAll(filepath.Join(path+".1", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	f := newLineFile("f-1", Output{File: path, FileLimit: 200}, slog.New(slog.DiscardHandler))
	for i := range 100 {
		f.write("f-1", fmt.Sprintf("line %d", i))
	}
	f.close()
	if info, err := os.Stat(path); err != nil || info.Size() > 200 {
		t.Errorf("it has %d bytes, %v", info.Size(), err)
	}
}

func TestAFileThatCannotBeWrittenIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	f := newLineFile("f-1", Output{File: filepath.Join(t.TempDir(), "no", "dir"), FileLimit: 200}, slog.New(slog.NewTextHandler(&log, nil)))
	f.write("f-1", "one")
	f.write("f-1", "two")
	f.close()
	if strings.Count(log.String(), "output file not written") != 1 {
		t.Errorf("the log says %q", log.String())
	}
}

func TestALifeThatWasRetiredDoesNotBecomeRunning(t *testing.T) {
	t.Parallel()
	d, err := New(Spec{Function: "f", Command: []string{"unused"}}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := d.newSlot(false, cancel)
	life, ok := s.begin(ctx)
	if !ok {
		t.Fatal("the first life did not begin")
	}
	l, running := s.retire(false, "for a test", nil)
	if running || s.setRunning(life, l) {
		t.Error("it was not drained and takes traffic")
	}
	life, ok = s.begin(ctx)
	if !ok || !s.setRunning(life, s.current()) {
		t.Error("the life after it does not become running")
	}
	if _, running := s.retire(true, "for a test", nil); !running {
		t.Error("it would not be drained")
	}
	if _, ok := s.begin(ctx); ok {
		t.Error("a life began after the last one")
	}
}
