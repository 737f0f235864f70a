package history_test

import (
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/internal/history"
	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// direct stores facts at once.
type direct struct {
	t testing.TB
	s store.Store
}

func (d direct) Record(f store.Fact) error { return d.s.AppendFacts(d.t.Context(), []store.Fact{f}) }

func ok(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func database(tb testing.TB, path string) *sqlite.Store {
	tb.Helper()
	s, err := sqlite.Open(sqlite.Config{Path: path, Timeout: time.Minute})
	ok(tb, err)
	tb.Cleanup(func() { ok(tb, s.Close()) })
	ok(tb, s.Migrate(tb.Context()))
	return s
}

func open(tb testing.TB, s store.Store, node string) *history.History {
	tb.Helper()
	h, err := history.New(history.Config{Store: s, Recorder: direct{tb, s}, Node: node, OnError: func(err error) { tb.Errorf("background: %v", err) }})
	ok(tb, err)
	return h
}

// midnight is where the tests begin.
func midnight() time.Time { return time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC) }

func at(minute int) time.Time { return midnight().Add(time.Duration(minute) * time.Minute) }

// point has values that are kept exactly.
func point(minute int) history.Point {
	n := float64(minute % 200)
	return history.Point{
		At: at(minute), Rate: n / 60, P50: 1.25, P95: 2, P99: n / 100, Errors: n, SuccessRate: 99.9, CPU: 12.5, Memory: 20,
		Connections: n, Instances: 2,
	}
}

func record(t *testing.T, h *history.History, from, to int) {
	t.Helper()
	for m := from; m < to; m++ {
		ok(t, h.Append(at(m).Add(17*time.Second), []history.Sample{{"api", point(m)}, {"web", point(m + 1)}}))
	}
}

func read(t *testing.T, h *history.History, from, to int, step time.Duration) []history.Point {
	t.Helper()
	points, err := h.Range(t.Context(), history.Query{Function: "api", From: at(from), To: at(to), Step: step})
	ok(t, err)
	return points
}

// equal compares points; unknown equals unknown.
func equal(t *testing.T, got []history.Point, want func(i int) history.Point, n int) {
	t.Helper()
	if len(got) != n {
		t.Fatalf("%d points, want %d", len(got), n)
	}
	for i, g := range got {
		w := want(i)
		if !g.At.Equal(w.At) {
			t.Fatalf("point %d is of %v, want %v", i, g.At, w.At)
		}
		for s := history.Rate; s <= history.Instances; s++ {
			if a, b := g.Value(s), w.Value(s); math.Abs(a-b) > 1e-9 || math.IsNaN(a) != math.IsNaN(b) {
				t.Fatalf("%v: %s is %v, want %v", g.At, s, a, b)
			}
		}
	}
}

func TestMinutesAreReadTheSameBeforeAndAfterFolding(t *testing.T) {
	t.Parallel()
	s := database(t, filepath.Join(t.TempDir(), "state.db"))
	h := open(t, s, "n1")
	record(t, h, 1300, 1600) // over midnight
	for _, when := range []int{1000, 1450, 1455, 1700, 1700} {
		ok(t, h.Fold(t.Context(), at(when)))
		equal(t, read(t, h, 0, 3000, 0), func(i int) history.Point { return point(1300 + i) }, 300)
		equal(t, read(t, h, 1439, 1442, 0), func(i int) history.Point { return point(1439 + i) }, 3)
	}
	left, err := s.FreshMinutes(t.Context(), -1, 0, 1<<40, 0)
	ok(t, err)
	if len(left) != 0 {
		t.Errorf("%d minutes are left over", len(left))
	}
	functions, err := h.Functions(t.Context())
	ok(t, err)
	if strings.Join(functions, " ") != "api web" {
		t.Errorf("functions %v", functions)
	}
}

// A function's own signals are minutes of their own, small and large.
func TestSignalsAreKeptBesideTheirFunction(t *testing.T) {
	t.Parallel()
	h := open(t, database(t, filepath.Join(t.TempDir(), "state.db")), "n1")
	record(t, h, 0, 10)
	name := history.SignalOf("api", "lag")
	for minute, v := range []float64{0, 0.004, 3e9} {
		p := history.Unknown(at(minute))
		p.Own = v
		ok(t, h.Append(at(minute), []history.Sample{{name, p}}))
	}
	for _, when := range []int{5, 100} { // fresh, and folded
		ok(t, h.Fold(t.Context(), at(when)))
		points, err := h.Range(t.Context(), history.Query{Function: name, From: at(0), To: at(10)})
		ok(t, err)
		if len(points) != 3 || points[0].Own != 0 || points[1].Own != 0.004 || math.Abs(points[2].Own/3e9-1) > 0.004 || !math.IsNaN(points[1].Rate) {
			t.Errorf("after %d minutes: %+v", when, points)
		}
	}
	functions, err := h.Functions(t.Context())
	ok(t, err)
	if strings.Join(functions, " ") != "api web" {
		t.Errorf("functions %v", functions)
	}
}

func TestGapsStayGaps(t *testing.T) {
	t.Parallel()
	h := open(t, database(t, filepath.Join(t.TempDir(), "state.db")), "n1")
	partial := history.Unknown(at(50))
	partial.Rate = 3
	record(t, h, 0, 10)
	ok(t, h.Append(at(50), []history.Sample{{"api", partial}}))
	record(t, h, 100, 110)
	for range 2 {
		got := read(t, h, 0, 1000, 0)
		if len(got) != 21 {
			t.Fatalf("%d points, want the 21 that were recorded", len(got))
		}
		equal(t, got[10:11], func(int) history.Point { return partial }, 1)
		if long := read(t, h, 0, 1000, 30*time.Minute); len(long) != 3 || !long[1].At.Equal(at(30)) || !math.IsNaN(long[1].CPU) || long[1].Rate != 3 {
			t.Errorf("half hours %+v, want three, the second with a rate only", long)
		}
		ok(t, h.Fold(t.Context(), at(500)))
	}
}

func TestLateAndRepeatedMinutesAreMerged(t *testing.T) {
	t.Parallel()
	h := open(t, database(t, filepath.Join(t.TempDir(), "state.db")), "n1")
	record(t, h, 0, 5)
	record(t, h, 10, 20)
	ok(t, h.Fold(t.Context(), at(100)))
	record(t, h, 5, 12) // an outage ended
	ok(t, h.Append(at(3), []history.Sample{{"api", point(150)}}))
	want := func(i int) history.Point {
		p := point(i)
		if i == 3 {
			p = point(150)
			p.At = at(3)
		}
		return p
	}
	equal(t, read(t, h, 0, 100, 0), want, 20)
	ok(t, h.Fold(t.Context(), at(100)))
	equal(t, read(t, h, 0, 100, 0), want, 20)
}

func TestSeveralNodesAddUp(t *testing.T) {
	t.Parallel()
	s := database(t, filepath.Join(t.TempDir(), "state.db"))
	a, b := open(t, s, "a"), open(t, s, "b")
	pa := history.Point{Rate: 3, P50: 1, P95: 2, P99: 2.1, Errors: 1, SuccessRate: 99.9, CPU: 10, Memory: 20, Connections: 4, Instances: 2}
	pb := history.Point{Rate: 1, P50: 2, P95: 1, P99: 2.5, Errors: 2, SuccessRate: 99.8, CPU: 11, Memory: 19, Connections: 5, Instances: 2}
	ok(t, a.Append(at(0), []history.Sample{{"api", pa}}))
	ok(t, b.Append(at(0), []history.Sample{{"api", pb}}))
	ok(t, b.Append(at(1), []history.Sample{{"api", pb}}))
	both := history.Point{At: at(0), Rate: 4, P50: 1.25, P95: 2, P99: 2.5, Errors: 3, SuccessRate: 99.875, CPU: 11, Memory: 20, Connections: 9, Instances: 2}
	pb.At = at(1)
	for range 2 {
		equal(t, read(t, a, 0, 10, 0), func(i int) history.Point { return []history.Point{both, pb}[i] }, 2)
		ok(t, b.Fold(t.Context(), at(100))) // also what the other node left
	}
}

func TestNodesThatFoldAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	s := database(t, filepath.Join(t.TempDir(), "state.db"))
	h := open(t, s, "n1")
	record(t, h, 0, 60)
	for round := range 4 {
		record(t, h, 60+round*30, 90+round*30)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := open(t, s, "other").Fold(t.Context(), at(1000)); err != nil && !errors.Is(err, store.ErrConflict) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		equal(t, read(t, h, 0, 1000, 0), point, 90+round*30)
	}
}

