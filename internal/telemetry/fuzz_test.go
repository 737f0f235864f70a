package telemetry_test

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/telemetry"
)

// FuzzDebug reads HOLDFAST_DEBUG, DEBUG and levels. What comes out are names
// that stood there, each once; a level that is no level changes nothing.
func FuzzDebug(f *testing.F) {
	f.Add("scaling,pool", "scaling:*,*", "debug")
	f.Add(" , ,:*,a:*:*", "\x00", "INFO+3")
	f.Add("", "", "warn-")
	f.Fuzz(func(t *testing.T, ours, theirs, level string) {
		names := telemetry.DebugComponents(ours, theirs)
		if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Errorf("%q, %q: %q", ours, theirs, names)
		}
		for _, name := range names {
			if name == "" || strings.ContainsRune(name, ',') || !strings.Contains(ours+","+theirs, name) {
				t.Errorf("%q, %q: the component %q", ours, theirs, name)
			}
		}
		if got, err := telemetry.ParseLevel(level); err != nil && got != 0 {
			t.Errorf("%q: %v, %v", level, got, err)
		} else if err == nil {
			logs := telemetry.NewLogs(discardAll{}, false, slog.LevelInfo, nil)
			logs.SetLevel("x", got)
			if logs.Levels()["x"] != got {
				t.Errorf("%q: set %v", level, got)
			}
		}
	})
}

type discardAll struct{}

func (discardAll) Write(p []byte) (int, error) { return len(p), nil }
