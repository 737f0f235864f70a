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
		f.write(fmt.Sprintf("line %d", i))
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

func TestAFileThatCannotBeWrittenIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	f := newLineFile("f-1", Output{File: filepath.Join(t.TempDir(), "no", "dir"), FileLimit: 200}, slog.New(slog.NewTextHandler(&log, nil)))
	f.write("one")
	f.write("two")
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
	s := d.newSlot(cancel)
	life, ok := s.begin(ctx)
	if !ok {
		t.Fatal("the first life did not begin")
	}
	l, running := s.retire(false, "for a test")
	if running || s.setRunning(life, l) {
		t.Error("it was not drained and takes traffic")
	}
	life, ok = s.begin(ctx)
	if !ok || !s.setRunning(life, s.current()) {
		t.Error("the life after it does not become running")
	}
	if _, running := s.retire(true, "for a test"); !running {
		t.Error("it would not be drained")
	}
	if _, ok := s.begin(ctx); ok {
		t.Error("a life began after the last one")
	}
}
