package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"holdfast/internal/store"
	"holdfast/internal/store/spool"
	"holdfast/internal/store/storetest"
	"holdfast/test/need"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a store that can be told what to answer.
type memory struct {
	mu     sync.Mutex
	err    error
	poison uuid.UUID // refused for good
	facts  map[uuid.UUID]store.Fact
	states map[string]store.State
	latest time.Time
	calls  int
}

func newMemory() *memory {
	return &memory{facts: map[uuid.UUID]store.Fact{}, states: map[string]store.State{}}
}

func (m *memory) answer(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *memory) AppendFacts(_ context.Context, facts []store.Fact) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if slices.ContainsFunc(facts, func(f store.Fact) bool { return f.FactID() == m.poison }) {
		return fmt.Errorf("append: %w", store.ErrRejected)
	}
	for _, f := range facts {
		if m.err == nil {
			m.facts[f.FactID()] = f
		}
	}
	return m.err
}

func (m *memory) SaveStates(_ context.Context, states []store.State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range states {
		if m.err == nil {
			m.states[s.Key()] = s
		}
	}
	return m.err
}

func (m *memory) LatestStamp(context.Context) (time.Time, error) { return m.latest, nil }

func (m *memory) Migrate(context.Context) error { return m.now() }

func (m *memory) Ping(context.Context) error { return m.now() }

func (m *memory) now() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.facts)
}

func (m *memory) state(key string) store.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.states[key]
}

func down() error {
	return &store.Error{Op: "append facts", Kind: store.ErrUnavailable, Hint: "turn it on"}
}

// quick is a configuration that does not wait for long.
func quick(t *testing.T) store.OutboxConfig {
	t.Helper()
	return store.OutboxConfig{
		Dir: t.TempDir(), SyncEvery: 20 * time.Millisecond, FlushEvery: 10 * time.Millisecond, PingEvery: 20 * time.Millisecond,
		RetryBase: 5 * time.Millisecond, RetryMax: 20 * time.Millisecond,
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFactsOfEveryKindArriveUnchanged(t *testing.T) {
	t.Parallel()
	m := newMemory()
	o, _ := storetest.Start(t, m, quick(t))
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	facts := []store.Fact{
		storetest.Action("api"),
		store.Event{ID: store.NewID(), Kind: "breaker", Function: "api", Data: json.RawMessage(`{"n":1}`), At: at},
		store.Decision{ID: store.NewID(), Kind: "scaling", Inputs: json.RawMessage(`[1,2]`), At: at},
		store.Minutes{ID: store.NewID(), Node: "n1", Minute: 29_000_000, Part: 3, Data: []byte{0, 255, 1}},
	}
	for _, f := range facts {
		ok(t, o.Record(f))
	}
	storetest.Eventually(t, "all arrived", func() bool { return m.count() == len(facts) })
	for _, f := range facts {
		if got := fmt.Sprintf("%+v", m.facts[f.FactID()]); got != fmt.Sprintf("%+v", f) {
			t.Errorf("got %s\nwant %+v", got, f)
		}
	}
}

func TestAnOutageIsNoticedAndEnds(t *testing.T) {
	t.Parallel()
	m, c := newMemory(), quick(t)
	var mu sync.Mutex
	var told []string
	c.OnNotice = func(n store.Notice) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, n.Kind.String())
	}
	o, stop := storetest.Start(t, m, c)
	storetest.Eventually(t, "up", func() bool { return o.Health().Condition == store.Up })
	m.answer(down())
	storetest.Eventually(t, "down without anything to write", func() bool { return o.Health().Condition == store.Down })
	if h := o.Health(); !strings.Contains(h.Reason, "turn it on") {
		t.Errorf("health %+v, want the way out in the reason", h)
	}
	ok(t, o.Record(storetest.Action("api")))
	m.answer(nil)
	storetest.Eventually(t, "up again", func() bool { return o.Health().Condition == store.Up && m.count() == 1 })
	stop()
	if want := []string{"store_up", "store_down", "store_up"}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

func TestOneBadFactDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	m := newMemory()
	m.answer(down())
	bad := storetest.Action("api")
	m.poison = bad.ID
	o, _ := storetest.Start(t, m, quick(t))
	for range 20 {
		ok(t, o.Record(storetest.Action("api")))
	}
	ok(t, o.Record(bad))
	for range 20 {
		ok(t, o.Record(storetest.Action("api")))
	}
	ok(t, o.Sync(t.Context()))
	m.answer(nil)
	storetest.Eventually(t, "the good ones are stored", func() bool { return m.count() == 40 && o.Health().Spooled == 0 })
	if h := o.Health(); h.Rejected != 1 || h.Condition != store.Up {
		t.Errorf("health %+v, want one rejected and the store up", h)
	}
}

