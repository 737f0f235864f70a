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
	"strings"
	"time"

	"holdfast/autoscale"
	"holdfast/autoscale/simulate"
	"holdfast/internal/admin"
	"holdfast/internal/history"
	"holdfast/internal/store"
	"holdfast/loadtest/source"
)

// trace is the demand that was asked for, and what was measured beside it.
func (f *simulateFlags) trace(ctx context.Context, g *global, file string) (t *simulate.Trace, past *simulate.Past, err error) {
	switch {
	case file != "" && f.history != "":
		return nil, nil, errors.New("give either a trace or --history")
	case file != "":
		t, err = readTrace(file)
		return t, &simulate.Past{}, err
	case f.history == "":
		return nil, nil, errors.New("which demand? Name a trace or an access log, or a function with --history")
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
func (f *simulateFlags) runningTrace(ctx context.Context, g *global) (*simulate.Trace, *simulate.Past, error) {
	past, counts := &simulate.Past{}, []float64(nil)
	c := newClient(g)
	to := time.Now().Truncate(time.Minute)
	for from := to.Add(-f.span()); from.Before(to); from = from.Add(historyPiece) {
		until := from.Add(historyPiece)
		if until.After(to) {
			until = to
		}
		query := url.Values{"from": {from.Format(time.RFC3339)}, "to": {until.Format(time.RFC3339)}, "step": {"60"}}
		var answer admin.Past
		b, err := c.ask(ctx, http.MethodGet, escaped("functions", f.history, "history"), query, nil)
		if err != nil {
			return nil, nil, err
		}
		if err := json.Unmarshal(b, &answer); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errAnswer, err)
		}
		for i := range answer.Points {
			p := &answer.Points[i]
			past.Add(p.At, p.Instances, p.OwnSignals())
			counts = append(counts, p.RequestsPerSecond*60)
		}
	}
	t, err := f.historyTrace(past.At, counts)
	return t, past, err
}

// storedTrace reads the store.
func (f *simulateFlags) storedTrace(ctx context.Context, g *global) (*simulate.Trace, *simulate.Past, error) {
	names, err := f.signals(g)
	if err != nil {
		return nil, nil, err
	}
	s, err := openOwnStore(g, f.config, mustExist)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close() //nolint:errcheck // it was only read
	return f.traceOfStore(ctx, s, names)
}

// traceOfStore reads the demand, and the signals with these names.
func (f *simulateFlags) traceOfStore(ctx context.Context, s store.Histories, names []autoscale.Signal) (*simulate.Trace, *simulate.Past, error) {
	h, err := history.New(history.Config{Store: s, Recorder: noRecorder{}})
	if err != nil {
		return nil, nil, err
	}
	q := history.Query{Function: f.history, To: time.Now().Truncate(time.Minute)}
	q.From = q.To.Add(-f.span())
	points, err := h.Range(ctx, q)
	if err != nil {
		return nil, nil, storeFailure(err)
	}
	own := map[time.Time]map[autoscale.Signal]float64{}
	for _, name := range names {
		q.Function = history.SignalOf(f.history, strings.TrimPrefix(string(name), "custom:"))
		values, err := h.Range(ctx, q)
		if err != nil {
			return nil, nil, storeFailure(err)
		}
		for i := range values {
			if own[values[i].At] == nil {
				own[values[i].At] = map[autoscale.Signal]float64{}
			}
			own[values[i].At][name] = values[i].Own
		}
	}
	past, counts := &simulate.Past{}, []float64(nil)
	for i := range points {
		if v := points[i].Rate; v >= 0 { // NaN is not
			past.Add(points[i].At, points[i].Instances, own[points[i].At])
			counts = append(counts, v*60)
		}
	}
	t, err := f.historyTrace(past.At, counts)
	return t, past, err
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
