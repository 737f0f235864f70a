package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"holdfast/autoscale/simulate"
	"holdfast/internal/admin"
	"holdfast/internal/history"
	"holdfast/internal/store"
	"holdfast/loadtest/source"
)

// trace is the demand that was asked for.
func (f *simulateFlags) trace(ctx context.Context, g *global, file string) (*simulate.Trace, error) {
	switch {
	case file != "" && f.history != "":
		return nil, errors.New("give either a trace or --history")
	case file != "":
		return readTrace(file)
	case f.history == "":
		return nil, errors.New("which demand? Name a trace or an access log, or a function with --history")
	case f.fromStore:
		return f.storedTrace(ctx, g)
	}
	return f.runningTrace(ctx, g)
}

// readTrace reads a file, whatever of the three it is.
func readTrace(name string) (*simulate.Trace, error) {
	file, err := os.Open(name) //nolint:gosec // the user names it
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	return traceOf(name, file)
}

func traceOf(name string, in io.Reader) (*simulate.Trace, error) {
	r := bufio.NewReaderSize(in, 1<<16)
	if magic, err := r.Peek(2); err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		plain, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		r = bufio.NewReaderSize(plain, 1<<16)
	}
	head, _ := r.Peek(1 << 12) // a shorter file is read below
	if !looksLikeLog(head) {
		return simulate.ReadTrace(name, r)
	}
	times, notes, err := source.Times(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t, err := simulate.TraceOf(name, times, time.Minute)
	if err != nil {
		return nil, err
	}
	t.Notes = append(t.Notes, notes...)
	return t, nil
}

// looksLikeLog says whether the first line of a file is one of an access log.
func looksLikeLog(head []byte) bool {
	line, _, _ := bytes.Cut(bytes.TrimSpace(head), []byte("\n"))
	return bytes.HasPrefix(line, []byte("{")) || bytes.ContainsAny(line, `["`)
}

// historyPiece is how much history is asked for at once.
const historyPiece = 7 * 24 * time.Hour

// runningTrace asks the running Holdfast.
func (f *simulateFlags) runningTrace(ctx context.Context, g *global) (*simulate.Trace, error) {
	var at []time.Time
	var counts []float64
	c := newClient(g)
	to := time.Now().Truncate(time.Minute)
	for from := to.Add(-f.span()); from.Before(to); from = from.Add(historyPiece) {
		until := from.Add(historyPiece)
		if until.After(to) {
			until = to
		}
		query := url.Values{"from": {from.Format(time.RFC3339)}, "to": {until.Format(time.RFC3339)}, "step": {"60"}}
		var past admin.Past
		b, err := c.ask(ctx, http.MethodGet, escaped("functions", f.history, "history"), query, nil)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, &past); err != nil {
			return nil, fmt.Errorf("%w: %w", errAnswer, err)
		}
		for i := range past.Points {
			at, counts = append(at, past.Points[i].At), append(counts, past.Points[i].RequestsPerSecond*60)
		}
	}
	return f.historyTrace(at, counts)
}

// storedTrace reads the store.
func (f *simulateFlags) storedTrace(ctx context.Context, g *global) (*simulate.Trace, error) {
	s, err := openOwnStore(g, f.config, mustExist)
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // it was only read
	return f.traceOfStore(ctx, s)
}

func (f *simulateFlags) traceOfStore(ctx context.Context, s store.Store) (*simulate.Trace, error) {
	h, err := history.New(history.Config{Store: s, Recorder: noRecorder{}})
	if err != nil {
		return nil, err
	}
	to := time.Now().Truncate(time.Minute)
	points, err := h.Range(ctx, history.Query{Function: f.history, From: to.Add(-f.span()), To: to})
	if err != nil {
		return nil, storeFailure(err)
	}
	var at []time.Time
	var counts []float64
	for i := range points {
		if v := points[i].Rate; v >= 0 { // NaN is not
			at, counts = append(at, points[i].At), append(counts, v*60)
		}
	}
	return f.historyTrace(at, counts)
}

func (f *simulateFlags) span() time.Duration { return time.Duration(f.days * 24 * float64(time.Hour)) }

func (f *simulateFlags) historyTrace(at []time.Time, counts []float64) (*simulate.Trace, error) {
	if len(at) < 2 {
		return nil, fmt.Errorf("there is no history of %s in the last %g days yet: it grows by a point a minute", clean(f.history), f.days)
	}
	t, err := simulate.TraceAt("history of "+f.history, at, counts)
	if err != nil {
		return nil, fmt.Errorf("%w; --days takes less of it", err)
	}
	return t, nil
}

// describeTrace is a line for people.
func describeTrace(t *simulate.Trace) string {
	return fmt.Sprintf("%s: %s in steps of %s from %s, peak %.3g requests/s", t.Name, length(t.Length()), t.Step, t.Begin.Format("2006-01-02"), t.Peak())
}

// length writes a length of time in days, or what it is when shorter.
func length(d time.Duration) string {
	if d < 48*time.Hour {
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%.1f days", d.Hours()/24)
}

// noRecorder is for reading only.
type noRecorder struct{}

func (noRecorder) Record(store.Fact) error { return errors.New("history is only read here") }