func TestAFullQueueRefusesAndCounts(t *testing.T) {
	t.Parallel()
	c := quick(t)
	c.Queue = 10
	o, err := store.NewOutbox(newMemory(), c) // nothing runs
	ok(t, err)
	for range 10 {
		ok(t, o.Record(storetest.Action("api")))
	}
	if err := o.Record(storetest.Action("api")); !errors.Is(err, store.ErrFull) {
		t.Errorf("error %v, want ErrFull", err)
	}
	ok(t, o.Record(store.Event{ID: store.NewID(), Kind: "other", At: time.Now()}))
	if h := o.Health(); h.Dropped[store.KindAction] != 1 || h.Queued != 11 || h.Condition != store.Unknown {
		t.Errorf("health %+v", h)
	}
}

// hanging is a store that answers nothing before the deadline.
type hanging struct{ *memory }

func (hanging) AppendFacts(ctx context.Context, _ []store.Fact) error { return late(ctx) }

func (hanging) SaveStates(ctx context.Context, _ []store.State) error { return late(ctx) }

func (hanging) Ping(ctx context.Context) error { return late(ctx) }

func late(ctx context.Context) error {
	<-ctx.Done()
	return &store.Error{Op: "ask", Kind: store.ErrUnavailable, Err: ctx.Err()}
}

// The clock of a bubble stands still while anything can be done without
// waiting: whoever waited for the store, even once, would be late.
func TestRecordingTakesNoTimeWhileTheStoreHangs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		o, err := store.NewOutbox(hanging{newMemory()}, store.OutboxConfig{Dir: dir})
		ok(t, err)
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { ok(t, o.Run(ctx)) })
		var waited time.Duration
		for i := range 3000 {
			began := time.Now()
			ok(t, o.Record(storetest.Action("api")))
			ok(t, o.Keep(store.Breaker{Function: "api", State: "open", FailureCount: i}))
			_, _ = o.Health(), o.Waiting()
			waited += time.Since(began)
			time.Sleep(20 * time.Millisecond) // a minute of outage in all
		}
		if h := o.Health(); waited != 0 || h.Condition != store.Down || h.Spooled != 3000 || h.Lost() != 0 {
			t.Errorf("callers waited for %v; health %+v", waited, h)
		}
		stop()
		wg.Wait()
	})
}

func TestWhatNoStoreTakesIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	o, err := store.NewOutbox(newMemory(), quick(t))
	ok(t, err)
	for _, bad := range []store.Fact{
		store.ScalingAction{ID: store.NewID(), Function: "api", Action: "dance", CreatedAt: time.Now()},
		store.Event{ID: store.NewID(), At: time.Now()},
		store.Event{Kind: "x", At: time.Now()},
		store.Event{ID: store.NewID(), Kind: "x"},
		store.Decision{ID: store.NewID(), Kind: "x", At: time.Now(), Inputs: json.RawMessage(`{`)},
		store.Minutes{ID: store.NewID()},
	} {
		if o.Record(bad) == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	if o.Keep(store.Breaker{Function: "api", State: "ajar"}) == nil {
		t.Error("a breaker that is ajar was taken")
	}
}

