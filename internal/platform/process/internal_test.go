package process

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWaitsDoubleUpToTheMaximum(t *testing.T) {
	t.Parallel()
	f := failures{
		backoff: Backoff{Base: 100 * time.Millisecond, Max: time.Second, ResetAfter: time.Minute},
		loop:    CrashLoop{Failures: 100, Within: time.Minute},
	}
	now := time.Unix(0, 0)
	for i, ms := range []int64{100, 200, 400, 800, 1000, 1000} {
		if got := f.add(now, 0, 0); got.Milliseconds() != ms {
			t.Errorf("failure %d waits %s", i+1, got)
		}
	}
	if got := f.add(now, 0, 0.999); got < 900*time.Millisecond || got > 901*time.Millisecond {
		t.Errorf("with jitter it waits %s", got)
	}
	if got := f.add(now, time.Minute, 0); got != 100*time.Millisecond {
		t.Errorf("after running well it waits %s", got)
	}
}

func TestOnlyFailuresWithinTheTimeMakeACrashLoop(t *testing.T) {
	t.Parallel()
	f := failures{
		backoff: Backoff{Base: time.Millisecond, Max: time.Second, ResetAfter: time.Minute},
		loop:    CrashLoop{Failures: 3, Within: 10 * time.Second},
	}
	now := time.Unix(0, 0)
	for range 20 {
		f.add(now, time.Second, 0)
		now = now.Add(6 * time.Second)
		if f.looping {
			t.Fatal("rare failures are called a crash loop")
		}
	}
	f.add(now, 0, 0)
	if wait := f.add(now, 0, 0); !f.looping || wait != time.Second {
		t.Errorf("three failures within 10 s: looping %v, wait %s", f.looping, wait)
	}
	now = now.Add(time.Hour)
	if wait := f.add(now, 30*time.Second, 0); !f.looping || wait != time.Second {
		t.Error("the loop is forgotten although the instance never ran for ResetAfter")
	}
	if wait := f.add(now, time.Minute, 0); f.looping || wait != time.Millisecond {
		t.Error("the loop is remembered although the instance ran for ResetAfter")
	}
}

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

func TestALineIsMadeSafeToShow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw     string
		dropped int
		want    string
	}{
		{"plain", 0, "plain"},
		{"tab\tand ümlaut", 0, "tab\tand ümlaut"},
		{"dos\r", 0, "dos"},
		{"\x1b[1;31mbold red\x1b[0m", 0, "bold red"},
		{"\x1b[unfinished", 0, "nfinished"},
		{"\x1b[12", 0, ""},
		{"\x1b]0;title\x07", 0, "\ufffd]0;title\ufffd"},
		{"\u009b31m", 0, "\ufffd31m"},
		{"cut in a character \xc3", 5, "cut in a character  [line cut]"},
		{"cut after one ü", 5, "cut after one ü [line cut]"},
	}
	for _, test := range tests {
		if got := clean([]byte(test.raw), test.dropped); got != test.want {
			t.Errorf("%q becomes %q, want %q", test.raw, got, test.want)
		}
	}
}

func TestListeningSocketsOfAGroupAreFound(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0100007F:1F90":                         "127.0.0.1:8080",
		"00000000000000000000000001000000:0050": "[::1]:80",
		"0000000000000000FFFF00000100007F:0050": "127.0.0.1:80",
	} {
		if got, err := parseKernelAddr(text); err != nil || got.String() != want {
			t.Errorf("%s is read as %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ":", "01:00", "0100007F:", "0100007F:12345", "zz:1"} {
		if got, err := parseKernelAddr(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
	if own := listeningPorts(-5); len(own) != 0 {
		t.Errorf("a group of nobody listens on %v", own)
	}
}

func TestTheLastWordsAreCutToASentence(t *testing.T) {
	t.Parallel()
	o := newOutput("f-1", Output{Lines: 3}, nil, slog.New(slog.DiscardHandler))
	if o.last() != "" {
		t.Error("there are last words of a silent child")
	}
	o.write([]byte(strings.Repeat("ü", 300) + "\n\n  \n"))
	if last := o.last(); len(last) > 210 || !strings.HasPrefix(last, "üü") || !strings.HasSuffix(last, "ü...") {
		t.Errorf("the last words are %q", last)
	}
	if want := 3; len(slices.Compact(o.lines())) != want {
		t.Errorf("kept are %q", o.lines())
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
