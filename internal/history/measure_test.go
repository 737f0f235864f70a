package history_test

import (
	"bufio"
	"compress/gzip"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/history"
	"holdfast/internal/store"
	"holdfast/test/need"
)

const (
	budgetBytes = 400_000_000
	budgetDays  = 14
	budgetOf    = 1000 // functions
)

// traces are request rates of real systems, see testdata/README.md.
func traces(tb testing.TB) (all [][]float64) {
	tb.Helper()
	for _, name := range []string{"app-rps-1m", "machine-rps-1m", "ingress-sparse-1m"} {
		f, err := os.Open(filepath.Join("testdata", name+".csv.gz"))
		ok(tb, err)
		z, err := gzip.NewReader(f)
		ok(tb, err)
		var rates []float64
		for lines := bufio.NewScanner(z); lines.Scan(); {
			_, count, _ := strings.Cut(lines.Text(), ",")
			if v, err := strconv.ParseFloat(count, 64); err == nil {
				rates = append(rates, v)
			}
		}
		ok(tb, f.Close())
		all = append(all, rates)
	}
	return all
}

// service makes up the other series of a function from a real rate: latency that is noisy and grows with load, failures
// by chance and in bursts, a processor that follows the rate, memory that creeps, connections by Little's law.
type service struct {
	rates          []float64
	shift          int
	scale, latency float64
	memory, bad    float64
	instances      float64
	peak           float64
	r              *rand.Rand
}

func newService(i int, traces [][]float64) *service {
	r := rand.New(rand.NewPCG(uint64(i), 99))
	s := &service{rates: traces[i%len(traces)], shift: r.IntN(10000), scale: math.Exp(r.NormFloat64()) / 60, latency: math.Exp(3 + r.NormFloat64()), memory: 30, instances: 1, r: r}
	for _, v := range s.rates {
		s.peak = max(s.peak, v*s.scale)
	}
	return s
}

func (s *service) at(minute int) history.Point {
	noise := func(by float64) float64 { return math.Exp(s.r.NormFloat64() * by) }
	requests := math.Round(s.rates[(minute+s.shift)%len(s.rates)] * s.scale * 60 * noise(0.02))
	load := requests / 60 / max(s.peak, 1e-9)
	s.instances = math.Ceil(load * 4)
	s.memory = min(max(s.memory+s.r.NormFloat64()*0.3, 10), 95)
	if s.bad *= 0.8; s.r.IntN(3000) == 0 {
		s.bad = 0.3
	}
	failed := min(math.Round(requests*(0.001*s.r.ExpFloat64()+s.bad)), requests)
	p := history.Point{
		Rate: requests / 60, Errors: failed, CPU: min(100*load*noise(0.1)+2*s.r.Float64(), 100), Memory: s.memory, Instances: s.instances,
		P50: math.NaN(), P95: math.NaN(), P99: math.NaN(), SuccessRate: math.NaN(),
	}
	if requests > 0 {
		p.P50 = s.latency * (1 + load) * noise(0.05)
		p.P95 = p.P50 * 3 * noise(0.1)
		p.P99 = p.P95 * 2 * noise(0.2)
		p.SuccessRate = 100 * (1 - failed/requests)
		p.Connections = math.Round(p.Rate * p.P50 / 1000)
	}
	return p
}

// batched stores facts when it is told to: the outbox batches as well.
type batched struct {
	direct
	facts *[]store.Fact
}

func (b batched) Record(f store.Fact) error {
	*b.facts = append(*b.facts, f)
	return nil
}

func (b batched) flush() {
	ok(b.t, b.s.AppendFacts(b.t.Context(), *b.facts))
	*b.facts = (*b.facts)[:0]
}

// life is functions that live as Run lets them: a fold every two hours.
type life struct {
	h        *history.History
	minutes  batched
	services []*service
	samples  []history.Sample
	now      int
}

func newLife(tb testing.TB, s store.Store, functions int) *life {
	tb.Helper()
	l := &life{minutes: batched{direct{tb, s}, new([]store.Fact)}, samples: make([]history.Sample, functions)}
	var err error
	l.h, err = history.New(history.Config{Store: s, Recorder: l.minutes, Node: "n1", OnError: func(err error) { tb.Error(err) }})
	ok(tb, err)
	all := traces(tb)
	for i := range functions {
		l.services = append(l.services, newService(i, all))
	}
	return l
}

func (l *life) live(tb testing.TB, days int) {
	tb.Helper()
	l.liveMinutes(tb, days*1440)
}

func (l *life) liveMinutes(tb testing.TB, minutes int) {
	tb.Helper()
	for end := l.now + minutes; l.now < end; l.now++ {
		for i, s := range l.services {
			l.samples[i] = history.Sample{Function: fmt.Sprintf("function-%04d", i), Point: s.at(l.now)}
		}
		ok(tb, l.h.Append(at(l.now), l.samples))
		if l.now%20 == 19 {
			l.minutes.flush()
		}
		if l.now%120 == 119 {
			ok(tb, l.h.Fold(tb.Context(), at(l.now)))
		}
	}
}