func TestStatesAreCoalescedAndStampedAfterWhatTheStoreHas(t *testing.T) {
	t.Parallel()
	m := newMemory()
	m.latest = time.Now().Add(time.Hour).UTC() // this machine's clock was set back
	o, _ := storetest.Start(t, m, quick(t))
	storetest.Eventually(t, "up", func() bool { return o.Health().Condition == store.Up })
	for i := range 1000 {
		ok(t, o.Keep(store.Breaker{Function: "api", State: "open", FailureCount: i}))
	}
	storetest.Eventually(t, "the last is stored", func() bool {
		b, is := m.state("breaker\x00api").(store.Breaker)
		return is && b.FailureCount == 999
	})
	if at := m.state("breaker\x00api").Stamp(); !at.After(m.latest) {
		t.Errorf("stamp %v is not after the store's %v", at, m.latest)
	}
	old := store.Breaker{Function: "api", State: "closed", UpdatedAt: time.Now().Add(-time.Hour)}
	ok(t, o.Keep(store.Breaker{Function: "api", State: "half_open"}))
	ok(t, o.Keep(old))
	storetest.Eventually(t, "the newer of two is stored", func() bool {
		b, is := m.state("breaker\x00api").(store.Breaker)
		return is && b.State == "half_open"
	})
}

func TestTooManyStatesAreCounted(t *testing.T) {
	t.Parallel()
	c := quick(t)
	c.States = 5
	o, err := store.NewOutbox(newMemory(), c)
	ok(t, err)
	for i := range 5 {
		ok(t, o.Keep(store.Breaker{Function: fmt.Sprint(i), State: "open"}))
	}
	if err := o.Keep(store.Breaker{Function: "one more", State: "open"}); !errors.Is(err, store.ErrFull) {
		t.Errorf("error %v, want ErrFull", err)
	}
	ok(t, o.Keep(store.Breaker{Function: "0", State: "closed"}))
	if h := o.Health(); h.States != 5 || h.StatesLost != 1 {
		t.Errorf("health %+v", h)
	}
}

func TestStatesOfAnOutageComeBackAfterARestart(t *testing.T) {
	t.Parallel()
	m, c := newMemory(), quick(t)
	m.answer(down())
	o, stop := storetest.Start(t, m, c)
	ok(t, o.Keep(store.Breaker{Function: "api", State: "open", FailureCount: 5}))
	ok(t, o.Keep(store.InstanceGone{ID: "a1"}))
	ok(t, o.Keep(store.NodeState{Node: "n", Kind: "health", Name: "a2"}))
	ok(t, o.Keep(store.TokenUse{ID: "t"}))
	ok(t, o.Keep(store.Instance{ID: "a2", Function: "api", Status: "active"}))
	before := o.Waiting()
	storetest.Eventually(t, "the file is there", func() bool {
		_, err := os.Stat(filepath.Join(c.Dir, "states.json"))
		return err == nil
	})
	stop()

	o, stop = storetest.Start(t, m, c)
	if got := o.Waiting(); fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", before) || len(got) != 5 {
		t.Errorf("after the restart %+v\nwant %+v", got, before)
	}
	m.answer(nil)
	storetest.Eventually(t, "they are stored", func() bool { return o.Health().States == 0 })
	stop()
	if _, err := os.Stat(filepath.Join(c.Dir, "states.json")); err == nil {
		t.Error("the file is still there")
	}
	if got := m.state("breaker\x00api").Stamp(); !got.Equal(before[0].Stamp()) {
		t.Errorf("stamp %v, want the old one %v", got, before[0].Stamp())
	}
}

func TestADamagedFileOfStatesIsNoReasonToStop(t *testing.T) {
	t.Parallel()
	c := quick(t)
	ok(t, os.WriteFile(filepath.Join(c.Dir, "states.json"), []byte(`[{"kind":"breaker","state":{}},{"ki`), 0o600))
	o, _ := storetest.Start(t, newMemory(), c)
	storetest.Eventually(t, "up", func() bool { return o.Health().Condition == store.Up })
}

