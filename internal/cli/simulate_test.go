package cli

import (
	"bytes"
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/autoscale"
	"holdfast/internal/history"
	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
)

// straight stores facts at once.
type straight struct {
	ctx context.Context //nolint:containedctx // of the test
	s   store.Store
}

func (d straight) Record(f store.Fact) error { return d.s.AppendFacts(d.ctx, []store.Fact{f}) }

// The history of a function becomes a trace: requests per minute, what is
// unknown filled between its neighbours.
func TestHistoryInTheStoreIsATrace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := sqlite.Open(sqlite.Config{Path: filepath.Join(dir, "holdfast.db"), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() // the test is over
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h, err := history.New(history.Config{Store: s, Recorder: straight{t.Context(), s}, Node: "one"})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now().Add(-time.Hour).Truncate(time.Minute)
	for minute := range 20 {
		p := history.Unknown(begin)
		if minute != 7 {
			p.Rate, p.Instances = float64(minute), 2
		}
		own := history.Unknown(begin)
		own.Own = 0.25
		if err := h.Append(begin.Add(time.Duration(minute)*time.Minute), []history.Sample{{Function: "web", Point: p}, {Function: history.SignalOf("web", "lag"), Point: own}}); err != nil {
			t.Fatal(err)
		}
	}
	f := &simulateFlags{history: "web", days: 1}
	trace, past, err := f.traceOfStore(t.Context(), s, []autoscale.Signal{"custom:lag", "custom:other"})
	if err != nil {
		t.Fatal(err)
	}
	if len(trace.Counts) != 20 || trace.Step != time.Minute || !trace.Begin.Equal(begin) {
		t.Fatalf("%d steps of %s from %s", len(trace.Counts), trace.Step, trace.Begin)
	}
	for minute, n := range trace.Counts {
		if want := 60 * float64(minute); math.Abs(n-want) > 0.005*want { // history keeps as much
			t.Errorf("minute %d: %v requests, want %v", minute, n, want)
		}
	}
	if len(trace.Notes) != 1 || !strings.Contains(trace.Notes[0], "1 in 1 gaps") {
		t.Errorf("notes: %q", trace.Notes)
	}
	if lag := past.Signals["custom:lag"]; len(past.At) != 19 || len(lag) != 19 || lag[0] != 0.25 || lag[18] != 0.25 || past.Instances[3] != 2 || len(past.Signals) != 1 {
		t.Errorf("beside the demand: %+v", past)
	}
	f.history = "shop"
	if _, _, err := f.traceOfStore(t.Context(), s, nil); err == nil || !strings.HasPrefix(err.Error(), "there is no history of shop") {
		t.Errorf("a function without history: %v", err)
	}
}

// FuzzDemand reads anything as a trace or an access log, packed or not.
func FuzzDemand(f *testing.F) {
	f.Add([]byte("60,1\n120,2\n"))
	f.Add([]byte(`{"time":"2026-11-01T10:00:00Z","msg":"request"}` + "\n" + `{"time":"2026-11-01T10:05:00Z","msg":"request"}`))
	f.Add([]byte(`1.2.3.4 - - [01/Nov/2026:10:00:00 +0100] "GET / HTTP/1.1" 200 5` + "\n" + `1.2.3.4 - - [01/Nov/2026:10:03:00 +0100] "GET / HTTP/1.1" 200 5`))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		trace, err := traceOf("f", bytes.NewReader(data))
		if err != nil {
			return
		}
		if trace.Step <= 0 || len(trace.Counts) < 2 {
			t.Fatalf("%d steps of %s", len(trace.Counts), trace.Step)
		}
		for i, n := range trace.Counts {
			if !(n >= 0) || math.IsInf(n, 1) {
				t.Fatalf("step %d has %v requests", i, n)
			}
		}
	})
}