func TestLongRangesAreSummarized(t *testing.T) {
	t.Parallel()
	h := open(t, database(t, filepath.Join(t.TempDir(), "state.db")), "n1")
	record(t, h, 0, 200)
	got := read(t, h, 55, 180, time.Hour)
	if len(got) != 3 || !got[0].At.Equal(at(0)) || !got[2].At.Equal(at(120)) {
		t.Fatalf("points %+v, want one for each hour", got)
	}
	hour := got[1] // minutes 60 to 119, values as the minute
	if math.Abs(hour.Rate-89.5/60) > 1e-9 || hour.P99 != 1.19 || hour.Errors != 60*89.5 || hour.Connections != 89.5 || math.Abs(hour.SuccessRate-99.9) > 1e-9 {
		t.Errorf("the hour is %+v", hour)
	}
	if got[0].Errors != 55+56+57+58+59 {
		t.Errorf("the cut hour has %v errors, want those of its last five minutes", got[0].Errors)
	}
	for length, want := range map[time.Duration]time.Duration{
		time.Hour: time.Minute, 7 * 24 * time.Hour: 15 * time.Minute, 14 * 24 * time.Hour: 30 * time.Minute, 300 * 24 * time.Hour: 12 * time.Hour, 3000 * 24 * time.Hour: 5 * 24 * time.Hour,
	} {
		if got := history.StepFor(length, 700); got != want {
			t.Errorf("step for %v is %v, want %v", length, got, want)
		}
	}
}