func TestAStopBringsWhatIsQueuedToDisk(t *testing.T) {
	t.Parallel()
	m, c := newMemory(), quick(t)
	m.answer(down())
	o, stop := storetest.Start(t, m, c)
	for range 500 {
		ok(t, o.Record(storetest.Action("api")))
	}
	stop()
	m.answer(nil)
	storetest.Start(t, m, c)
	storetest.Eventually(t, "the next process stores it", func() bool { return m.count() == 500 })
}

func TestWhatAStopLeavesInMemoryIsCountedAndSaid(t *testing.T) {
	t.Parallel()
	disk, err := storetest.SmallDisk(t, "64k") // no room for reserves
	if err != nil {
		need.Missing(t, err.Error())
	}
	m, c := newMemory(), quick(t)
	c.Dir = filepath.Join(disk, "spool")
	var told []store.Notice
	c.OnNotice = func(n store.Notice) { m.mu.Lock(); told = append(told, n); m.mu.Unlock() }
	m.answer(down())
	o, stop := storetest.Start(t, m, c)
	storetest.Fill(t, filepath.Join(disk, "ballast"))
	for range 100 {
		ok(t, o.Record(storetest.Action("api")))
	}
	if err := o.Sync(t.Context()); err == nil {
		t.Error("Sync says that all is on a full disk")
	}
	stop()
	n := o.Health().OnlyInMemory
	last := told[len(told)-1]
	if n == 0 || last.Kind != store.FactsDropped || last.Count != uint64(n) {
		t.Errorf("%d facts were in memory only; last told %+v", n, last)
	}
	refused := slices.ContainsFunc(told, func(n store.Notice) bool { return n.Kind == store.SpoolRefused })
	if !refused {
		t.Errorf("told %+v, want also that the disk refuses", told)
	}
}

func TestTwoProcessesCannotShareASpool(t *testing.T) {
	t.Parallel()
	c := quick(t)
	_, err := store.NewOutbox(newMemory(), c)
	ok(t, err)
	if _, err := store.NewOutbox(newMemory(), c); !errors.Is(err, spool.ErrLocked) {
		t.Errorf("error %v, want ErrLocked", err)
	}
}

func TestStartingAndStoppingFromManySidesLosesNothing(t *testing.T) {
	t.Parallel()
	m, c := newMemory(), quick(t)
	for round := range 5 {
		o, stop := storetest.Start(t, m, c)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 50 {
					if err := o.Record(storetest.Action("api")); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		stop()
		if n := m.count(); n != 200*(round+1) {
			t.Fatalf("%d facts after round %d, want %d", n, round, 200*(round+1))
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	m := newMemory()
	m.answer(down())
	o, err := store.NewOutbox(m, store.OutboxConfig{Dir: b.TempDir(), Queue: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	a := storetest.Action("api")
	b.ReportAllocs()
	for b.Loop() {
		if err := o.Record(a); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKeep(b *testing.B) {
	o, err := store.NewOutbox(newMemory(), store.OutboxConfig{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := o.Keep(store.Breaker{Function: "api", State: "open"}); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleOutbox() {
	dir, err := os.MkdirTemp("", "outbox")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	database := newMemory() // sqlite.Open or postgres.Open
	o, err := store.NewOutbox(database, store.OutboxConfig{Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = o.Run(ctx) })

	_ = o.Record(store.ScalingAction{
		ID: store.NewID(), Function: "api", Action: "scale_up", Before: 1, After: 2, Success: true, CreatedAt: time.Now(),
	})
	_ = o.Keep(store.Breaker{Function: "api", State: "open", FailureCount: 5})

	stop()
	running.Wait()
	fmt.Println(len(database.facts), len(database.states), o.Health().Condition)
	// Output: 1 1 up
}
