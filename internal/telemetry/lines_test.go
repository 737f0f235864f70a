package telemetry_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/telemetry"
)

// writes keeps what came with each call.
type writes struct {
	mu   sync.Mutex
	list []string
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, string(p))
	return len(p), nil
}

func (w *writes) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.list
}

func FuzzLinesAreWrittenAsLoggersWriteThem(f *testing.F) {
	for _, s := range []string{
		"", "/plain-path_1.2~", "a b", `q"uote`, `back\slash`, "x=y", "tab\there", "line\nbreak", "\x00\x1f\x7f", "süß", "日本", "\xff\xfe",
		"<html>&", "\u2028\u2029", "\u00a0", "\ufffd", "\u200b", "'", "{}[],:",
	} {
		f.Add(s, int64(200), int64(1_234_567))
	}
	f.Add("x", int64(-5), int64(0))
	f.Add("x", int64(0), int64(999_994_999))
	f.Add("x", int64(0), int64(10_000))
	at := time.Date(2026, 11, 22, 5, 16, 35, 120_345_000, time.FixedZone("", 3600))
	f.Fuzz(func(t *testing.T, s string, n, took int64) {
		d := time.Duration(took % int64(900*time.Second)) // beyond, loggers write exponents in text
		ms := float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
		for _, json := range []bool{false, true} {
			var want, got bytes.Buffer
			r := slog.NewRecord(at, slog.LevelInfo, "an exchange", 0)
			r.AddAttrs(slog.String("text", s), slog.String("word", s), slog.Int64("n", n), slog.Float64("ms", ms))
			logs := telemetry.NewLogs(&want, json, slog.LevelInfo, nil)
			if err := logs.For("access").Handler().Handle(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			lines := telemetry.NewLogs(&got, json, slog.LevelInfo, nil).Lines("access", "an exchange", nil)
			line := lines.Begin(at)
			line.Text("text", []byte(s))
			line.Word("word", s)
			line.Int("n", n)
			line.Millis("ms", d)
			line.Add()
			written(t, lines)
			if want.String() != got.String() {
				t.Errorf("got  %swant %s", &got, &want)
			}
		}
	})
}

// written has all lines written that were added.
func written(t *testing.T, n *telemetry.Lines) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := n.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestLinesAreMasked(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	lines := telemetry.NewLogs(&out, false, slog.LevelInfo, nil).Lines("access", "exchange", func(s string) string { return strings.ReplaceAll(s, "secret", "***") })
	line := lines.Begin(time.Now())
	line.Text("path", []byte("/secret/x"))
	line.Add()
	written(t, lines)
	if s := out.String(); !strings.Contains(s, " path=/***/x\n") {
		t.Error(s)
	}
}

func add(n *telemetry.Lines, i, size int) {
	line := n.Begin(time.Now())
	line.Int("i", int64(i))
	line.Word("fill", strings.Repeat("x", size))
	line.Add()
}

func TestLinesAreWrittenInBatchesAndInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out writes
		lines := telemetry.NewLogs(&out, false, slog.LevelInfo, nil).Lines("access", "exchange", nil)
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- lines.Run(ctx) }()
		for i := range 100 {
			add(lines, i, 10)
		}
		synctest.Wait()
		if n := len(out.all()); n != 0 {
			t.Errorf("%d writes before others could come", n)
		}
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if n := len(out.all()); n != 1 {
			t.Errorf("%d writes of 100 lines, want 1", n)
		}
		for i := range 100 { // more than is kept waiting
			add(lines, 100+i, 1000)
		}
		synctest.Wait()
		if n := len(out.all()); n != 2 {
			t.Errorf("%d writes with 100 KiB to write, want 2", n)
		}
		add(lines, 200, 10)
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		i := 0
		for line := range strings.Lines(strings.Join(out.all(), "")) {
			if !strings.Contains(line, fmt.Sprintf(" i=%d ", i)) {
				t.Errorf("line %d is %s", i, line)
			}
			i++
		}
		if i != 201 || lines.Dropped() != 0 {
			t.Errorf("%d lines, %d dropped, want 201 and none", i, lines.Dropped())
		}
	})
}

func TestLinesThatNobodyWritesAreDroppedAndCounted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	lines := telemetry.NewLogs(&out, false, slog.LevelInfo, nil).Lines("access", "exchange", nil)
	const n = 2000
	for i := range n {
		add(lines, i, 1000)
	}
	written(t, lines)
	kept := uint64(strings.Count(out.String(), "\n"))
	if dropped := lines.Dropped(); out.Len() > 1<<20 || kept < 900 || kept+dropped != n {
		t.Errorf("%d lines of %d bytes written, %d dropped", kept, out.Len(), dropped)
	}
}

func TestALevelSilencesLines(t *testing.T) {
	t.Parallel()
	logs := telemetry.NewLogs(&bytes.Buffer{}, false, slog.LevelInfo, nil)
	lines := logs.Lines("access", "exchange", nil)
	if !lines.Enabled() {
		t.Error("silent at level info")
	}
	logs.SetLevel("access", slog.LevelWarn)
	if lines.Enabled() {
		t.Error("enabled at level warn")
	}
}