func TestADamagedDayIsLeftOutAndReported(t *testing.T) {
	t.Parallel()
	s := database(t, filepath.Join(t.TempDir(), "state.db"))
	var reported []error
	h, err := history.New(history.Config{Store: s, Recorder: direct{t, s}, OnError: func(err error) { reported = append(reported, err) }})
	ok(t, err)
	record(t, h, 0, 10)
	record(t, h, 1440, 1450)
	ok(t, h.Fold(t.Context(), at(2000)))
	day := midnight().Unix() / 86400
	chunks, err := s.Chunks(t.Context(), []string{"api"}, day, day)
	ok(t, err)
	chunks[0].Data[12] ^= 1
	ok(t, s.Fold(t.Context(), chunks, nil))
	equal(t, read(t, h, 0, 3000, 0), func(i int) history.Point { return point(1440 + i) }, 10)
	if len(reported) != 1 || !errors.Is(reported[0], history.ErrDamaged) {
		t.Errorf("reported %v", reported)
	}
	ok(t, s.AppendFacts(t.Context(), []store.Fact{store.Minutes{ID: store.NewID(), Minute: at(1).Unix() / 60, Part: 1, Data: []byte("nonsense")}}))
	record(t, h, 20, 30)
	ok(t, h.Fold(t.Context(), at(2000)))
	equal(t, read(t, h, 0, 1000, 0), func(i int) history.Point { return point(20 + i) }, 10)
}

func TestOldDaysAreDroppedAndOldMinutesFoldedInTheBackground(t *testing.T) {
	t.Parallel()
	s := database(t, filepath.Join(t.TempDir(), "state.db"))
	h := open(t, s, "n1")
	now := at(14*1440 + 300)
	record(t, h, -1440, -1430) // 15 days ago
	record(t, h, 10, 20)       // on the first day to keep
	record(t, h, 14*1440+100, 14*1440+110)
	ok(t, history.Maintain(t.Context(), h, now))
	got := read(t, h, -2000, 20000, 0)
	if len(got) != 10 || !got[0].At.Equal(at(10)) {
		t.Fatalf("%d points, want those of the first day to keep", len(got))
	}
	left, err := s.FreshMinutes(t.Context(), -1, 0, 1<<40, 0)
	ok(t, err)
	if len(left) != 0 {
		t.Errorf("%d minutes were not folded", len(left))
	}
}

func TestAnOutageAndARestartLoseNoRecordedMinute(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := database(t, filepath.Join(dir, "state.db"))
	gate := &gated{Store: s}
	cfg := store.OutboxConfig{Dir: filepath.Join(dir, "spool"), RetryBase: 5 * time.Millisecond, RetryMax: 20 * time.Millisecond}
	o, stop := storetest.Start(t, gate, cfg)
	storetest.Eventually(t, "up", func() bool { return o.Health().Condition == store.Up })
	gate.set(true)
	h, err := history.New(history.Config{Store: s, Recorder: o, Node: "n1"})
	ok(t, err)
	record(t, h, 0, 50)
	stop()
	if got := read(t, h, 0, 100, 0); len(got) != 0 {
		t.Fatalf("%d minutes got through the outage", len(got))
	}
	gate.set(false)
	o, _ = storetest.Start(t, gate, cfg)
	storetest.Eventually(t, "replayed", func() bool { return o.Health().Condition == store.Up && o.Health().Spooled == 0 })
	equal(t, read(t, h, 0, 100, 0), point, 50)
}

func TestABadQueryIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t, database(t, filepath.Join(t.TempDir(), "state.db")), "n1")
	for _, q := range []history.Query{
		{Function: "api", From: at(0), To: at(10), Step: time.Second},
		{Function: "api", From: at(0), To: at(10), Step: -time.Minute},
		{Function: "api", From: at(0), To: at(1 << 30)},
	} {
		if _, err := h.Range(t.Context(), q); err == nil {
			t.Errorf("%+v was accepted", q)
		}
	}
	if got := read(t, h, 10, 10, 0); len(got) != 0 {
		t.Errorf("an empty range has %d points", len(got))
	}
	if _, err := history.New(history.Config{}); err == nil {
		t.Error("a history without a store was accepted")
	}
}

func TestUnknownValuesAreLeftOutOfJSON(t *testing.T) {
	t.Parallel()
	p := history.Unknown(at(0))
	p.Rate = 2
	b, err := json.Marshal(p)
	ok(t, err)
	if string(b) != `{"at":"2026-05-04T00:00:00Z","rate":2}` {
		t.Errorf("got %s", b)
	}
}