// TestTwoWeeksOfAThousandFunctionsFitTheBudget measures the file of the store, free pages included. The long form is full
// size. The short one measures what a day adds for each function of a sample, after a first day that holds what does not
// grow, and adds for full size the minutes of two hours and ten minutes and the largest log.
func TestTwoWeeksOfAThousandFunctionsFitTheBudget(t *testing.T) {
	t.Parallel()
	need.Plain(t)
	functions, days := 24, 2
	if need.Soak() {
		functions, days = budgetOf, budgetDays
	}
	path := filepath.Join(t.TempDir(), "state.db")
	s := database(t, path)
	l := newLife(t, s, functions)
	began := time.Now()
	l.live(t, 1)
	first := sizeOf(t, path)
	l.live(t, days-1)
	size, took := sizeOf(t, path), time.Since(began)
	each := float64(size-first) / float64(functions*(days-1))
	whole := float64(size) + maxLog
	if !need.Soak() {
		whole = each*budgetDays*budgetOf + l.minuteBytes(t)*130*budgetOf + maxLog
	}
	n, bytes := chunks(t, s, functions)
	t.Logf("%d functions, %d days in %v: file %.1f MB, %.0f bytes for each function and day; %d chunks of %.0f bytes, %.2f bytes a value",
		functions, days, took.Round(time.Millisecond), float64(size)/1e6, each, n, bytes/float64(n), bytes/float64(functions*days)/1440/10)
	t.Logf("%d days of %d functions: %.0f MB of %d MB", budgetDays, budgetOf, whole/1e6, budgetBytes/1_000_000)
	if whole > budgetBytes {
		t.Errorf("%.0f MB are more than the budget", whole/1e6)
	}
	t.Attr("history_sqlite_mb", fmt.Sprintf("%.0f", whole/1e6))
	l.wantWeekQuick(t, "sqlite")
}

// maxLog is what the write-ahead log is cut back to, see package sqlite.
const maxLog = 16 << 20

func chunks(tb testing.TB, s store.Store, functions int) (n int, bytes float64) {
	tb.Helper()
	for i := range functions {
		all, err := s.Chunks(tb.Context(), []string{fmt.Sprintf("function-%04d", i)}, 0, 1<<30)
		ok(tb, err)
		for _, c := range all {
			n++
			bytes += float64(len(c.Data))
		}
	}
	return n, bytes
}

// minuteBytes is what a function's minute takes before it is folded, with the share of the row.
func (l *life) minuteBytes(tb testing.TB) float64 {
	tb.Helper()
	ok(tb, l.h.Append(at(l.now), l.samples))
	n := 0.0
	for _, f := range *l.minutes.facts {
		m, is := f.(store.Minutes)
		if !is {
			tb.Fatalf("a fact %T", f)
		}
		n += float64(len(m.Data))
	}
	*l.minutes.facts = nil
	return 1.5 * n / float64(len(l.samples))
}

// sizeOf is the size of the file with its log folded in.
func sizeOf(tb testing.TB, path string) int64 {
	tb.Helper()
	db, err := sql.Open("sqlite", path)
	ok(tb, err)
	_, err = db.ExecContext(tb.Context(), "PRAGMA wal_checkpoint(TRUNCATE)")
	ok(tb, errors.Join(err, db.Close()))
	info, err := os.Stat(path)
	ok(tb, err)
	return info.Size()
}

func BenchmarkAWeekOfOneFunction(b *testing.B) {
	s := database(b, filepath.Join(b.TempDir(), "state.db"))
	l := newLife(b, s, 3)
	l.live(b, 8)
	h := l.h
	all := make([]history.Sample, budgetOf) // two hours of a thousand functions are not folded yet
	for i := range all {
		all[i] = history.Sample{Function: fmt.Sprintf("function-%04d", i), Point: l.services[i%3].at(0)}
	}
	for m := 7*1440 + 1320; m < 8*1440; m++ {
		ok(b, h.Append(at(m), all))
	}
	l.minutes.flush()
	for _, step := range []time.Duration{time.Minute, 15 * time.Minute} {
		b.Run(step.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				points, err := h.Range(b.Context(), history.Query{Function: "function-0001", From: at(1440), To: at(8 * 1440), Step: step})
				if err != nil || len(points) != int(7*24*time.Hour/step) {
					b.Fatal(len(points), err)
				}
			}
		})
	}
}

func BenchmarkAppendAThousandFunctions(b *testing.B) {
	s := database(b, filepath.Join(b.TempDir(), "state.db"))
	h := open(b, s, "n1")
	samples := make([]history.Sample, budgetOf)
	for i := range samples {
		samples[i] = history.Sample{Function: fmt.Sprintf("function-%04d", i), Point: newService(i, [][]float64{{100}}).at(0)}
	}
	for m := 0; b.Loop(); m++ {
		ok(b, h.Append(at(m), samples))
	}
}
