// Package history keeps how every function did, minute by minute, for two weeks: rate, latency percentiles, errors, success
// rate, processor, memory, connections and instances, and what its own signals were. Forecasts, simulations and the dashboard read it.
//
// # The way of a minute
//
//	Append, once a minute ──► store.Minutes, 8 rows for all functions ──► holdfast_minutes
//	                                                                          │ fold, every 2 hours
//	                                                                          ▼
//	Range ◄── both ────────── store.Chunk, one row per node, function and day, compressed
//
// A minute is a fact: Append returns at once, an outage or kill -9 loses nothing that reached the spool, and what a
// restart can lose is the minute that was not over. Writing 1,000 functions each minute is 8 small rows; the chunks, which
// are larger, are rewritten twelve times a day. A fold writes the chunks and removes the minutes in one transaction, and
// merging a minute twice changes nothing, so it can be interrupted anywhere. Any node folds the minutes of all, since a
// node may be gone for good.
//
// # Precision and size
//
// Values are kept as whole numbers of a unit up to 255 units, and within 0.4 % above: see Series. A day of a function is the
// differences from minute to minute, compressed with DEFLATE. TestTwoWeeksOfAThousandFunctionsFitTheBudget measures it.
//
// # Gaps
//
// A minute nobody appended, and a value that was NaN, stay unknown: NaN, never zero and never a guess.
//
// # Failure behaviour
//
// A chunk or minute that cannot be decoded is left out and reported to Config.OnError; the others are served. With the
// store down Range returns store.ErrUnavailable, and Append goes on.
package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"holdfast/internal/store"
)

const (
	minutesPerDay = 24 * 60
	// parts is how many rows a minute of all functions has. Changing it would hide the minutes that are not folded yet.
	parts = 8
	// DefaultRetention is how long history is kept when nothing else is said.
	DefaultRetention = 14 * 24 * time.Hour
)

// Recorder takes facts without waiting: a *store.Outbox.
type Recorder interface {
	Record(f store.Fact) error
}

// Config configures a History. Zero values are the defaults where there is one.
type Config struct {
	Store     store.Histories // required
	Recorder  Recorder        // required
	Node      string          // name of this node, the same after a restart
	Retention time.Duration   // 14 days; at least one day
	FoldEvery time.Duration   // 2 h; how long minutes stay before they are compressed
	OnError   func(error)     // told what went wrong in the background and what could not be decoded; may be nil
}

// History records and reads the series. Safe for concurrent use.
type History struct{ cfg Config }

// New checks the configuration.
func New(c Config) (*History, error) {
	if c.Store == nil || c.Recorder == nil {
		return nil, errors.New("open history: no store or recorder")
	}
	c.Retention = cmp.Or(c.Retention, DefaultRetention)
	c.FoldEvery = cmp.Or(c.FoldEvery, 2*time.Hour)
	if c.Retention < 24*time.Hour {
		return nil, fmt.Errorf("open history: retention %s is less than a day", c.Retention)
	}
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	return &History{cfg: c}, nil
}

// Sample is how a function did in a minute, or what a signal of its own was then.
type Sample struct {
	Function string // or what SignalOf returns
	Point    Point  // At is not looked at
}

// Append records a minute, named by any time in it, of all functions. Call it once a minute; a minute recorded twice keeps
// the later values. It does not wait. An error says that some functions were not recorded.
func (h *History) Append(minute time.Time, samples []Sample) error {
	var data [parts][]byte
	for _, s := range samples {
		if s.Function != "" {
			p := partOf(s.Function)
			data[p] = appendSample(data[p], s)
		}
	}
	var errs []error
	for p, d := range data {
		if len(d) > 0 {
			m := store.Minutes{ID: store.NewID(), Node: h.cfg.Node, Minute: minuteOf(minute), Part: p, Data: append([]byte{formatVersion}, d...)}
			errs = append(errs, h.cfg.Recorder.Record(m))
		}
	}
	return errors.Join(errs...)
}

// partOf returns where a function's minutes are.
func partOf(function string) int {
	f := fnv.New32a()
	_, _ = f.Write([]byte(function)) // never fails
	return int(f.Sum32() % parts)
}

func minuteOf(t time.Time) int64 { return floorDiv(t.Unix(), 60) }

func dayOf(minute int64) int64 { return floorDiv(minute, minutesPerDay) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Query says what to read.
type Query struct {
	Function string        // or what SignalOf returns
	From, To time.Time     // From <= minute < To
	Step     time.Duration // whole minutes; 0 is one: every minute as recorded
}

// maxRange bounds what one query holds in memory.
const maxRange = 400 * 24 * time.Hour

// Range returns the points of a function, oldest first, those of all nodes put together. A step without any minute has no
// point.
func (h *History) Range(ctx context.Context, q Query) ([]Point, error) {
	from, to := minuteOf(q.From.Add(time.Minute-1)), minuteOf(q.To.Add(time.Minute-1))
	step := max(int64(q.Step/time.Minute), 1)
	switch {
	case q.Step%time.Minute != 0 || q.Step < 0:
		return nil, fmt.Errorf("read history: step %s is not a number of minutes", q.Step)
	case q.To.Sub(q.From) > maxRange:
		return nil, fmt.Errorf("read history: %s to %s is more than %s", q.From.Format(time.RFC3339), q.To.Format(time.RFC3339), maxRange)
	case from >= to:
		return nil, nil
	}
	nodes, err := h.read(ctx, q.Function, from, to)
	if err != nil {
		return nil, err
	}
	return downsample(combine(nodes), from, step), nil
}

// read returns the minutes of each node, with a row for each minute of the range.
func (h *History) read(ctx context.Context, function string, from, to int64) (map[string][]row, error) {
	// Fresh minutes first: one that is folded in between is then seen twice, not never.
	fresh, err := h.cfg.Store.FreshMinutes(ctx, partOf(function), from, to, 0)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	chunks, err := h.cfg.Store.Chunks(ctx, []string{function}, dayOf(from), dayOf(to-1))
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	nodes := map[string][]row{}
	of := func(node string) []row {
		if nodes[node] == nil {
			nodes[node] = make([]row, to-from)
		}
		return nodes[node]
	}
	var dec decoder
	for _, c := range chunks {
		d, err := dec.decode(c.Data)
		if err != nil {
			h.cfg.OnError(fmt.Errorf("read history of %s, day %d: %w", c.Function, c.Day, err))
			continue
		}
		copyDay(of(c.Node), from, c.Day, d)
	}
	for _, m := range fresh {
		if r, ok := findSample(m.Data, function); ok {
			of(m.Node)[m.Minute-from] = r
		}
	}
	return nodes, nil
}

// copyDay copies the minutes of a day that are in the range beginning at from.
func copyDay(into []row, from, day int64, d *dayRows) {
	begin := day * minutesPerDay
	first := max(from, begin)
	last := min(from+int64(len(into)), begin+minutesPerDay)
	if first < last {
		copy(into[first-from:last-from], d[first-begin:last-begin])
	}
}

// SignalOf is the name under which the minutes of a function's own signal are: they have Own and nothing else. No function
// has such a name.
func SignalOf(function, signal string) string { return function + signalMark + signal }

const signalMark = "/"

// Functions returns the functions that have history older than the last fold, in order.
func (h *History) Functions(ctx context.Context) ([]string, error) {
	names, err := h.cfg.Store.HistoryFunctions(ctx)
	names = slices.DeleteFunc(names, func(name string) bool { return strings.Contains(name, signalMark) })
	return slices.Compact(names), err
}
